"""Cancelling copies: `find` looks, `remove` removes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from amicopy.aws.ec2 import Ec2
from amicopy.core.errors import AmicopyError, ExitCode, Interrupted
from amicopy.core.parallel import Stop, all_at_once
from amicopy.core.regions import NamedRegions
from amicopy.execute.cancel import Target, TargetState, cancel_target, find_all_pending, find_targets, has_copies
from amicopy.jobs.context import Context
from amicopy.survey.destinations import closed_note, is_closed, survey_regions


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelResult:
    """What will be removed, or what became of it, and why regions could not be read."""

    targets: tuple[Target, ...]
    unread: tuple[AmicopyError, ...] = ()
    notes: tuple[str, ...] = ()
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
        lost = [target for target in self.targets if target.state is TargetState.FAILED or target.remaining_snapshots]
        protected = [target for target in self.targets if target.is_protected]
        done = [target for target in self.targets if target.state in {TargetState.CANCELLED, TargetState.GONE}]
        if any(isinstance(target.error, Interrupted) for target in self.targets):
            return ExitCode.of_signal(self.signal)
        if not lost and not protected and not self.unread:
            return ExitCode.OK
        codes = {target.error.exit_code for target in lost if target.error} | {one.exit_code for one in self.unread}
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
    ) -> None:
        """Resolve the regions. ``copy_ids`` are ids of copies; ``image_ids`` those of sources, or of copies elsewhere.

        Raises:
            UsageError: a region does not exist, or none that is enabled matches.
        """
        self._context = context
        source_region = context.source_region(source_region)
        fields = {"regions": regions, "exclude": exclude}
        named = NamedRegions(context.session.partitions, source_region, fields, context.spelling)
        self._spelled_out = named.spelled_out("regions")
        self.regions = named.resolve("regions", lambda: survey_regions(context.clients[source_region])[0])
        self._look: Callable[[Ec2], tuple[Target, ...]] = find_all_pending
        if image_ids or copy_ids:
            self._look = partial(find_targets, image_ids, source_region, available=available, copy_ids=copy_ids)

    def find(self) -> CancelResult:
        """Return what would go, and what would not and why; reads only."""
        clients = self._context.clients
        looks = ((region, partial(self._looked, clients[region])) for region in self.regions)
        found = all_at_once(looks, self._context.stop)
        read = {region: one for region, one in found.items() if not isinstance(one, AmicopyError)}
        unread = {region: one for region, one in found.items() if isinstance(one, AmicopyError)}
        closed = [region for region, error in unread.items() if read and is_closed(region, error, self._spelled_out)]
        self.regions = tuple(read)
        return CancelResult(
            targets=self._without_sources([target for one in read.values() for target in one]),
            unread=tuple(error for region, error in unread.items() if region not in closed),
            notes=(closed_note(closed),) if closed else (),
        )

    def _without_sources(self, targets: Sequence[Target]) -> tuple[Target, ...]:
        """Return the targets; an available image that is the source of other copies stays.

        Only an image that was named by its own id can be one: it is looked for in every region of this job.
        """
        clients = self._context.clients
        named = [one for one in targets if one.is_named and one.state is TargetState.CANCEL and one.snapshot_ids]
        looks = {
            (target.resource_id, region): partial(self._has_copies, target, clients[region])
            for target in named
            for region in self.regions
        }
        sources = {image_id for (image_id, _), found in all_at_once(looks, self._context.stop).items() if found}
        reason = "it is the source of other copies, and a source is never removed"
        return tuple(
            replace(one, state=TargetState.KEEP, reason=reason) if one.resource_id in sources else one
            for one in targets
        )

    def _has_copies(self, target: Target, ec2: Ec2) -> bool:
        return self._context.with_retries(partial(has_copies, target.resource_id, target.region, ec2))

    def remove(self, found: CancelResult) -> CancelResult:
        """Deregister the targets and delete their snapshots; return what became of each."""
        context = self._context
        do = {
            (target.region, target.resource_id): partial(
                cancel_target, target, context.clients[target.region], context.clock, context.stop
            )
            for target in found.targets
        }
        # An interruption only ends the search for late snapshots: what was removed has to be reported.
        targets = tuple(all_at_once(do, Stop()).values())
        return replace(found, targets=targets, signal=context.stop.signal_number)

    def _looked(self, ec2: Ec2) -> tuple[Target, ...] | AmicopyError:
        """Return what is in one region, or why that could not be read."""
        try:
            return self._look(ec2)
        except AmicopyError as error:
            return error
