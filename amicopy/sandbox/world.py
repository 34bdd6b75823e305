"""EC2's images and snapshots, simulated: a clock and a state machine.

Refuses to know HTTP, moto or boto: parameters and answers have boto3's shape, and that is all.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from amicopy.core.clock import Clock
from amicopy.sandbox.behavior import Timing, Unconfirmed
from amicopy.sandbox.ec2 import errors
from amicopy.sandbox.ec2.errors import Ec2Error
from amicopy.sandbox.ec2.operations import OPERATIONS
from amicopy.sandbox.fault_outcomes import decide
from amicopy.sandbox.faults import (
    ConnectionCut,
    Dead,
    Fault,
    ForeignPage,
    Lost,
    Orders,
    Page,
    Refuse,
    Truncated,
    TruncatedAnswer,
)
from amicopy.sandbox.records import DEFAULT_ACCOUNT, Image, Snapshot, Volume
from amicopy.sandbox.register import register
from amicopy.sandbox.settings import OPT_IN, REGIONS, Settings
from amicopy.sandbox.state import Call, KeyLookup, State, VolumeLookup
from amicopy.sandbox.throttle import Buckets

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call that reached the sandbox; ``error`` is the code it was answered with, "" when it went well."""

    operation: str
    region: str
    account: str
    params: Mapping[str, Any]
    at: datetime
    error: str = ""
    service: str = "ec2"


class World:
    """A small EC2: call it as boto3 would, look into it, and order what shall go wrong."""

    def __init__(
        self,
        clock: Clock,
        *,
        timing: Timing | None = None,
        unconfirmed: Unconfirmed | None = None,
        seed: int = 0,
    ) -> None:
        self.clock = clock
        self.requests: list[Request] = []
        self.state = State(clock=clock, timing=timing or Timing(), unconfirmed=unconfirmed or Unconfirmed(), seed=seed)
        self._orders = Orders()
        self._buckets = Buckets()
        self._lock = threading.RLock()

    def call(
        self,
        operation: str,
        params: Mapping[str, Any] | None = None,
        *,
        region: str,
        account: str = DEFAULT_ACCOUNT,
        denied: frozenset[str] = frozenset(),
    ) -> dict[str, Any]:
        """Answer one EC2 call as boto3 gives and takes it.

        ``denied`` names actions that the caller may not do and that EC2 would do along with this one.

        Raises:
            Ec2Error: EC2 refuses; `ConnectionCut`, `ForeignPage`, `TruncatedAnswer`: a fault was ordered.
        """
        given = dict(params or {})
        return self.pass_on(
            operation,
            given,
            region=region,
            account=account,
            answer=lambda: self._answer(operation, given, region, account, denied),
        )

    def pass_on(
        self,
        operation: str,
        params: Mapping[str, Any],
        *,
        region: str,
        account: str,
        answer: Callable[[], Answer],
        service: str = "ec2",
    ) -> Answer:
        """Let ``answer`` answer a call, under the same faults as every other and in the same log."""
        at, error = self.clock.now(), ""
        try:
            with self._lock:
                return self._under_faults(operation, params, region, account, answer, service)
        except Ec2Error as refusal:
            error = refusal.code
            raise
        except (ConnectionCut, ForeignPage, TruncatedAnswer) as fault:
            error = str(fault)
            raise
        except NotImplementedError:
            error = "InvalidAction"
            raise
        except Exception:
            error = "InternalError"
            raise
        finally:
            self.requests.append(
                Request(
                    operation=operation,
                    region=region,
                    account=account,
                    params=params,
                    at=at,
                    error=error,
                    service=service,
                )
            )

    def _under_faults(
        self,
        operation: str,
        params: Mapping[str, Any],
        region: str,
        account: str,
        answer: Callable[[], Answer],
        service: str,
    ) -> Answer:
        effect = self._orders.next_reply(operation, region)
        match effect:
            case Dead(hang_seconds=seconds):
                raise ConnectionCut(seconds)
            case Page(status=status):
                raise ForeignPage(status)
            case Refuse(code=code, message=message, status=status):
                raise Ec2Error(code, message, status)
            case Lost():
                self._admit(operation, params, region, account, service)
                answer()
                raise ConnectionCut
        self._admit(operation, params, region, account, service)
        answered = answer()
        if isinstance(effect, Truncated):
            raise TruncatedAnswer(answered)
        return answered

    def _admit(self, operation: str, params: Mapping[str, Any], region: str, account: str, service: str) -> None:
        """Refuse regions that the account has not enabled, and callers who call too often."""
        if service != "ec2":
            return
        if region not in REGIONS or not self.state.settings_of(account, region).opted_in:
            raise errors.not_validated()
        if self.state.timing.throttle and not self._buckets.take(
            operation, params, account=account, region=region, now=self.clock.now()
        ):
            raise errors.throttled()

    def _answer(
        self,
        operation: str,
        params: Mapping[str, Any],
        region: str,
        account: str,
        denied: frozenset[str],
    ) -> dict[str, Any]:
        handler = OPERATIONS.get(operation)
        if handler is None:
            raise Ec2Error("InvalidAction", f"The action {operation} is not valid for this web service.")
        now = self.state.settle(region)
        if params.get("DryRun"):
            raise errors.dry_run()
        call = Call(
            state=self.state,
            operation=operation,
            params=params,
            region=region,
            account=account,
            now=now,
            denied=denied,
        )
        answer = handler(call)
        if operation == "CopyImage":
            self._decide(answer["ImageId"], region)
        self.state.settle(region)
        return answer

    def _decide(self, image_id: str, region: str) -> None:
        """Let an ordered fault decide what becomes of a copy that was just started."""
        jobs = self.state.jobs[region]
        if not jobs or jobs[-1].image_id != image_id or jobs[-1].decided:
            return
        job, image = jobs[-1], self.state.images[region][image_id]
        job.decided = True
        for effect in self._orders.outcomes("CopyImage", region):
            decide(effect, job, image)

    def order(self, fault: Fault) -> None:
        """Order a fault; those ordered first happen first."""
        self._orders.add(fault)

    def forget_orders(self) -> None:
        """Let everything go well from now on."""
        self._orders.clear()

    def images(self, region: str | None = None, account: str | None = None) -> list[Image]:
        """Return the images of a region, or of all; the records themselves, to look at or to alter."""
        found: list[Image] = []
        with self._lock:
            for name in self._settled(region, self.state.images):
                found += self.state.images[name].values()
        return [image for image in found if account in (None, image.owner)]

    def image(self, region: str, image_id: str) -> Image:
        """Return one image's record, deregistered ones included.

        Raises:
            KeyError: there is none with this id, or it has vanished.
        """
        with self._lock:
            self._settled(region, ())
            found = self.state.images[region].get(image_id) or self.state.deregistered[region].get(image_id)
        if found is None:
            raise KeyError(f"{region}/{image_id}")
        return found

    def snapshots(self, region: str | None = None, account: str | None = None) -> list[Snapshot]:
        """Return the snapshots of a region, or of all, those not listed yet included."""
        found: list[Snapshot] = []
        with self._lock:
            for name in self._settled(region, self.state.snapshots):
                found += self.state.snapshots[name].values()
        return [snapshot for snapshot in found if account in (None, snapshot.owner)]

    def snapshot(self, region: str, snapshot_id: str) -> Snapshot:
        """Return one snapshot's record.

        Raises:
            KeyError: there is none with this id.
        """
        with self._lock:
            self._settled(region, ())
            return self.state.snapshots[region][snapshot_id]

    def _settled(self, region: str | None, every: Iterable[str]) -> list[str]:
        names = [region] if region else list(every)
        for name in names:
            self.state.settle(name)
        return names

    def remove(self, region: str, image_id: str) -> None:
        """Take an image away behind everybody's back, without a trace."""
        self.state.images[region].pop(image_id, None)

    def settings(self, region: str, account: str = DEFAULT_ACCOUNT) -> Settings:
        """Return the account's switches and quotas there, to look at or to alter."""
        return self.state.settings_of(account, region)

    def opt_in(self, *regions: str, account: str = DEFAULT_ACCOUNT) -> None:
        """Enable regions for the account; without any named, all."""
        for region in regions or OPT_IN:
            self.state.settings_of(account, region).opted_in = True

    def register(
        self,
        region: str,
        *,
        name: str | None,
        account: str = DEFAULT_ACCOUNT,
        volumes: Iterable[Volume] | None = None,
        ephemeral: Iterable[str] = (),
        no_device: Iterable[str] = (),
        image_id: str = "",
        **members: Any,
    ) -> Image:
        """Put an image there, ready-made; ``members`` are any other members of `Image`."""
        with self._lock:
            return register(
                self.state,
                region,
                name=name,
                account=account,
                volumes=volumes,
                ephemeral=ephemeral,
                no_device=no_device,
                image_id=image_id,
                **members,
            )

    @property
    def organizations(self) -> dict[str, set[str]]:
        """Return the organization and OU ARNs that each account belongs to, to look at or to alter."""
        return self.state.organizations

    @property
    def kernels(self) -> dict[str, dict[str, str]]:
        """Return each region's kernels and RAM disks, id → what it is; equal ones match across regions."""
        return self.state.kernels

    @property
    def keys(self) -> KeyLookup:
        """Return how KMS keys are looked up; assign to replace it."""
        return self.state.keys

    @keys.setter
    def keys(self, lookup: KeyLookup) -> None:
        self.state.keys = lookup

    @property
    def volumes(self) -> VolumeLookup:
        """Return how the size of an EBS volume is looked up; assign to replace it."""
        return self.state.volumes

    @volumes.setter
    def volumes(self, lookup: VolumeLookup) -> None:
        self.state.volumes = lookup
