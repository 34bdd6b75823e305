"""Faults to inject into the sandbox: what each one is, what it does, and how it is written on the command line."""

import difflib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from amicopy.sandbox.ec2.errors import Ec2Error, token_refused
from amicopy.sandbox.instance_runs import InstanceRun
from amicopy.sandbox.pending_copies import CopyFailure, PendingCopy
from amicopy.sandbox.records import Image

Response = TypeVar("Response")
_NEVER = timedelta(days=36500)


class ConnectionCut(Exception):
    """The connection closes without a response, after ``hang_seconds`` of silence."""

    def __init__(self, hang_seconds: float = 0.0) -> None:
        super().__init__("connection cut")
        self.hang_seconds = hang_seconds


class ProxyPage(Exception):
    """A proxy between the client and EC2 responds with an HTML page."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTML page with status {status}")
        self.status = status


class TruncatedResponse(Exception):
    """The call took effect, and only the first half of its response arrives."""

    def __init__(self, response: Any) -> None:
        super().__init__("truncated response")
        self.response = response


class EmptyPage(Exception):
    """AWS Organizations answers with an empty page and a token for the next one, as its reference says it may."""


class CallEffect(ABC):
    """What a fault does to a call."""

    @abstractmethod
    def respond(self, serve: Callable[[], Response]) -> Response:
        """Respond to the call in place of ``serve``, which makes it take effect and returns the real response."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorResponse(CallEffect):
    """EC2 returns an error, and the call has no effect."""

    code: str
    message: str
    status: int = 400

    def respond(self, serve: Callable[[], Response]) -> Response:
        raise Ec2Error(self.code, self.message, self.status)


THROTTLED = ErrorResponse(code="RequestLimitExceeded", message="Request limit exceeded.", status=503)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost(CallEffect):
    """The call takes effect, then the connection closes without a response."""

    def respond(self, serve: Callable[[], Response]) -> Response:
        serve()
        raise ConnectionCut


@dataclass(frozen=True, slots=True, kw_only=True)
class Dead(CallEffect):
    """The connection closes before the call takes effect, after ``hang_seconds`` of real time."""

    hang_seconds: float = 0.0

    def respond(self, serve: Callable[[], Response]) -> Response:
        raise ConnectionCut(self.hang_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class HtmlPage(CallEffect):
    """A proxy responds with HTML, and the call has no effect."""

    status: int = 502

    def respond(self, serve: Callable[[], Response]) -> Response:
        raise ProxyPage(self.status)


@dataclass(frozen=True, slots=True, kw_only=True)
class Truncated(CallEffect):
    """The call takes effect, and half of the response arrives."""

    def respond(self, serve: Callable[[], Response]) -> Response:
        raise TruncatedResponse(serve())


@dataclass(frozen=True, slots=True, kw_only=True)
class Empty(CallEffect):
    """A list of AWS Organizations begins with an empty page."""

    def respond(self, serve: Callable[[], Response]) -> Response:
        raise EmptyPage


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrupt(CallEffect):
    """A block arrives with its first byte changed, and with the checksum of the original."""

    def respond(self, serve: Callable[[], Response]) -> Response:
        response = serve()
        if isinstance(response, dict) and response.get("BlockData"):
            data = response["BlockData"]
            response["BlockData"] = bytes([data[0] ^ 0xFF]) + data[1:]
        return response


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired(CallEffect):
    """The token of a block or of a page of blocks is refused."""

    operation: str = "GetSnapshotBlock"

    def respond(self, serve: Callable[[], Response]) -> Response:
        raise token_refused(self.operation)


class CopyEffect(ABC):
    """What a fault does to the copy that a CopyImage call starts."""

    @abstractmethod
    def apply(self, copy: PendingCopy, image: Image) -> None:
        """Change the copy and its image so that the fault happens when its time comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail(CopyEffect):
    """The copy fails after this fraction of its duration."""

    code: str = "Client.InternalError"
    message: str = "Copy image failed with an internal error"
    snapshot_message: str = ""
    after: float = 0.5

    def apply(self, copy: PendingCopy, image: Image) -> None:
        copy.failure = CopyFailure(
            at=_moment(copy, self.after),
            code=self.code,
            message=self.message,
            snapshot_message=self.snapshot_message,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck(CopyEffect):
    """The copy stays pending forever."""

    def apply(self, copy: PendingCopy, image: Image) -> None:
        copy.stuck = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Vanish(CopyEffect):
    """The image disappears after this fraction of the copy's duration, while it is pending."""

    after: float = 0.5

    def apply(self, copy: PendingCopy, image: Image) -> None:
        copy.failure = CopyFailure(at=_moment(copy, self.after), code="", message="", vanishes=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flap(CopyEffect):
    """The image is shown as pending this many times after it was first shown as available."""

    describes: int = 2

    def apply(self, copy: PendingCopy, image: Image) -> None:
        image.flap_describes = self.describes


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen(CopyEffect):
    """The image is hidden from this many of its owner's DescribeImages calls."""

    describes: int = 3

    def apply(self, copy: PendingCopy, image: Image) -> None:
        image.unseen_describes = self.describes + 1
        image.visible_at = copy.started_at + _NEVER


@dataclass(frozen=True, slots=True, kw_only=True)
class Differ(CopyEffect):
    """This many blocks of each snapshot differ from the source's."""

    blocks: int = 1

    def apply(self, copy: PendingCopy, image: Image) -> None:
        copy.blocks_changed = self.blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Lose(CopyEffect):
    """This many blocks of each snapshot are missing."""

    blocks: int = 1

    def apply(self, copy: PendingCopy, image: Image) -> None:
        copy.blocks_lost = self.blocks


class LaunchEffect(ABC):
    """What a fault does to the instance that a RunInstances call launches."""

    @abstractmethod
    def apply_to(self, run: InstanceRun) -> None:
        """Change the instance so that the fault happens when its time comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unhealthy(LaunchEffect):
    """The instance does not pass its status check."""

    def apply_to(self, run: InstanceRun) -> None:
        run.unhealthy = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Unchecked(LaunchEffect):
    """The status checks never end, and the console shows no login."""

    def apply_to(self, run: InstanceRun) -> None:
        run.stuck = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Dies(LaunchEffect):
    """The instance terminates itself so many seconds after its launch."""

    seconds: float

    def apply_to(self, run: InstanceRun) -> None:
        run.dies_after = self.seconds


def _moment(copy: PendingCopy, fraction: float) -> datetime:
    return copy.started_at + (copy.available_at - copy.started_at) * fraction


Effect = CallEffect | CopyEffect | LaunchEffect


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """An effect, and the calls that it applies to."""

    effect: Effect
    operation: str = "*"
    region: str | None = None  # None: any
    times: int | None = 1  # None: always
    skip: int = 0  # this many matching calls succeed first


class InjectedFaults:
    """The faults injected into one world, until they are used up; the one injected first applies first."""

    def __init__(self) -> None:
        self._faults: list[_InjectedFault] = []

    def add(self, fault: Fault) -> None:
        """Inject one more fault."""
        self._faults.append(_InjectedFault(fault))

    def clear(self) -> None:
        """Remove all faults."""
        self._faults.clear()

    def take_call_effect(self, operation: str, region: str) -> CallEffect | None:
        """Use up and return the effect on this call, if there is one."""
        for injected in self._faults:
            effect = injected.fault.effect
            if isinstance(effect, CallEffect) and injected.take(operation, region):
                return effect
        return None

    def take_copy_effects(self, operation: str, region: str) -> list[CopyEffect]:
        """Use up and return the effects on the copy that this call has started."""
        return [
            injected.fault.effect
            for injected in self._faults
            if isinstance(injected.fault.effect, CopyEffect) and injected.take(operation, region)
        ]

    def take_fast_launch_failure(self, operation: str, region: str) -> str:
        """Use up the failure of what this call has switched on or off, if there is one; return EC2's reason."""
        for injected in self._faults:
            effect = injected.fault.effect
            if isinstance(effect, Fail) and injected.fault.operation == operation and injected.take(operation, region):
                return f"{effect.code}: {effect.message}".removesuffix(": ")
        return ""

    def take_launch_effects(self, operation: str, region: str) -> list[LaunchEffect]:
        """Use up and return the effects on the instance that this call has launched."""
        return [
            injected.fault.effect
            for injected in self._faults
            if isinstance(injected.fault.effect, LaunchEffect) and injected.take(operation, region)
        ]


class _InjectedFault:
    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self._to_skip = fault.skip
        self._left = fault.times

    def take(self, operation: str, region: str) -> bool:
        matches = self.fault.operation in ("*", operation) and self.fault.region in (None, region)
        if not matches or self._left == 0:
            return False
        if self._to_skip:
            self._to_skip -= 1
            return False
        if self._left is not None:
            self._left -= 1
        return True


_FAULT = re.compile(
    r"(?P<operation>\*|[A-Za-z][A-Za-z-]*)(?:@(?P<region>\*|[a-z0-9-]+))?="
    r"(?P<name>[a-z]+|5\d\d)(?::(?P<detail>.*?))?"
    r"(?:\*(?P<times>\d+|always))?(?: after (?P<skip>\d+))?",
    re.DOTALL,
)
_DEFAULT_ALWAYS = ("dead", "hang")
# Lists of AWS Organizations, and the member of the response that has the entries.
PAGES = {
    "ListAccounts": "Accounts",
    "ListAccountsForParent": "Accounts",
    "ListChildren": "Children",
    "ListOrganizationalUnitsForParent": "OrganizationalUnits",
}
_FAST_LAUNCH = ("EnableFastLaunch", "DisableFastLaunch")
# The only operations that these effects are for.
_EFFECTS_ON_BLOCKS = {"corrupt": ("GetSnapshotBlock",), "expired": ("GetSnapshotBlock", "ListSnapshotBlocks")}
_SHORT = {"copy": "CopyImage", "launch": "RunInstances"}


def known_fault(text: str, operations: Collection[str], regions: Collection[str]) -> Fault:
    """Return the fault that a text describes, if it can occur: its operation and its region are among these.

    Raises:
        ValueError: it can't, or the text isn't a fault; the message is for the user and has the nearest name.
    """
    if match := _FAULT.fullmatch(text.strip()):
        operation, region = match["operation"], match["region"] or "*"
        if operation not in {"*", *_SHORT, *operations}:
            names = {name.lower(): name for name in (*operations, *_SHORT)}
            raise ValueError(f"unknown operation {operation!r}.{_near(operation.lower().replace('-', ''), names)}")
        if region not in {"*", *regions}:
            raise ValueError(f"unknown region {region!r}.{_near(region, {name: name for name in regions})}")
    return parse_fault(text)


def _near(name: str, names: Mapping[str, str]) -> str:
    """Return a question with the nearest of some names, by the spelling that they are compared in; empty if none is."""
    near = difflib.get_close_matches(name, names, 1)
    return f" Did you mean {names[near[0]]}?" if near else ""


def parse_fault(text: str) -> Fault:
    """Return the fault that ``OPERATION[@REGION]=EFFECT[*TIMES][ after CALLS]`` describes.

    OPERATION is an EC2 action, ``copy`` for CopyImage, ``launch`` for RunInstances, or ``*`` for any. REGION defaults
    to any region. TIMES is a number or ``always``; the default is once, and always for ``dead`` and ``hang``. The first
    CALLS matching calls succeed.

    Effects on the call: ``throttle``, ``error:CODE: MESSAGE`` (``error:403 CODE: MESSAGE`` sets the HTTP status),
    ``500``, ``503``, ``lost`` (the call takes effect, the response doesn't arrive), ``dead`` (the connection closes
    without a response), ``hang:SECONDS`` (the same, after SECONDS of silence), ``html`` or ``html:STATUS`` (a
    proxy's error page), ``truncated`` (half a response); of the EBS direct APIs: ``corrupt`` (a block whose checksum is
    wrong), ``expired`` (the token of a block or a page); of AWS Organizations: ``empty`` (an empty page of a list, with
    a token for the next one).

    Effects on the copy that a CopyImage starts: ``fail``, ``fail:CODE: MESSAGE`` (optionally followed by `` | `` and
    the snapshot's message), ``stuck``, ``vanish``, ``flap:DESCRIBES``, ``unseen:DESCRIBES``, ``differ:BLOCKS`` (so many
    blocks of each snapshot are not the source's), ``lose:BLOCKS`` (they are missing).

    Effect on what an EnableFastLaunch or DisableFastLaunch begins: ``fail``, ``fail:CODE: MESSAGE``.

    Effects on the instance that a RunInstances launches: ``unhealthy`` (its status check fails), ``unchecked`` (its
    checks never end), ``dies:SECONDS`` (it terminates itself).

    Examples: ``CopyImage@eu-west-1=throttle*5``, ``copy@us-west-2=fail:Client.InternalError: no``,
    ``*@ap-south-1=dead``, ``DescribeImages=500*2 after 3``.

    Raises:
        ValueError: the text isn't a fault; the message is for the user.
    """
    match = _FAULT.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a valid fault. Write OPERATION[@REGION]=EFFECT[*TIMES][ after CALLS].")
    operation, region, times = match["operation"], match["region"], match["times"]
    effect = _effect(match["name"], match["detail"])
    operation = _SHORT.get(operation, operation)
    allowed = _EFFECTS_ON_BLOCKS.get(match["name"])
    if allowed and operation not in allowed:
        raise ValueError(f"{match['name']!r} affects a snapshot's blocks: use it with {' or '.join(allowed)}.")
    if isinstance(effect, Expired):
        effect = Expired(operation=operation)
    is_of_fast_launch = isinstance(effect, Fail) and operation in _FAST_LAUNCH
    if isinstance(effect, CopyEffect) and operation not in ("CopyImage", "*") and not is_of_fast_launch:
        raise ValueError(f"{match['name']!r} affects a copy: use it with CopyImage, not with {operation}.")
    if isinstance(effect, Empty) and operation not in PAGES:
        raise ValueError(f"'empty' affects a list of AWS Organizations: use it with one of {', '.join(PAGES)}.")
    if isinstance(effect, LaunchEffect) and operation not in ("RunInstances", "*"):
        raise ValueError(f"{match['name']!r} affects an instance: use it with RunInstances, not with {operation}.")
    if times is None:
        times = "always" if match["name"] in _DEFAULT_ALWAYS else "1"
    return Fault(
        operation=operation,
        region=None if region in (None, "*") else region,
        effect=effect,
        times=None if times == "always" else int(times),
        skip=int(match["skip"] or 0),
    )


_PLAIN: dict[str, Effect] = {
    "throttle": THROTTLED,
    "500": ErrorResponse(code="InternalError", message="An internal error has occurred", status=500),
    "503": ErrorResponse(code="Unavailable", message="The server is overloaded and can't handle it.", status=503),
    "lost": Lost(),
    "dead": Dead(),
    "html": HtmlPage(),
    "truncated": Truncated(),
    "empty": Empty(),
    "corrupt": Corrupt(),
    "expired": Expired(),
    "fail": Fail(),
    "stuck": Stuck(),
    "vanish": Vanish(),
    "flap": Flap(),
    "unseen": Unseen(),
    "unhealthy": Unhealthy(),
    "unchecked": Unchecked(),
    "differ": Differ(),
    "lose": Lose(),
}
_NUMBERED: dict[str, Callable[[int], Effect]] = {
    "hang": lambda seconds: Dead(hang_seconds=seconds),
    "html": lambda status: HtmlPage(status=status),
    "dies": lambda seconds: Dies(seconds=seconds),
    "flap": lambda describes: Flap(describes=describes),
    "unseen": lambda describes: Unseen(describes=describes),
    "differ": lambda blocks: Differ(blocks=blocks),
    "lose": lambda blocks: Lose(blocks=blocks),
}


def _effect(name: str, detail: str | None) -> Effect:
    if detail is None and name in _PLAIN:
        return _PLAIN[name]
    if name == "error":
        return _error_response(detail)
    if name == "fail":
        reason, _, snapshot_message = (detail or "").partition(" | ")
        code, _, message = reason.partition(": ")
        return Fail(code=code.rstrip(":"), message=message, snapshot_message=snapshot_message)
    if name in _NUMBERED:
        if not detail or not detail.isdigit():
            raise ValueError(f"{name!r} needs a whole number after a colon, such as {name}:3.")
        return _NUMBERED[name](int(detail))
    if name in _PLAIN:
        raise ValueError(f"{name!r} takes no value after a colon.")
    names = {one: one for one in (*_PLAIN, *_NUMBERED, "error")}
    known = ", ".join(sorted({*_PLAIN, "error:CODE: MESSAGE", "hang:SECONDS"}))
    raise ValueError(f"unknown effect {name!r}.{_near(name, names)} The effects are: {known}.")


def _error_response(detail: str | None) -> ErrorResponse:
    match = re.fullmatch(r"(?:(?P<status>[345]\d\d) )?(?P<code>[A-Za-z][\w.]*)(?:: ?(?P<message>.*))?", detail or "")
    if match is None:
        raise ValueError("'error' needs a code and a message, such as error:InvalidRequest: Not today.")
    return ErrorResponse(code=match["code"], message=match["message"] or "", status=int(match["status"] or 400))
