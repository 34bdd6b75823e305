"""``amicopy cancel``: find, ask, remove, tell.

Refuses to remove anything that a person, or --yes, has not agreed to.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import click

from amicopy.caller import Calls
from amicopy.cancel import Fate, Target, cancel_target, find_all_pending, find_targets
from amicopy.cli.connecting import run_connected, source_region_of
from amicopy.cli.regions import NamedRegions
from amicopy.cli.runtime import Runtime
from amicopy.cli.signals import interruptible
from amicopy.cli.telling import say, to_stdout
from amicopy.errors import AmicopyError, ExitCode, Interrupted, UsageError
from amicopy.gateway import Gateway, Gateways
from amicopy.parallel import Stop, all_at_once
from amicopy.render.cancelled import cancel_document, target_lines, write_targets
from amicopy.render.results import write_json
from amicopy.render.words import counted, error_lines
from amicopy.session import Session
from amicopy.survey import survey_regions


def cancel(runtime: Runtime, **options: Any) -> int:
    """Run ``amicopy cancel`` with its parsed options; return the exit code."""
    return run_connected("cancel", runtime, options, lambda session: _cancel(runtime, session, options))


def _cancel(runtime: Runtime, session: Session, options: Mapping[str, Any]) -> int:
    home = source_region_of(session, options["source_region"])
    named = NamedRegions(session, home, {"--in": options["regions"]})
    gateways = Gateways(session, Calls())
    regions = named.places("--in", partial(_regions, gateways, home))
    look: Callable[[Gateway], tuple[Target, ...]] = find_all_pending
    if not options["all_pending"]:
        look = partial(find_targets, options["image_ids"], home, available=options["available"])
    found = all_at_once({region: partial(_looked, look, gateways[region]) for region in regions}, runtime.stop)
    unread = [one for one in found.values() if isinstance(one, AmicopyError)]
    targets = [target for one in found.values() if not isinstance(one, AmicopyError) for target in one]
    going = [target for target in targets if target.fate is Fate.CANCEL]
    if not options["quiet"]:
        say(target_lines(targets))
    if not targets and not unread and not options["quiet"]:
        what = "of " + ", ".join(options["image_ids"]) if options["image_ids"] else "with our tag"
        say([f"nothing to cancel: no copy {what} is to go in {', '.join(regions)}"])
    if going and not options["dry_run"]:
        if not options["yes"] and not _agreed(going):
            say(["nothing was removed"])
            return ExitCode.FAILED
        do = {
            (target.region, target.resource_id): partial(
                cancel_target, target, gateways[target.region], runtime.clock, runtime.stop
            )
            for target in targets
        }
        # Interrupted it only stops looking for late snapshots: what was removed is to be told.
        targets = list(all_at_once(do, Stop()).values())
    return _tell(targets, unread, options)


def _looked(look: Callable[[Gateway], tuple[Target, ...]], gateway: Gateway) -> tuple[Target, ...] | AmicopyError:
    """Return what is in one region, or why that could not be seen: the others go on."""
    try:
        return look(gateway)
    except AmicopyError as error:
        return error


def _regions(gateways: Gateways, home: str) -> Any:
    regions, _ = survey_regions(gateways[home])
    return regions


def _agreed(going: Sequence[Target]) -> bool:
    """Ask the person at the terminal; Ctrl-C and Ctrl-D mean no."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            "There is nobody to ask, so nothing was removed.",
            why="Without a terminal cancel removes only what it was told to remove without asking.",
            next_step="Look with --dry-run, then run it with --yes.",
        )
    try:
        with interruptible():
            return click.confirm(f"Remove {counted(len(going), 'of them', 'of them')}?", err=True)
    except click.Abort as error:
        raise Interrupted("Interrupted; nothing was removed.") from error


def _tell(targets: Sequence[Target], unread: Sequence[AmicopyError], options: Mapping[str, Any]) -> int:
    code = _exit_code(targets, unread)
    if options["output"] == "json":
        written = to_stdout(partial(write_json, cancel_document(targets, unread, code)))
    else:
        written = to_stdout(partial(write_targets, targets, options["output"]))
    for error in unread:
        say(error_lines(error))
    for target in targets:
        if target.error:
            say(error_lines(target.error))
        for snapshot_id in target.kept:
            say([f"error: {snapshot_id} in {target.region} is still there, {target.snapshots[snapshot_id]}"])
    return int(code or written)


def _exit_code(targets: Sequence[Target], unread: Sequence[AmicopyError]) -> ExitCode:
    lost = [target for target in targets if target.fate is Fate.FAILED or target.kept]
    spared = [target for target in targets if target.fate is Fate.SPARE and "protection" in target.reason]
    done = [target for target in targets if target.fate in {Fate.CANCELLED, Fate.GONE}]
    if not lost and not spared and not unread:
        return ExitCode.OK
    codes = {target.error.exit_code for target in lost if target.error} | {error.exit_code for error in unread}
    if not done:
        return codes.pop() if len(codes) == 1 else ExitCode.FAILED
    return ExitCode.PARTIAL
