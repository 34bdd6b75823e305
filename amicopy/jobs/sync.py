"""Applying a manifest: find the sources, copy, publish the ids, and remove the oldest copies.

Nothing is published or removed in a destination whose copy is not up to date.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from amicopy.core.errors import AmicopyError, ExitCode, Interrupted
from amicopy.core.events import CopyDone, Event
from amicopy.core.grants import Grants
from amicopy.core.request import MANIFEST
from amicopy.core.run_options import RunOptions
from amicopy.core.switch import SwitchState
from amicopy.execute.cancel import Target, TargetState
from amicopy.execute.report import Report
from amicopy.jobs.context import Context
from amicopy.jobs.copy import CopyJob
from amicopy.jobs.entries import (
    KnownEntry,
    check_entries,
    copies_as_sources,
    excused_outcomes,
    requests_of,
    with_min_success,
    with_rows,
    with_sources,
)
from amicopy.jobs.publish import (
    ParameterState,
    ParameterWrite,
    publications,
    publish_copies,
    publish_ready,
    read_parameters,
    withheld,
)
from amicopy.jobs.publish_accounts import publishing_units, unused_accounts, with_units_expanded
from amicopy.jobs.retention import outdated_copies, remove_copies
from amicopy.manifest.model import Entry
from amicopy.plan.plan import with_notes

if TYPE_CHECKING:  # few manifests ask for them
    from amicopy.jobs.fast_launch import CopyFastLaunch
    from amicopy.jobs.fast_restore import FastRestore


@dataclass(slots=True, kw_only=True)
class SyncResult:
    """What a run has done so far: copies, parameters, removed copies."""

    report: Report
    entries: tuple[KnownEntry, ...] = ()  # with the source that each was found to have
    parameter_writes: tuple[ParameterWrite, ...] = ()
    removals: tuple[Target, ...] = ()
    fast_restores: "tuple[FastRestore, ...]" = ()
    fast_launches: "tuple[CopyFastLaunch, ...]" = ()

    @property
    def switches(self) -> "tuple[FastRestore | CopyFastLaunch, ...]":
        """The features of EC2 that are switched on or off for copies."""
        return *self.fast_restores, *self.fast_launches

    @property
    def has_work(self) -> bool:
        """Whether there is something to write or to wait for."""
        return (
            self.report.plan.has_work
            or any(one.state is ParameterState.PUT for one in self.parameter_writes)
            or any(one.state is TargetState.CANCEL for one in self.removals)
            or any(one.state is SwitchState.SWITCH for one in self.switches)
        )

    @property
    def has_changed(self) -> bool:
        """Whether the run has written something, or waited for it."""
        return (
            self.report.plan.has_work
            or any(one.state is ParameterState.DONE for one in self.parameter_writes)
            or any(one.state is TargetState.CANCELLED for one in self.removals)
            or any(one.state is SwitchState.DONE for one in self.switches)
        )

    @property
    def is_waiting(self) -> bool:
        """Whether an id is still to be published, or a feature to be switched."""
        return any(one.state is ParameterState.WAITING for one in self.parameter_writes) or any(
            one.state is SwitchState.WAITING for one in self.switches
        )

    @property
    def errors(self) -> tuple[AmicopyError, ...]:
        """What went wrong after copying."""
        found = [
            *(one.error for one in self.switches),
            *(one.error for one in self.parameter_writes),
            *(one.error for one in self.removals),
        ]
        return tuple(error for error in found if error)

    @property
    def is_complete(self) -> bool:
        """Whether everything that the manifest asks for is done."""
        return self.exit_code() is ExitCode.OK and not self.report.left_behind and not self.is_waiting

    def exit_code(self) -> ExitCode:
        """Return the exit code of the process."""
        code = self.report.exit_code()
        return ExitCode.PARTIAL if code is ExitCode.OK and self.errors else code


class SyncJob:
    """Applies entries: `plan` first, then `events` to the end, then `finish`; ``sync`` is the result so far."""

    sync: SyncResult
    copying: CopyJob

    def __init__(
        self,
        context: Context,
        entries: Sequence[Entry],
        options: RunOptions | None = None,
        *,
        preflight: bool = True,
        grants: Grants = Grants.TEMPORARY,
        kms_grant: bool = False,
    ) -> None:
        """Check what can be checked without AWS.

        Raises:
            ManifestInvalid: with every entry that names what does not exist.
        """
        self.context = replace(context, spelling=MANIFEST)
        self._options = options or RunOptions()
        self._preflight = preflight
        self._grants = grants
        self._kms_grant = kms_grant
        self._entries: tuple[KnownEntry, ...] = check_entries(self.context, entries)

    def plan(self, *, may_write: bool = True) -> SyncResult:
        """Return what has to be done; reads only. ``may_write`` is False if that will not be executed.

        Raises:
            ManifestInvalid: a source is not found, or two entries ask for the same copy.
            AmicopyError: something that the run cannot do without could not be read.
        """
        entries = with_sources(self.context, self._entries, waits=may_write and self._options.wait)
        date = self.context.clock.now().strftime("%Y-%m-%d")  # paths stay the same when midnight passes
        requests = requests_of(entries, preflight=self._preflight, grants=self._grants, kms_grant=self._kms_grant)
        self.copying = CopyJob(self.context, requests, self._options, units=publishing_units(entries))
        plan = self.copying.plan(may_write=may_write)
        members = self.copying.members
        entries = with_units_expanded(entries, members)
        entries = with_rows(entries, plan)
        has_fast_launch = any(known.entry.fast_launch for known in entries)
        if has_fast_launch:
            from amicopy.jobs.fast_launch import read_fast_launches, with_windows_only

            plan = with_windows_only(entries, plan)
            entries = with_rows(entries, plan)
        self._entries = entries
        notes = [*copies_as_sources(entries), *unused_accounts(entries, members)]
        self.copying.take(with_notes(with_min_success(entries, plan), notes))
        self.sync = SyncResult(report=self.copying.report, entries=entries)
        if not self.sync.report.refused:
            self.sync.parameter_writes = read_parameters(self.context, publications(entries, date))
            self.sync.removals = self._outdated(finished=False)
            if any(known.entry.fast_restore for known in entries):
                from amicopy.jobs.fast_restore import read_fast_restores

                self.sync.fast_restores = read_fast_restores(self.context, entries)
            if has_fast_launch:
                self.sync.fast_launches = read_fast_launches(self.context, entries)
        return self.sync

    def events(self) -> Iterator[Event | None]:
        """Copy as planned; yield each event once it is in the report, and None while nothing happens.

        Ids that do not wait for other copies are published as soon as their copies are up to date.
        """
        self._publish_ready()
        for event in self.copying.events():
            yield event
            if isinstance(event, CopyDone):
                self._publish_ready()

    def _publish_ready(self) -> None:
        """Publish what is due and not published yet."""
        sync = self.sync
        if not sync.report.refused and not self.context.stop.is_set():
            sync.parameter_writes = publish_ready(
                self.context, self._entries, sync.parameter_writes, sync.report.by_key
            )

    def finish(self) -> SyncResult:
        """Switch features of EC2, publish, then remove old copies, where that can be; if interrupted, nothing."""
        sync, outcomes = self.sync, self.sync.report.by_key
        if sync.report.refused:
            sync.parameter_writes, sync.removals = tuple(map(withheld, sync.parameter_writes)), ()
            return sync
        outcomes.update({one.row.key: one for one in excused_outcomes(self._entries, outcomes)})
        removes, sync.removals = bool(sync.removals), ()
        if sync.fast_restores:
            from amicopy.jobs.fast_restore import switch_fast_restores

            sync.fast_restores = switch_fast_restores(self.context, sync.fast_restores, outcomes)
        if sync.fast_launches:
            from amicopy.jobs.fast_launch import switch_fast_launches

            sync.fast_launches = switch_fast_launches(self.context, sync.fast_launches, outcomes)
        sync.parameter_writes = publish_copies(self.context, self._entries, sync.parameter_writes, outcomes)
        if removes:
            with contextlib.suppress(Interrupted):
                sync.removals = remove_copies(self.context, self._outdated(finished=True))
        if self.context.stop.is_set():
            sync.report.signal = self.context.stop.signal_number
        return sync

    def _outdated(self, *, finished: bool) -> tuple[Target, ...]:
        return outdated_copies(
            self.context, self._entries, self.sync.report.by_key, self.sync.parameter_writes, finished=finished
        )
