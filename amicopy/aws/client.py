"""Calls to one AWS service in one region: counted, logged, and with our errors only."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

from botocore import xform_name
from botocore.response import StreamingBody

from amicopy.aws.bounded_calls import MOST_SECONDS, NeverEnding, within_limits
from amicopy.aws.emulators import may_pass
from amicopy.aws.error_mapping import LOOK_BETWEEN, our_error, service_name
from amicopy.aws.session import Session
from amicopy.core.clock import Clock
from amicopy.core.errors import Throttled, Unreachable

log = logging.getLogger("amicopy.calls")


class CallCounter:
    """The number of calls by operation, shared by all regions of a run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count: Counter[str] = Counter()
        self.throttled = 0  # calls that AWS refused because of their rate
        self.repeated = 0  # attempts that botocore made again by itself, mostly for the same reason

    def add(self, operation: str) -> None:
        """Count one more call of the operation."""
        with self._lock:
            self._count[operation] += 1

    def add_throttled(self) -> None:
        """Count a call that was refused because of the account's rate."""
        with self._lock:
            self.throttled += 1

    def add_repeated(self, attempts: int) -> None:
        """Count what botocore has repeated within a call."""
        if attempts:
            with self._lock:
                self.repeated += attempts

    def count(self) -> dict[str, int]:
        """Return the number of calls of each operation so far, without botocore's own retries."""
        with self._lock:
            return dict(sorted(self._count.items()))


class ServiceClient:
    """Calls operations by their name in the AWS API, such as ``DescribeImages``."""

    def __init__(
        self, session: Session, service: str, region: str, calls: CallCounter, clock: Clock | None = None
    ) -> None:
        self._service = service
        self._region = region
        self._client = session.client(service, region)
        self._calls = calls
        self._session = session
        self._clock = clock
        self.server_ahead = timedelta(0)  # how far AWS's clock was ahead of ours at the last answer

    def members(self, shape: str) -> frozenset[str]:
        """Return the members of a shape that the installed botocore knows: it drops all others from answers."""
        return frozenset(self._client.meta.service_model.shape_for(shape).members)

    def __call__(self, operation: str, **parameters: Any) -> Mapping[str, Any]:
        """Call an operation and return AWS's answer.

        Raises:
            AmicopyError: for everything that goes wrong and is not a bug of ours.
        """
        started = time.perf_counter()
        self._calls.add(f"{operation} (DryRun)" if parameters.get("DryRun") else operation)
        request_id = ""
        try:
            method = getattr(self._client, xform_name(operation))
            answer = _answer(partial(_whole, partial(method, **parameters)))
            metadata = answer.get("ResponseMetadata", {})
            request_id = metadata.get("RequestId", "")
            self._calls.add_repeated(metadata.get("RetryAttempts", 0))
        except NeverEnding as error:
            raise Unreachable(
                f"{service_name(self._service)} in {self._region} doesn't finish its response to {operation}.",
                why=f"It is still incomplete after {MOST_SECONDS / 60:.0f} minutes.",
                next_step=LOOK_BETWEEN,
            ) from error
        except Exception as error:
            ours = our_error(
                error,
                operation,
                self._service,
                self._region,
                was_authenticated=self._session.is_authenticated,
                snapshot_id=str(parameters.get("SnapshotId", "")),
            )
            if ours is None:
                raise
            request_id = ours.request_id
            if isinstance(ours, Throttled):
                self._calls.add_throttled()
            raise ours from error
        finally:
            elapsed = (time.perf_counter() - started) * 1000
            log.info("%s %s %.0f ms %s", operation, self._region, elapsed, request_id)
        self._session.is_authenticated = True
        if self._clock is not None and (date := _date_of(answer)):
            self.server_ahead = date - self._clock.now()
        return answer


def _whole(call: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the answer, with what comes as a stream read to its end: only then has the call succeeded."""
    answer = call()
    return {name: value.read() if isinstance(value, StreamingBody) else value for name, value in answer.items()}


def _answer(call: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the answer; what may have failed for a race of threads in an emulator is asked once more."""
    try:
        return within_limits(call)
    except Exception as error:
        if not may_pass(error):
            raise
    return within_limits(call)


def _date_of(answer: Mapping[str, Any]) -> datetime | None:
    """Return the Date header of an answer; None if there is none that can be read."""
    text = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        return parsedate_to_datetime(text) if text else None
    except ValueError:
        return None
