"""Boot tests of copies: `find` looks and checks, `run` launches an instance of each and reports how its start ended."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from amicopy.aws.ec2 import Ec2
from amicopy.core.boot import BOOT_TAG, BootOptions, BootResult, boot_problem, check_subnet_regions
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
from amicopy.core.models import Image, ImageState
from amicopy.core.parallel import Stop, all_at_once
from amicopy.core.retries import driven
from amicopy.execute.boot import boot, check_subnet, chosen_type
from amicopy.jobs.context import Context
from amicopy.plan.boot import is_abandoned, launch
from amicopy.survey.closed_regions import look_everywhere
from amicopy.survey.destinations import look_up, survey_regions


@dataclass(frozen=True, slots=True, kw_only=True)
class BootTarget:
    """One image to test, or that was tested."""

    image: Image
    source: str  # ``REGION/AMI``; its own reference if it is no copy
    instance_type: str = ""
    result: BootResult | None = None
    error: AmicopyError | None = None

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
    """What will be tested, or how the tests ended, and why regions could not be read or have nothing to test."""

    targets: tuple[BootTarget, ...]
    leftovers: tuple[tuple[str, str], ...] = ()  # region and instance: what killed runs have left
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
    """What there is in one region."""

    targets: tuple[BootTarget, ...]
    leftovers: tuple[tuple[str, str], ...]
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
    ) -> None:
        """Check the options and resolve the regions.

        Raises:
            UsageError: an option is not valid, a region does not exist, or none that is enabled matches.
        """
        self._context = context
        self._options = options or BootOptions()
        if problem := boot_problem(self._options):
            raise UsageError(f"The boot test cannot be made: {problem}.")
        self._image_ids = tuple(dict.fromkeys(image_ids))
        self.source_region = context.source_region(source_region)
        subnets = [region for region, _ in self._options.subnets if region]
        named = context.named_regions(self.source_region, regions=regions, exclude=exclude, subnets=subnets)
        self._spelled_out = named.spelled_out("regions")
        ask = partial(survey_regions, context.clients[self.source_region])
        self.regions = named.resolve("regions", lambda: context.with_retries(ask)[0])
        check_subnet_regions(self._options, self.regions, context.spelling.get("subnets", "subnets"))

    def find(self) -> BootReport:
        """Return what would be tested, with everything that EC2 says before a launch; reads only.

        Raises:
            ImageNotFound: an AMI is in none of the regions, and no copy of it is.
        """
        clients = self._context.clients
        looks = ((Destination(region), partial(self._look, clients[region])) for region in self.regions)
        looked = look_everywhere(looks, self._context.stop, self._spelled_out)
        targets = tuple(target for one in looked.found.values() for target in one.targets)
        known = {image_id for one in targets for image_id in (one.image.image_id, one.source.partition("/")[2])}
        missing = tuple(image_id for image_id in self._image_ids if image_id not in known)
        regions = {where.region: one for where, one in looked.found.items()}
        if missing and not looked.unread:
            copies = [copy for one in regions.values() for image_id in missing for copy in one.unfinished[image_id]]
            raise ImageNotFound(
                f"{', '.join(missing)} is not in {', '.join(self.regions)}, nor is a copy of it that can be launched.",
                image_ids=missing,
                why=_states(copies) or "It does not exist there.",
                next_step="Check the ids and the regions (amicopy status AMI).",
            )
        return BootReport(
            targets=targets,
            leftovers=tuple(left for one in looked.found.values() for left in one.leftovers),
            unread=(*looked.unread, *_absent(self._image_ids, self.source_region, regions, self._spelled_out)),
            notes=looked.notes,
        )

    def _look(self, ec2: Ec2) -> _Region:
        """Return what one region has to test."""
        context, now = self._context, self._context.clock.now
        copies = look_up(self.source_region, self._image_ids, ec2, context.stop, context.with_retries)
        named = context.with_retries(partial(ec2.describe_images, self._image_ids))
        every = context.with_retries(partial(ec2.instances.find, BOOT_TAG))
        left = tuple((ec2.region, one.instance_id) for one in every if is_abandoned(one, now()))
        targets = [BootTarget(image=image, source=image.reference) for image in named.values()]
        unfinished: dict[str, list[Image]] = {}
        for image_id in self._image_ids:
            source = Image(image_id=image_id, region=self.source_region)
            its_copies = [one for one in copies.values() if source_of(one) == source.reference]
            targets += _chosen(source, its_copies)
            unfinished[image_id] = [one for one in its_copies if one.state is not ImageState.AVAILABLE]
        checked = tuple(self._checked(target, ec2) for target in targets)
        return _Region(targets=checked, leftovers=left, unfinished=unfinished)

    def _checked(self, target: BootTarget, ec2: Ec2) -> BootTarget:
        """Return the target with the type of its instance, or why it cannot be launched."""
        image, options, retry = target.image, self._options, self._context.with_retries
        try:
            _check_state(image)
            instance_type = retry(partial(chosen_type, image, options, ec2.instances))
            retry(partial(check_subnet, image.region, options, ec2.instances))
            parameters = launch(image, instance_type, options, 0)
            if error := retry(partial(ec2.instances.may_not_run, parameters)):
                raise error
        except AmicopyError as error:
            return replace(target, error=error)
        return replace(target, instance_type=instance_type)

    def run(self, found: BootReport) -> BootReport:
        """Terminate what killed runs have left, and test what is due; return how each test ended."""
        clients = self._context.clients
        for region, instance_id in found.leftovers:
            clients[region].instances.terminate([instance_id])
        do = {(one.image.region, one.image.image_id): partial(self._test, one) for one in found.targets}
        targets = tuple(all_at_once(do, Stop()).values())
        return replace(found, targets=targets, stopped=self._context.stop.exit_code)

    def _test(self, target: BootTarget) -> BootTarget:
        context, image = self._context, target.image
        if not target.is_due or context.stop.is_set():
            return target
        begun, instances = context.clock.now(), context.clients[image.region].instances
        running: set[str] = set()
        launched = ""

        def tell(instance_id: str) -> None:
            nonlocal launched
            launched = instance_id
            context.say(f"testing {image.image_id} in {image.region} with the instance {instance_id}")

        deadline = begun + self._options.timeout
        work = boot(image, self._options, instances, context.clock, deadline, running=running, tell=tell)
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
            context.say(f"failed: {image.image_id} in {image.region}")
            return replace(target, error=error)
        finally:
            work.close()
        after = length_text(timedelta(seconds=round(result.seconds)))
        context.say(f"{'passed' if result.passed else 'failed'}: {image.image_id} in {image.region} after {after}")
        return replace(target, result=result, error=None if result.passed else _not_passed(image, result))


def _chosen(source: Image, copies: Sequence[Image]) -> list[BootTarget]:
    """Return the copy to test: ours before others', the newest."""
    finished = [one for one in copies if one.state is ImageState.AVAILABLE]
    ordered = sorted(finished, key=lambda one: (is_ours(source, one), one.created_at, one.image_id), reverse=True)
    return [BootTarget(image=one, source=source.reference) for one in ordered[:1]]


def _absent(
    image_ids: Sequence[str], source_region: str, found: Mapping[str, _Region], named: Collection[str]
) -> Iterator[AmicopyError]:
    """Yield an error for each region that was named and has nothing to test for some image.

    A copy that was named itself is expected only where it is.
    """
    elsewhere = {
        one.image.image_id
        for region in found.values()
        for one in region.targets
        if one.image.image_id in image_ids and one.image.region != source_region
    }
    for name, region in found.items():
        if name not in named:
            continue
        there = {one for target in region.targets for one in (target.image.image_id, target.source.partition("/")[2])}
        absent = [one for one in image_ids if one not in there and (one not in elsewhere or not region.targets)]
        if absent:
            copies = [copy for image_id in absent for copy in region.unfinished[image_id]]
            yield ImageNotFound(
                f"{', '.join(absent)} is not in {name}, nor is a copy of it that can be launched.",
                image_ids=tuple(absent),
                why=_states(copies) or "It was not copied there.",
                next_step="Copy it there and wait for the copy, or leave the region out of --in.",
            )


def _states(copies: Sequence[Image]) -> str:
    """Return what keeps these copies from being launched, as a sentence; empty if there are none."""
    if not copies:
        return ""
    reasons = (f" ({one.state_reason})" if one.state_reason else "" for one in copies)
    states = (f"{one.image_id} in {one.region} is {one.state}" for one in copies)
    return f"{'; '.join(state + reason for state, reason in zip(states, reasons, strict=True))}."


def _check_state(image: Image) -> None:
    if image.state is not ImageState.AVAILABLE:
        raise ImageUnavailable(
            f"{image.image_id} in {image.region} is {image.state}.", why="Only an available AMI can be launched."
        )


def _not_passed(image: Image, result: BootResult) -> BootFailed:
    error = BootFailed(
        f"{image.image_id} in {image.region} did not pass its boot test.",
        why=f"The instance {result.instance_id} ({result.instance_type}) {result.ending}.",
        next_step="See the end of its console output. To give it more time: --timeout; another type: --instance-type.",
    )
    for line in result.console:
        error = error.with_detail(line)
    return error
