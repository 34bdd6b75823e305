"""Features of EC2 that a manifest switches on or off for its copies: what is the same for each of them.

What somebody else has switched on is left alone: it is neither recorded on the copy nor ever changed or switched off.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from amicopy.core.destination import Key
from amicopy.core.errors import AmicopyError, Interrupted
from amicopy.core.models import Image
from amicopy.core.parallel import Stop, all_at_once
from amicopy.core.retries import driven
from amicopy.core.steps import Work
from amicopy.core.switch import SwitchState
from amicopy.core.write import Write, WriteOperation, tag_list
from amicopy.execute.paced_write import paced_write
from amicopy.execute.report import Outcome
from amicopy.jobs.context import Context
from amicopy.plan.plan import Action, Row

if TYPE_CHECKING:
    from amicopy.aws.ec2 import Ec2

_THERE = {Action.UPDATE, Action.UNCHANGED}


@dataclass(frozen=True, slots=True, kw_only=True)
class CopySwitch:
    """A feature of EC2 for one copy."""

    row: Row
    image_id: str = ""  # empty while the copy is still to be made
    state: SwitchState = SwitchState.SWITCH
    error: AmicopyError | None = None

    @property
    def region(self) -> str:
        """The copy's region."""
        return self.row.region


_Switch = TypeVar("_Switch", bound=CopySwitch)


def read_switch(context: Context, asked: _Switch, compared: Callable[[_Switch, Image, "Ec2"], _Switch]) -> _Switch:
    """Return what should be done for one copy, as ``compared`` finds it if the copy is there; reads only."""
    copy = asked.row.copy
    if copy is None or asked.row.action not in _THERE:
        return asked
    try:
        return context.with_retries(partial(compared, asked, copy, context.clients[asked.region]))
    except Interrupted:
        raise
    except AmicopyError as error:
        return replace(asked, image_id=copy.image_id, state=SwitchState.FAILED, error=error)


def switch_copies(
    context: Context,
    found: Sequence[_Switch],
    outcomes: Mapping[Key, Outcome],
    switched: Callable[[Context, _Switch], Work[_Switch]],
) -> tuple[_Switch, ...]:
    """Switch it for the copies that are up to date; return all with what was done. If interrupted, the others wait."""

    def done(one: _Switch) -> _Switch:
        outcome = outcomes.get(one.row.key)
        if one.state is not SwitchState.SWITCH:
            return one
        if context.stop.is_set() or outcome is None or not outcome.is_well:
            return replace(one, state=SwitchState.WAITING)
        asked = replace(one, image_id=outcome.image_id)
        try:
            return driven(context.clock, context.stop, switched(context, asked), to_the_end=True)
        except AmicopyError as error:
            return replace(asked, state=SwitchState.FAILED, error=error)

    tasks = {one.row.key: partial(done, one) for one in found}
    return tuple(all_at_once(tasks, Stop()).values())  # not interrupted: what was switched has to be told


def record_on(ec2: "Ec2", context: Context, copy: Image, tags: Mapping[str, str]) -> Work[None]:
    """Write the tags that record on a copy what is switched."""
    parameters = {"Resources": [copy.image_id], "Tags": tag_list(tags)}
    yield from paced_write(ec2, context.clock, Write(WriteOperation.CREATE_TAGS, parameters))
