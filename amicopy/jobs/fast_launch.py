"""EC2 Fast Launch of the copies that a manifest asks it for: what has to be switched, and switching it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from amicopy.core.destination import Destination, Key, as_account
from amicopy.core.errors import AmicopyError, NotFaithful, NotWindows
from amicopy.core.fast_launch import FastLaunch, FastLaunchSettings, is_recorded, record_of, recorded_settings
from amicopy.core.models import Image
from amicopy.core.parallel import all_at_once
from amicopy.core.retries import flapping, persist
from amicopy.core.steps import Work
from amicopy.core.switch import SwitchState
from amicopy.execute.fast_launch import confirm_on, enable, switch_off
from amicopy.execute.report import Outcome
from amicopy.jobs.context import Context
from amicopy.jobs.entries import KnownEntry
from amicopy.jobs.switches import CopySwitch, read_switch, record_on, switch_copies
from amicopy.plan.plan import Action, Plan, Row, with_refused_rows

if TYPE_CHECKING:  # loaded when a price is asked for
    from amicopy.aws.ec2 import Ec2
    from amicopy.core.prices import Prices


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyFastLaunch(CopySwitch):
    """EC2 Fast Launch of one copy."""

    settings: FastLaunchSettings | None  # None: it should be off, as far as amicopy switched it on
    before: FastLaunch | None = None  # what EC2 shows of the copy; None: nothing was read
    is_others: bool = False  # somebody else has switched it on

    @property
    def feature(self) -> str:
        """What is switched, for people."""
        return "fast launch"

    @property
    def words(self) -> str:
        """How it is switched, for people, with what EC2 says of the state before."""
        if self.is_others:
            return "somebody else enabled it, so it is left as it is"
        was = f" (before: {self.before.problem})" if self.before and self.before.problem else ""
        return f"on: {self.settings}{was}" if self.settings else f"off{was}"

    @property
    def gib(self) -> int:
        """GiB of the snapshots that EC2 keeps for it, at most: each of them is as large as all volumes of the copy."""
        return self.row.source.volume_gib * self.settings.target_resource_count if self.settings else 0

    def storage_per_month(self, prices: "Prices | None") -> Decimal | None:
        """Return what these snapshots cost in a month at most, in USD; None if the price is unknown."""
        from amicopy.plan.estimate import storage_of

        return storage_of(self.gib, self.region, prices) if self.gib else Decimal(0)


def with_windows_only(entries: Sequence[KnownEntry], plan: Plan) -> Plan:
    """Return the plan in which no image gets EC2 Fast Launch that does not run Windows: its row is refused."""
    refused = {
        row.key: NotWindows(
            f"EC2 Fast Launch is for Windows, and {row.source.image_id} in {row.source.region} is not Windows.",
            why=f"EC2 shows its platform as {row.source.attributes.get('PlatformDetails') or 'unknown'}; the "
            f"manifest has fast_launch for {row.region}.",
            next_step=f"Take {row.region} out of the image's fast_launch.",
        )
        for known, row in _asked(entries)
        if known.entry.fast_launch[row.region] is not None and not row.source.is_windows
    }
    return with_refused_rows(plan, refused)


def _asked(entries: Sequence[KnownEntry]) -> Iterator[tuple[KnownEntry, Row]]:
    """Yield every row for which a manifest says something about EC2 Fast Launch."""
    for known in entries:
        yield from ((known, row) for row in known.own_rows if row.region in known.entry.fast_launch)


def read_fast_launches(context: Context, entries: Sequence[KnownEntry]) -> tuple[CopyFastLaunch, ...]:
    """Return what should be done for every copy that the entries ask it for; reads only."""
    reads = {
        row.key: partial(_read, context, row, known.entry.fast_launch[row.region])
        for known, row in _asked(entries)
        if row.action is not Action.REFUSE
    }
    return tuple(all_at_once(reads, context.stop).values())


def _read(context: Context, row: Row, settings: FastLaunchSettings | None) -> CopyFastLaunch:
    state = SwitchState.KEPT if settings is None else SwitchState.SWITCH
    return read_switch(context, CopyFastLaunch(row=row, settings=settings, state=state), _compared)


def _compared(asked: CopyFastLaunch, copy: Image, ec2: "Ec2") -> CopyFastLaunch:
    """Return what should be done for a copy that is there."""
    settings, ours, recorded = asked.settings, is_recorded(copy.tags), recorded_settings(copy.tags)
    kept = replace(asked, image_id=copy.image_id, state=SwitchState.KEPT)
    if settings is None and not ours:
        return kept
    now = ec2.fast_launches.of(copy.image_id)
    kept = replace(kept, before=now, is_others=now.is_on and not ours)
    if settings is None or kept.is_others:
        return kept if kept.is_others else replace(kept, state=SwitchState.SWITCH)
    if now.problem and recorded == settings:
        # Switching it on again by itself would launch instances in every run, each of which costs money.
        return replace(kept, state=SwitchState.FAILED, error=_failed(copy, now, asked.row.destination))
    is_as_requested = now.is_on and now.has(settings) and recorded == settings
    return kept if is_as_requested else replace(kept, state=SwitchState.SWITCH)


def _failed(copy: Image, now: FastLaunch, where: Destination) -> AmicopyError:
    return NotFaithful(
        f"EC2 Fast Launch of {copy.image_id} in {where} failed.",
        why=f"EC2 reports that {now.problem}.",
        next_step="Fix what EC2 reports. Then change the settings in the manifest, or disable "
        f"it{as_account(where.account)}: aws ec2 disable-fast-launch --image-id {copy.image_id} "
        f"--region {copy.region} (the next run enables it again).",
    )


def switch_fast_launches(
    context: Context, found: Sequence[CopyFastLaunch], outcomes: Mapping[Key, Outcome]
) -> tuple[CopyFastLaunch, ...]:
    """Switch it for the copies that are up to date; return all with what was done."""
    return switch_copies(context, found, outcomes, _switched)


def _switched(context: Context, asked: CopyFastLaunch) -> Work[CopyFastLaunch]:
    """Look at the copy again, record how it will be, and switch it."""
    ec2, clock = context.clients[asked.region], context.clock
    copy = yield from persist(flapping(clock), partial(ec2.own_image, asked.image_id))
    one = yield from persist(flapping(clock), partial(_compared, asked, copy, ec2))
    if one.state is not SwitchState.SWITCH:
        return one
    if one.settings is None:
        yield from switch_off(ec2, clock, copy.image_id, cleaned_up=False)
        yield from _record(ec2, context, copy, None)
        return replace(one, state=SwitchState.DONE)
    assert one.before is not None  # it was looked at a moment ago
    if is_recorded(copy.tags):  # a change: the record of it comes after the call, so that a killed run is repeated
        yield from enable(ec2, clock, copy.image_id, one.settings, one.before)
        yield from _record(ec2, context, copy, one.settings)
    else:
        yield from _record(ec2, context, copy, one.settings)
        yield from enable(ec2, clock, copy.image_id, one.settings, one.before)
    yield from confirm_on(ec2, clock, copy.image_id, one.settings)
    return replace(one, state=SwitchState.DONE)


def _record(ec2: "Ec2", context: Context, copy: Image, settings: FastLaunchSettings | None) -> Work[None]:
    tags = record_of(settings)
    if any(copy.tags.get(key) != value for key, value in tags.items()):
        yield from record_on(ec2, context, copy, tags)
