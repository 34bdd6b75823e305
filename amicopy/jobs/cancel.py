"""Cancelling copies: `find` looks, `remove` removes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from amicopy.aws.ec2 import Ec2
from amicopy.core.accounts import TargetAccount
from amicopy.core.destination import Destination
from amicopy.core.errors import AmicopyError, ExitCode, Interrupted
from amicopy.core.grants import Grants, OpenGrant, open_grants
from amicopy.core.models import Image, Region
from amicopy.core.parallel import Stop, all_at_once
from amicopy.core.references import users_text
from amicopy.core.retries import driven
from amicopy.execute.access import Access
from amicopy.execute.boot_leftovers import terminate_target, with_instances
from amicopy.execute.cancel import (
    Found,
    Target,
    TargetState,
    cancel_target,
    find_all_pending,
    find_targets,
    has_copies,
)
from amicopy.execute.region_lane import left_open
from amicopy.jobs.accounts import enter_accounts
from amicopy.jobs.context import Context
from amicopy.plan.open_grants import kept_grant_note
from amicopy.survey.closed_regions import look_everywhere
from amicopy.survey.destinations import survey_regions
from amicopy.survey.image_users import unknown_use, users_of
from amicopy.survey.relays import Relays, being_copied_to


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelResult:
    """What will be removed, or what became of it, and why regions could not be read."""

    targets: tuple[Target, ...]
    unread: tuple[AmicopyError, ...] = ()
    notes: tuple[str, ...] = ()
    grants: tuple[OpenGrant, ...] = ()  # temporary permissions that will be taken away, or were
    left_open: tuple[AmicopyError, ...] = ()  # about those that could not be
    signal: int = 0  # that arrived while targets were removed

    @property
    def going(self) -> tuple[Target, ...]:
        """What will be removed."""
        return tuple(target for target in self.targets if target.state is TargetState.CANCEL)

    @property
    def accounts(self) -> tuple[str, ...]:
        """The accounts whose images and snapshots will be removed."""
        return tuple(sorted({target.account for target in self.going if target.account}))

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of the process."""
        lost = [one for one in self.targets if one.state is TargetState.FAILED or one.error or one.remaining_snapshots]
        protected = [target for target in self.targets if target.is_protected]
        done = [target for target in self.targets if target.state in {TargetState.CANCELLED, TargetState.GONE}]
        if any(isinstance(target.error, Interrupted) for target in self.targets):
            return ExitCode.of_signal(self.signal)
        if not lost and not protected and not self.unread and not self.left_open:
            return ExitCode.OK
        codes = {target.error.exit_code for target in lost if target.error} | {one.exit_code for one in self.unread}
        codes |= {one.exit_code for one in self.left_open}
        if not done:
            return codes.pop() if len(codes) == 1 else ExitCode.FAILED
        return ExitCode.PARTIAL


class CancelJob:
    """Finds copies in the given regions by their source's id or their own; without ids, every pending copy.

    With ``available``, finished copies too.
    """

    def __init__(
        self,
        context: Context,
        image_ids: Sequence[str],
        regions: Sequence[str],
        *,
        source_region: str | None = None,
        available: bool = False,
        copy_ids: Sequence[str] = (),
        exclude: Sequence[str] = (),
        accounts: Sequence[TargetAccount] = (),
        in_use: bool = False,
    ) -> None:
        """Resolve the regions. ``copy_ids`` are ids of copies; ``image_ids`` those of sources, or of copies elsewhere.

        With ``in_use``, copies that something uses are removed, too.

        Raises:
            UsageError: a region does not exist, or none that is enabled matches.
            RoleNotAssumed: one of ``accounts``, in which these regions are looked at too, cannot be worked in.
        """
        self._context = context
        self._image_ids = tuple(image_ids)
        self._spares_used = available and not in_use
        self._named_ids = frozenset((*image_ids, *copy_ids))
        source_region = context.source_region(source_region)
        named = context.named_regions(source_region, regions=regions, exclude=exclude)
        self._spelled_out = named.spelled_out("regions")
        self._source_region, self._known = source_region, named.known
        self._accounts = tuple(
            target.account for target in enter_accounts(context, [tuple(accounts)], source_region).targets[0]
        )
        self.destinations = tuple(
            Destination(region, account)
            for account in ("", *self._accounts)
            for region in named.resolve("regions", partial(self._regions_of, account))
        )
        self._checked = Relays(context.clients, context.with_retries).checked
        self._look: Callable[..., Found] = find_all_pending
        if image_ids or copy_ids:
            self._look = partial(find_targets, image_ids, source_region, available=available, copy_ids=copy_ids)

    def find(self) -> CancelResult:
        """Return what would go, and what would not and why; reads only."""
        looks = ((where, self._looking(where)) for where in self.destinations)
        looked = look_everywhere(looks, self._context.stop, self._spelled_out)
        self.destinations = tuple(looked.found)
        found = looked.found.items()
        targets = [replace(target, other_account=where.account) for where, one in found for target in one.targets]
        going, unknown = self._without_used(self._without_hubs(self._without_sources(targets)))
        grants, left = self._grants([grant for where, one in found if not where.account for grant in one.grants])
        return CancelResult(
            targets=going,
            unread=looked.unread,
            notes=(*looked.notes, *(note for _, one in found for note in one.notes), *unknown, *left),
            grants=grants,
        )

    def _regions_of(self, account: str) -> Mapping[str, Region] | None:
        return survey_regions(self._context.clients[Destination(self._source_region, account)])[0]

    def _grants(self, found: Sequence[OpenGrant]) -> tuple[tuple[OpenGrant, ...], tuple[str, ...]]:
        """Return the temporary permissions to take away, and notes on those that stay.

        Those of the named accounts; without accounts, those that no run can be working with anymore. A copy of an
        account that was not looked at may be in progress, and could fail without its permission. With accounts, the
        sources are looked at as well, even if their region is not one of this job.
        """
        if not self._accounts:
            now = self._context.clock.now()
            stale = tuple(grant for grant in found if grant.is_stale(now))
            return stale, tuple(kept_grant_note(grant) for grant in found if grant not in stale)
        if not self._image_ids:
            return tuple(one for one in found if one.account in self._accounts), ()
        ec2 = self._context.clients[self._source_region]
        images = self._context.with_retries(partial(ec2.describe_own_images, self._image_ids))
        sources = (
            replace(one, snapshots=tuple(ec2.describe_snapshots(one.snapshot_ids).values())) for one in images.values()
        )
        known = {(one.image_id, one.account): one for image in sources for one in open_grants(image)}
        known |= {(one.image_id, one.account): one for one in found}
        return tuple(one for one in known.values() if one.account in self._accounts), ()

    def _without_sources(self, targets: Sequence[Target]) -> tuple[Target, ...]:
        """Return the targets; an available image that is the source of other copies stays.

        Only an image that was named by its own id can be one: it is looked for in every region of this job.
        """
        clients = self._context.clients
        named = [one for one in targets if one.is_named and one.state is TargetState.CANCEL and one.snapshot_ids]
        looks = {
            (target.resource_id, where): partial(self._has_copies, target, clients[where])
            for target in named
            for where in self.destinations
        }
        sources = {image_id for (image_id, _), found in all_at_once(looks, self._context.stop).items() if found}
        reason = "it is the source of other copies, and a source is never removed"
        return tuple(
            replace(one, state=TargetState.KEEP, reason=reason) if one.resource_id in sources else one
            for one in targets
        )

    def _without_hubs(self, targets: Sequence[Target]) -> tuple[Target, ...]:
        """Return the targets; a copy from which others are being made stays, unless those are removed, too.

        Only copies that are marked as such are looked for, in every enabled region.
        """
        going = [one for one in targets if one.state is TargetState.CANCEL]
        if not any(one.is_hub and not one.other_account for one in going):
            return tuple(targets)
        context = self._context
        regions = survey_regions(context.clients[self._source_region])[0]
        names = self._known if regions is None else [name for name, region in regions.items() if region.enabled]
        removed = {(one.source, one.region) for one in going}

        def spared(target: Target) -> Target:
            reference = f"{target.region}/{target.resource_id}"
            elsewhere = [name for name in names if (target.source, name) not in removed]
            try:
                used = being_copied_to(reference, context.clients, elsewhere, context.stop, context.with_retries)
            except Interrupted:
                raise
            except AmicopyError as error:
                reason = f"it is not known whether copies in other regions are being made from it: {error.what}"
                return replace(target, state=TargetState.KEEP, reason=reason)
            if not used:
                return target
            reason = f"copies in {', '.join(used)} are being made from it; remove it once they are available"
            return replace(target, state=TargetState.KEEP, reason=reason)

        return tuple(spared(one) if one.is_hub and not one.other_account and one in going else one for one in targets)

    def _without_used(self, targets: Sequence[Target]) -> tuple[tuple[Target, ...], tuple[str, ...]]:
        """Return the targets, and where it is not known what uses them; an available copy that is in use stays."""
        finished: dict[Destination, list[str]] = {}
        for one in targets:
            if self._spares_used and one.is_finished and one.state is TargetState.CANCEL:
                finished.setdefault(one.destination, []).append(one.resource_id)
        looks = ((where, partial(self._users, where, image_ids)) for where, image_ids in finished.items())
        answers = all_at_once(looks, self._context.stop)
        ending = tuple(f":instance/{one.resource_id}" for one in targets if one.is_instance)  # of boot tests
        users = {
            image_id: left
            for found, _ in answers.values()
            for image_id, arns in found.items()
            if (left := [arn for arn in arns if not arn.endswith(ending)])
        }

        def spared(target: Target) -> Target:
            reason = f"{users_text(users[target.resource_id])} it; to remove it anyway: --in-use"
            return replace(target, state=TargetState.KEEP, is_protected=True, reason=reason)

        unknown = (
            f"{', '.join(finished[where])} in {where}: {unknown_use(error)}"
            for where, (_, error) in answers.items()
            if error
        )
        return tuple(spared(one) if one.resource_id in users else one for one in targets), tuple(unknown)

    def _users(
        self, where: Destination, image_ids: Sequence[str]
    ) -> tuple[Mapping[str, Sequence[str]], AmicopyError | None]:
        with self._context.clients.borrowed(where) as ec2:
            return users_of(ec2, image_ids, self._context.with_retries)

    def _has_copies(self, target: Target, ec2: Ec2) -> bool:
        return self._context.with_retries(partial(has_copies, target.resource_id, target.region, ec2))

    def remove(self, found: CancelResult) -> CancelResult:
        """Deregister the targets and delete their snapshots; return what became of each."""
        context = self._context
        do = {
            (target.destination, target.resource_id): partial(
                terminate_target if target.is_instance else cancel_target,
                target,
                context.clients[target.destination],
                context.clock,
                context.stop,
            )
            for target in found.targets
        }
        # The records of grants on keys are lost with the snapshots that are removed.
        of_keys = [grant for grant in found.grants if grant.key_ids]
        left = [error for grant in of_keys if (error := self._taken(grant))]
        # An interruption only ends the search for late snapshots: what was removed has to be reported.
        targets = tuple(all_at_once(do, Stop()).values())
        left += [error for grant in found.grants if grant not in of_keys and (error := self._taken(grant))]
        return replace(found, targets=targets, left_open=tuple(left), signal=context.stop.signal_number)

    def _taken(self, grant: OpenGrant) -> AmicopyError | None:
        """Take one temporary permission away; return why that failed, or None."""
        context = self._context
        access = Access(context.clients, context.clock, Grants.TEMPORARY)
        try:
            driven(context.clock, context.stop, access.take(grant), to_the_end=True)
        except AmicopyError as error:
            return left_open(Image(image_id=grant.image_id, region=grant.region), grant.account, error)
        return None

    def _looking(self, destination: Destination) -> Callable[[], Found]:
        """Return the look at one destination; its client is made now, or in another account while it is needed."""
        clients, clock = self._context.clients, self._context.clock
        if not destination.account:
            ec2 = clients[destination]
            return lambda: with_instances(self._look(ec2, checked=self._checked), self._named_ids, ec2, clock)

        def look() -> Found:
            with clients.borrowed(destination) as there:
                found = self._look(there, account=destination.account, checked=dict)
                looked = with_instances(found, self._named_ids, there, clock)
                # A role that may not look for instances has tested none there (`--check boot`): nothing to note.
                return replace(looked, notes=found.notes)

        return look
