"""Faults to order: what shall go wrong, in which call, how often.

Refuses to happen by itself: without an order nothing fails, and every order is used up in a known way.
"""

import re
from dataclasses import dataclass
from typing import Any


class ConnectionCut(Exception):
    """The connection ends without an answer, after ``hang_seconds`` of silence."""

    def __init__(self, hang_seconds: float = 0.0) -> None:
        super().__init__("connection cut")
        self.hang_seconds = hang_seconds


class ForeignPage(Exception):
    """Somebody between client and EC2 answers with a page of HTML."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTML page with status {status}")
        self.status = status


class TruncatedAnswer(Exception):
    """The call took effect, and its answer breaks off in the middle."""

    def __init__(self, answer: Any) -> None:
        super().__init__("truncated answer")
        self.answer = answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """EC2 answers with an error, and nothing happens."""

    code: str
    message: str
    status: int = 400


THROTTLED = Refuse(code="RequestLimitExceeded", message="Request limit exceeded.", status=503)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """The call takes effect, then the connection is cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dead:
    """The connection is cut before anything happens; at once, or after real seconds of silence."""

    hang_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A proxy answers with HTML, and nothing happens."""

    status: int = 502


@dataclass(frozen=True, slots=True, kw_only=True)
class Truncated:
    """The call takes effect, and half of the XML arrives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail:
    """The copy started by this CopyImage fails, ``after`` that fraction of its time."""

    code: str = "Client.InternalError"
    message: str = "Copy image failed with an internal error"
    snapshot_message: str = ""
    after: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """The copy started by this CopyImage stays pending for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vanish:
    """The copy started by this CopyImage disappears while pending."""

    after: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Flap:
    """The copy started by this CopyImage is pending again for some describes after it was seen available."""

    describes: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """The copy started by this CopyImage is unknown to that many DescribeImages calls of its owner."""

    describes: int = 3


Effect = Refuse | Lost | Dead | Page | Truncated | Fail | Stuck | Vanish | Flap | Unseen
Outcome = Fail | Stuck | Vanish | Flap | Unseen


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One order: the calls that it concerns, and what happens to them."""

    effect: Effect
    operation: str = "*"
    region: str | None = None  # None: any
    times: int | None = 1  # None: always
    skip: int = 0  # so many calls that it concerns go well first


class Orders:
    """The faults that are still to happen."""

    def __init__(self) -> None:
        self._orders: list[_Order] = []

    def add(self, fault: Fault) -> None:
        """Order one more; those ordered earlier come first."""
        self._orders.append(_Order(fault))

    def clear(self) -> None:
        """Forget all that have not happened yet."""
        self._orders.clear()

    def next_reply(self, operation: str, region: str) -> Effect | None:
        """Use up and return what shall happen to this call, or nothing."""
        for order in self._orders:
            if not isinstance(order.fault.effect, Outcome) and order.takes(operation, region):
                return order.fault.effect
        return None

    def outcomes(self, operation: str, region: str) -> list[Effect]:
        """Use up and return what shall become of the copy that this call has started."""
        return [
            order.fault.effect
            for order in self._orders
            if isinstance(order.fault.effect, Outcome) and order.takes(operation, region)
        ]


class _Order:
    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self._to_skip = fault.skip
        self._left = fault.times

    def takes(self, operation: str, region: str) -> bool:
        concerned = self.fault.operation in ("*", operation) and self.fault.region in (None, region)
        if not concerned or self._left == 0:
            return False
        if self._to_skip:
            self._to_skip -= 1
            return False
        if self._left is not None:
            self._left -= 1
        return True


_ORDER = re.compile(
    r"(?P<operation>\*|[A-Za-z]+)(?:@(?P<region>\*|[a-z0-9-]+))?="
    r"(?P<name>[a-z]+|5\d\d)(?::(?P<detail>.*?))?"
    r"(?:\*(?P<times>\d+|always))?(?: after (?P<skip>\d+))?",
    re.DOTALL,
)
_DEFAULT_ALWAYS = ("dead", "hang")


def parse_fault(text: str) -> Fault:
    """Return the fault that ``OPERATION[@REGION]=EFFECT[*TIMES][ after CALLS]`` describes.

    OPERATION is an EC2 action, ``copy`` for CopyImage, or ``*``; REGION defaults to any. TIMES is a number or
    ``always``; it defaults to once, and to always for ``dead`` and ``hang``. So many CALLS go well first.

    Effects on the call: ``throttle``, ``error:CODE: MESSAGE`` (``error:403 CODE: MESSAGE`` sets the status),
    ``500``, ``503``, ``lost`` (it takes effect, the reply does not arrive), ``dead`` (connection refused in
    mid-air), ``hang:SECONDS``, ``html`` or ``html:STATUS``, ``truncated``.

    Effects on the copy that a CopyImage starts: ``fail``, ``fail:CODE: MESSAGE`` (and after `` | `` the
    snapshot's message), ``stuck``, ``vanish``, ``flap:DESCRIBES``, ``unseen:DESCRIBES``.

    Examples: ``CopyImage@eu-west-1=throttle*5``, ``copy@us-west-2=fail:Client.InternalError: no``,
    ``*@ap-south-1=dead``, ``DescribeImages=500*2 after 3``.

    Raises:
        ValueError: with a sentence that says what is wrong.
    """
    match = _ORDER.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no fault: write OPERATION[@REGION]=EFFECT[*TIMES][ after CALLS].")
    operation, region, times = match["operation"], match["region"], match["times"]
    effect = _effect(match["name"], match["detail"])
    operation = "CopyImage" if operation == "copy" else operation
    if isinstance(effect, Outcome) and operation not in ("CopyImage", "*"):
        raise ValueError(f"{match['name']!r} happens to a copy: order it for CopyImage, not for {operation}.")
    if times is None:
        times = "always" if match["name"] in _DEFAULT_ALWAYS else "1"
    return Fault(
        operation=operation,
        region=None if region in (None, "*") else region,
        effect=effect,
        times=None if times == "always" else int(times),
        skip=int(match["skip"] or 0),
    )


def _effect(name: str, detail: str | None) -> Effect:
    simple: dict[str, Effect] = {
        "throttle": THROTTLED,
        "500": Refuse(code="InternalError", message="An internal error has occurred", status=500),
        "503": Refuse(code="Unavailable", message="The server is overloaded and can't handle it.", status=503),
        "lost": Lost(),
        "dead": Dead(),
        "html": Page(),
        "truncated": Truncated(),
        "fail": Fail(),
        "stuck": Stuck(),
        "vanish": Vanish(),
        "flap": Flap(),
        "unseen": Unseen(),
    }
    if detail is None and name in simple:
        return simple[name]
    if name == "error":
        return _refusal(detail)
    if name == "fail":
        reason, _, snapshot_message = (detail or "").partition(" | ")
        code, _, message = reason.partition(": ")
        return Fail(code=code.rstrip(":"), message=message, snapshot_message=snapshot_message)
    if name in ("hang", "html", "flap", "unseen"):
        if not detail or not detail.isdigit():
            raise ValueError(f"{name!r} needs a whole number behind a colon, such as {name}:3.")
        number = int(detail)
        numbered: dict[str, Effect] = {
            "hang": Dead(hang_seconds=number),
            "html": Page(status=number),
            "flap": Flap(describes=number),
            "unseen": Unseen(describes=number),
        }
        return numbered[name]
    if name in simple:
        raise ValueError(f"{name!r} takes nothing behind a colon.")
    known = ", ".join(sorted({*simple, "error:CODE: MESSAGE", "hang:SECONDS"}))
    raise ValueError(f"{name!r} is no fault; there are: {known}.")


def _refusal(detail: str | None) -> Refuse:
    match = re.fullmatch(r"(?:(?P<status>[345]\d\d) )?(?P<code>[A-Za-z][\w.]*)(?:: ?(?P<message>.*))?", detail or "")
    if match is None:
        raise ValueError("'error' needs a code and a message, such as error:InvalidRequest: Not today.")
    return Refuse(code=match["code"], message=match["message"] or "", status=int(match["status"] or 400))
