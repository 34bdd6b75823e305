"""Boot tests of copies: `find` looks and checks, `run` launches an instance of each and reports how its start ended."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from amicopy.aws.ec2 import Ec2
from amicopy.core.accounts import TargetAccount
from amicopy.core.boot import BOOT_TAG, BootOptions, BootResult, boot_problem, check_subnet_places
from amicopy.core.destination import Destination
from amicopy.core.durations import length_text
from amicopy.core.errors import (
    AmicopyError,
    BootFailed,
    ExitCode,
    ImageNotFound,
    ImageUnavailable,
    Interrupted,
    UsageError,
)
from amicopy.core.lineage import is_ours, source_of
from amicopy.core.models import Image, ImageState, Region
from amicopy.core.parallel import Stop, all_at_once
from amicopy.core.regions import NamedRegions, is_pattern
from amicopy.core.retries import driven
from amicopy.execute.boot import boot, check_subnet, chosen_type
from amicopy.jobs.accounts import enter_accounts
from amicopy.jobs.context import Context
from amicopy.plan.boot import is_abandoned, launch
from amicopy.survey.closed_regions import look_everywhere
from amicopy.survey.destinations import look_up, survey_regions


@dataclass(frozen=True, slots=True, kw_only=True)
class BootTarget:
    """One image to test, or that was tested."""

    image: Image
    source: str  # ``REGION/AMI``; its own reference if it is no copy
    account: str = ""  # another one than that of the credentials
    instance_type: str = ""
    result: BootResult | None = None
    error: AmicopyError | None = None

    @property
    def destination(self) -> Destination:
        """Where it is."""
        return Destination(self.image.region, self.account)

    @property
    def place(self) -> str:
        """Where it is, as people read it."""
        return str(self.destination)

    @property
    def is_due(self) -> bool:
        """Whether it is still to be tested."""
        return self.result is None and self.error is None

    @property
    def passed(self) -> bool:
        """Whether it has passed."""
        return self.result is not None and self.result.passed


@dataclass(frozen=True, slots=True, kw_only=True)
class BootReport:
    """What will be tested, or how the tests ended, and why regions could not be read or have nothing to test.

    After `BootJob.run`, ``unread`` also has why leftovers could not be terminated.
    """

    targets: tuple[BootTarget, ...]
    leftovers: tuple[tuple[Destination, str], ...] = ()  # where, and the instance: what killed runs have left
    unread: tuple[AmicopyError, ...] = ()
    notes: tuple[str, ...] = ()
    stopped: ExitCode | None = None  # the exit code for a signal that arrived while images were worked on

    @property
    def due(self) -> tuple[BootTarget, ...]:
        """What is still to be tested."""
        return tuple(target for target in self.targets if target.is_due)

    @property
    def refused(self) -> tuple[AmicopyError, ...]:
        """Why nothing should be launched; all of it, before anything is."""
        return tuple(target.error for target in self.targets if target.error)

    @property
    def interruption(self) -> Interrupted | None:
        """That a signal has ended the tests, and what became of their instances; None if none did."""
        if self.stopped is None:
            return None
        results = [target.result for target in self.targets if target.result]
        if any(result.is_left for result in results):
            words = "Interrupted; an instance could not be terminated."
        else:
            launched = any(result.instance_id for result in results)
            words = f"Interrupted; {'the instances are terminated' if launched else 'no instance is left running'}."
        return Interrupted(words, next_step="Run the same command again.")

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of the process."""
        if self.stopped is not None:
            return self.stopped
        errors = [*(target.error for target in self.targets if target.error), *self.unread]
        failed = [target for target in self.targets if not target.passed and not target.is_due]
        if not failed and not errors:
            return ExitCode.OK
        if any(target.passed for target in self.targets):
            return ExitCode.PARTIAL
        codes = {error.exit_code for error in errors}
        return codes.pop() if len(codes) == 1 else ExitCode.FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class _Region:
    """What there is in one region of an account."""

    targets: tuple[BootTarget, ...]
    leftovers: tuple[tuple[Destination, str], ...]
    unfinished: Mapping[str, Sequence[Image]]  # by id of the source: its copies that cannot be launched


class BootJob:
    """Tests AMIs, or the copies of AMIs, in the given regions."""

    def __init__(
        self,
        context: Context,
        image_ids: Sequence[str],
        regions: Sequence[str],
        options: BootOptions | None = None,
        *,
        source_region: str | None = None,
        exclude: Sequence[str] = (),
        accounts: Sequence[TargetAccount] = (),
    ) -> None:
        """Check the options and resolve the regions, in the account of the credentials and in each of ``accounts``.

        Raises:
            UsageError: an option is not valid, a region does not exist, or none that is enabled matches.
            RoleNotAssumed: one of ``accounts`` cannot be worked in.
        """
        self._context = context
        self._options = options or BootOptions()
        if problem := boot_problem(self._options):
            raise UsageError(f"The boot test cannot run: {problem}.")
        self._image_ids = tuple(dict.fromkeys(image_ids))
        self.source_region = context.source_region(source_region)
        subnets = [where.rpartition("/")[2] for where, _ in self._options.subnets if where]
        named = context.named_regions(self.source_region, regions=regions, exclude=exclude, subnets=subnets)
        self._spelled_out = named.spelled_out("regions")
        if not any(map(is_pattern, named["regions"])) and not any(target.unit for target in accounts):
            self._check_subnets(self._destinations(named, accounts))  # before AWS is asked
        entered = enter_accounts(context, [tuple(accounts)], self.source_region).targets[0]
        self.destinations = self._destinations(named, entered)
        self._check_subnets(self.destinations)

    def _destinations(self, named: NamedRegions, accounts: Sequence[TargetAccount]) -> tuple[Destination, ...]:
        return tuple(
            Destination(region, account)
            for account in ("", *(target.account for target in accounts))
            for region in named.resolve("regions", partial(self._regions_of, account))
        )

    def _regions_of(self, account: str) -> Mapping[str, Region] | None:
        ec2 = self._context.clients[Destination(self.source_region, account)]
        return self._context.with_retries(partial(survey_regions, ec2))[0]

    def _check_subnets(self, destinations: Sequence[Destination]) -> None:
        check_subnet_places(self._options, destinations, self._context.spelling.get("subnets", "subnets"))

    def find(self) -> BootReport:
        """Return what would be tested, with everything that EC2 says before a launch; reads only.

        Raises:
            ImageNotFound: an AMI is in none of the regions, and no copy of it is.
        """
        looks = ((where, self._looking(where)) for where in self.destinations)
        looked = look_everywhere(looks, self._context.stop, self._spelled_out)
        targets = tuple(target for one in looked.found.values() for target in one.targets)
        known = {image_id for one in targets for image_id in (one.image.image_id, one.source.partition("/")[2])}
        missing = tuple(image_id for image_id in self._image_ids if image_id not in known)
        if missing and not looked.unread:
            there = looked.found.values()
            copies = [copy for one in there for image_id in missing for copy in one.unfinished[image_id]]
            places = ", ".join(map(str, self.destinations))
            raise ImageNotFound(
                f"{', '.join(missing)} is not in {places}, and there is no copy of it that can be launched.",
                image_ids=missing,
                why=_states(copies) or "It does not exist there.",
                next_step="Check the ids and the regions (amicopy status AMI).",
            )
        return BootReport(
            targets=targets,
            leftovers=tuple(left for one in looked.found.values() for left in one.leftovers),
            unread=(*looked.unread, *_absent(self._image_ids, self.source_region, looked.found, self._spelled_out)),
            notes=looked.notes,
        )

    def _looking(self, where: Destination) -> Callable[[], _Region]:
        """Return the look at one destination; its client is made now, or in another account while it is needed."""
        clients = self._context.clients
        if not where.account:
            return partial(self._look, where, clients[where])

        def look() -> _Region:
            try:
                with clients.borrowed(where) as ec2:
                    return self._look(where, ec2)
            except AmicopyError as error:
                raise error.with_detail(f"in {where}") from error

        return look

    def _look(self, where: Destination, ec2: Ec2) -> _Region:
        """Return what one destination has to test. In another account that is nothing but what the account owns."""
        context, now = self._context, self._context.clock.now
        copies = look_up(self.source_region, self._image_ids, ec2, context.stop, context.with_retries)
        describe = ec2.describe_own_images if where.account else ec2.describe_images
        named = context.with_retries(partial(describe, self._image_ids))
        every = context.with_retries(partial(ec2.instances.find, BOOT_TAG))
        left = tuple((where, one.instance_id) for one in every if is_abandoned(one, now()))
        targets = [BootTarget(image=image, source=image.reference) for image in named.values()]
        unfinished: dict[str, list[Image]] = {}
        for image_id in self._image_ids:
            source = Image(image_id=image_id, region=self.source_region)
            its_copies = [one for one in copies.values() if source_of(one) == source.reference]
            targets += _chosen(source, its_copies)
            unfinished[image_id] = [one for one in its_copies if one.state is not ImageState.AVAILABLE]
        checked = tuple(self._checked(replace(target, account=where.account), ec2) for target in targets)
        return _Region(targets=checked, leftovers=left, unfinished=unfinished)

    def _checked(self, target: BootTarget, ec2: Ec2) -> BootTarget:
        """Return the target with the type of its instance, or why it cannot be launched."""
        image, where, retry = target.image, target.destination, self._context.with_retries
        options = self._options.for_destination(where)
        try:
            _check_state(target)
            instance_type = retry(partial(chosen_type, image, where, options, ec2.instances))
            retry(partial(check_subnet, where, options, ec2.instances))
            parameters = launch(image, instance_type, options, 0)
            if error := retry(partial(ec2.instances.may_not_run, parameters)):
                raise error
        except AmicopyError as error:
            return replace(target, error=error.with_detail(f"in {where}") if where.account else error)
        return replace(target, instance_type=instance_type)

    def run(self, found: BootReport) -> BootReport:
        """Terminate what killed runs have left, and test what is due; return how each test ended."""
        left = [error for where, instance_id in found.leftovers if (error := self._terminated(where, instance_id))]
        do = {(one.destination, one.image.image_id): partial(self._test, one) for one in found.targets}
        targets = tuple(all_at_once(do, Stop()).values())
        stopped = self._context.stop.exit_code
        return replace(found, targets=targets, unread=(*found.unread, *left), stopped=stopped)

    def _terminated(self, where: Destination, instance_id: str) -> AmicopyError | None:
        """Terminate what a killed run has left; return why that failed, or None."""
        context = self._context
        try:
            with context.clients.borrowed(where) as ec2:
                context.with_retries(partial(ec2.instances.terminate, [instance_id]))
        except Interrupted:
            return None  # the next run does it
        except AmicopyError as error:
            return error.with_detail(f"{instance_id} in {where}, left by a killed run, is still running")
        return None

    def _test(self, target: BootTarget) -> BootTarget:
        context, image = self._context, target.image
        if not target.is_due or context.stop.is_set():
            return target
        begun, where = context.clock.now(), target.destination
        running: set[str] = set()
        launched = ""

        def tell(instance_id: str) -> None:
            nonlocal launched
            launched = instance_id
            context.say(f"testing {image.image_id} in {where} with the instance {instance_id}")

        deadline = begun + self._options.timeout
        instances = context.clients[where].instances
        work = boot(image, where, self._options, instances, context.clock, deadline, running=running, tell=tell)
        try:
            result = driven(context.clock, context.stop, work)
        except Interrupted:
            work.close()  # this terminates the instance
            result = BootResult(
                passed=False,
                ending="was interrupted",
                instance_id=launched or min(running, default=""),
                instance_type=target.instance_type,
                seconds=(context.clock.now() - begun).total_seconds(),
                is_left=bool(running),
                interrupted=True,
            )
            return replace(target, result=result)
        except AmicopyError as error:
            context.say(f"failed: {image.image_id} in {where}")
            return replace(target, error=error.with_detail(f"in {where}") if where.account else error)
        finally:
            work.close()
            context.clients.release(where)
        after = length_text(timedelta(seconds=round(result.seconds)))
        context.say(f"{'passed' if result.passed else 'failed'}: {image.image_id} in {where} after {after}")
        return replace(target, result=result, error=None if result.passed else _not_passed(target, result))


def _chosen(source: Image, copies: Sequence[Image]) -> list[BootTarget]:
    """Return the copy to test: ours before others', the newest."""
    finished = [one for one in copies if one.state is ImageState.AVAILABLE]
    ordered = sorted(finished, key=lambda one: (is_ours(source, one), one.created_at, one.image_id), reverse=True)
    return [BootTarget(image=one, source=source.reference) for one in ordered[:1]]


def _absent(
    image_ids: Sequence[str], source_region: str, found: Mapping[Destination, _Region], named: Collection[str]
) -> Iterator[AmicopyError]:
    """Yield an error for each region that was named and has nothing to test for some image.

    A copy that was named itself is expected only where it is. One that is in another account is not expected in that of
    the credentials, which is looked at unasked.
    """
    itself = {
        one.image.image_id: where
        for where, region in found.items()
        for one in region.targets
        if one.image.image_id in image_ids and where != Destination(source_region)
    }
    for where, region in found.items():
        if where.region not in named:
            continue
        there = {one for target in region.targets for one in (target.image.image_id, target.source.partition("/")[2])}
        excused = {one for one, at in itself.items() if region.targets or (at.account and not where.account)}
        absent = [one for one in image_ids if one not in there and one not in excused]
        if absent:
            copies = [copy for image_id in absent for copy in region.unfinished[image_id]]
            yield ImageNotFound(
                f"{', '.join(absent)} is not in {where}, and there is no copy of it that can be launched.",
                image_ids=tuple(absent),
                why=_states(copies) or "It was not copied there.",
                next_step=f"Copy it there and wait for the copy, or leave {'it' if where.account else 'the region'} out"
                f" of {'--account' if where.account else '--in'}.",
            )


def _states(copies: Sequence[Image]) -> str:
    """Return what keeps these copies from being launched, as a sentence; empty if there are none."""
    if not copies:
        return ""
    reasons = (f" ({one.state_reason})" if one.state_reason else "" for one in copies)
    states = (f"{one.image_id} in {one.region} is {one.state}" for one in copies)
    return f"{'; '.join(state + reason for state, reason in zip(states, reasons, strict=True))}."


def _check_state(target: BootTarget) -> None:
    image = target.image
    if image.state is not ImageState.AVAILABLE:
        raise ImageUnavailable(
            f"{image.image_id} in {target.place} is {image.state}.", why="Only an available AMI can be launched."
        )


def _not_passed(target: BootTarget, result: BootResult) -> BootFailed:
    error = BootFailed(
        f"{target.image.image_id} in {target.place} did not pass its boot test.",
        why=f"The instance {result.instance_id} ({result.instance_type}) {result.ending}.",
        next_step="See the end of its console output. To give it more time: --timeout; another type: --instance-type.",
    )
    for line in result.console:
        error = error.with_detail(line)
    return error
