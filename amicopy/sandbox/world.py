"""EC2's images and snapshots, simulated: a state machine under a clock.

Knows nothing of HTTP, moto or botocore: parameters and responses have boto3's shape.
"""

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from amicopy.core.clock import Clock
from amicopy.sandbox import ebs_direct
from amicopy.sandbox.behavior import Rates, Timing, Unconfirmed
from amicopy.sandbox.ec2 import errors, instance_status
from amicopy.sandbox.ec2.errors import Ec2Error
from amicopy.sandbox.ec2.operations import CHECKED_OPERATIONS, OPERATIONS
from amicopy.sandbox.faults import ConnectionCut, EmptyPage, Fault, ProxyPage, TruncatedResponse
from amicopy.sandbox.records import DEFAULT_ACCOUNT, Image, Snapshot
from amicopy.sandbox.register import register
from amicopy.sandbox.settings import OPT_IN, REGIONS, Settings
from amicopy.sandbox.state import Call, IsAllowed, State, everything_allowed
from amicopy.sandbox.throttle import TokenBuckets

Response = TypeVar("Response")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call that reached the sandbox. ``error`` is the error code that it got, "" if it succeeded."""

    operation: str
    region: str
    account: str
    params: Mapping[str, Any]
    at: datetime
    error: str = ""
    service: str = "ec2"


class World:
    """A simulated EC2: call it as boto3 would, read and change its state, inject faults."""

    def __init__(
        self,
        clock: Clock,
        *,
        timing: Timing | None = None,
        unconfirmed: Unconfirmed | None = None,
        rates: Rates = "none",
        seed: int = 0,
    ) -> None:
        self.clock = clock
        self.rates = rates
        self.requests: list[Request] = []
        self.state = State(clock=clock, timing=timing or Timing(), unconfirmed=unconfirmed or Unconfirmed(), seed=seed)
        self._buckets = TokenBuckets()
        self._lock = threading.RLock()

    def call(
        self,
        operation: str,
        params: Mapping[str, Any] | None = None,
        *,
        region: str,
        account: str = DEFAULT_ACCOUNT,
        is_allowed: IsAllowed = everything_allowed,
    ) -> dict[str, Any]:
        """Make one EC2 call and return its response, both in boto3's shape.

        ``is_allowed`` decides on what EC2 does in the caller's name as part of this call: action and resource ARN.

        Raises:
            Ec2Error: EC2 returns an error.
            ConnectionCut, ProxyPage, TruncatedResponse: a fault was injected.
        """
        given = dict(params or {})
        return self.serve(
            operation,
            given,
            region=region,
            account=account,
            respond=lambda: self._respond(operation, given, region, account, is_allowed),
        )

    def call_ebs(
        self,
        operation: str,
        params: Mapping[str, Any],
        *,
        region: str,
        account: str = DEFAULT_ACCOUNT,
        check_allowed: Callable[[], None] = lambda: None,
        is_allowed: IsAllowed = everything_allowed,
    ) -> dict[str, Any]:
        """Make one call of the EBS direct APIs and return its response, both in boto3's shape, the data as bytes.

        ``check_allowed`` raises an error if the caller may not make the call; ``is_allowed`` is as for `call`.

        Raises what `call` raises.
        """

        def respond() -> dict[str, Any]:
            check_allowed()
            return ebs_direct.OPERATIONS[operation](self._begin(operation, params, region, account, is_allowed))

        return self.serve(operation, params, region=region, account=account, service="ebs", respond=respond)

    def serve(
        self,
        operation: str,
        params: Mapping[str, Any],
        *,
        region: str,
        account: str,
        respond: Callable[[], Response],
        service: str = "ec2",
    ) -> Response:
        """Return what ``respond`` returns, unless a fault prevents it, and add the call to `requests`."""
        request = Request(
            operation=operation, region=region, account=account, params=params, at=self.clock.now(), service=service
        )
        error = ""
        try:
            with self._lock:
                return self._serve_under_faults(request, respond)
        except Ec2Error as refusal:
            error = refusal.code
            raise
        except (ConnectionCut, EmptyPage, ProxyPage, TruncatedResponse) as fault:
            error = str(fault)
            raise
        except NotImplementedError:
            error = "InvalidAction"
            raise
        except Exception:
            error = "InternalError"
            raise
        finally:
            self.requests.append(replace(request, error=error))

    def _serve_under_faults(self, request: Request, respond: Callable[[], Response]) -> Response:
        def take_effect() -> Response:
            self._admit(request)
            return respond()

        effect = self.state.faults.take_call_effect(request.operation, request.region)
        return effect.respond(take_effect) if effect else take_effect()

    def _admit(self, request: Request) -> None:
        """Refuse regions that the account hasn't enabled, and calls above EC2's rate limits."""
        if request.service not in ("ec2", "ebs"):
            return
        region, account = request.region, request.account
        if region not in self.state.regions or not self.state.settings_of(account, region).opted_in:
            raise errors.not_validated()
        if self.rates == "ec2" and not self._buckets.take(
            request.operation, request.params, account=account, region=region, now=self.clock.now()
        ):
            raise errors.throttled()

    def _respond(
        self, operation: str, params: Mapping[str, Any], region: str, account: str, is_allowed: IsAllowed
    ) -> dict[str, Any]:
        handler = OPERATIONS.get(operation)
        if handler is None:
            raise Ec2Error("InvalidAction", f"The action {operation} is not valid for this web service.")
        if params.get("DryRun"):
            raise errors.dry_run()
        response = handler(self._begin(operation, params, region, account, is_allowed))
        self.state.advance(region)
        return response

    def repeated_launch(self, params: Mapping[str, Any], *, region: str, account: str) -> dict[str, Any] | None:
        """Return the answer to a RunInstances whose client token is known; None if it is new.

        Raises:
            Ec2Error: it came with other parameters, or its instance is terminated.
        """
        call = self._begin("RunInstances", params, region, account, everything_allowed)
        return None if params.get("DryRun") else instance_status.repeated_launch(call)

    def ended(self, instance_ids: Sequence[str]) -> dict[str, Any] | None:
        """Return the answer to a TerminateInstances if all of them have ended already, at which moto would fail."""
        runs = [self.state.instance_runs.get(instance_id) for instance_id in instance_ids]
        if not runs or any(run is None or run.terminated_at is None for run in runs):
            return None
        return {"TerminatingInstances": [{"InstanceId": instance_id} for instance_id in instance_ids]}

    def note_launch(self, params: Mapping[str, Any], instance_ids: Sequence[str], *, region: str, account: str) -> None:
        """Remember the instances that a RunInstances has launched."""
        call = self._begin("RunInstances", params, region, account, everything_allowed)
        instance_status.note_launch(call, str(params.get("ImageId") or ""), instance_ids)

    def _begin(
        self, operation: str, params: Mapping[str, Any], region: str, account: str, is_allowed: IsAllowed
    ) -> Call:
        return Call(
            state=self.state,
            operation=operation,
            params=params,
            region=region,
            account=account,
            now=self.state.advance(region),
            is_allowed=is_allowed,
        )

    def check(self, operation: str, params: Mapping[str, Any], *, region: str, account: str) -> dict[str, Any]:
        """Return the parameters with which moto is to answer a call of `CHECKED_OPERATIONS`.

        Raises:
            Ec2Error: EC2 refuses the call.
        """
        return CHECKED_OPERATIONS[operation](self._begin(operation, params, region, account, everything_allowed))

    def inject(self, fault: Fault) -> None:
        """Inject a fault; those injected first apply first."""
        self.state.faults.add(fault)

    def clear_faults(self) -> None:
        """Remove all faults that aren't used up: everything succeeds from now on."""
        self.state.faults.clear()

    def images(self, region: str | None = None, account: str | None = None) -> list[Image]:
        """Return the images of one region or of all, pending ones included; changing a record changes the world."""
        with self._lock:
            regions = self._advanced(region, self.state.images)
            images = [image for name in regions for image in self.state.images[name].values()]
        return [image for image in images if account in (None, image.owner)]

    def image(self, region: str, image_id: str) -> Image:
        """Return one image's record; deregistered images are included.

        Raises:
            KeyError: there is no such image, or it vanished.
        """
        with self._lock:
            self.state.advance(region)
            image = self.state.images[region].get(image_id) or self.state.deregistered[region].get(image_id)
        if image is None:
            raise KeyError(f"{region}/{image_id}")
        return image

    def snapshots(self, region: str | None = None, account: str | None = None) -> list[Snapshot]:
        """Return the snapshots of one region or of all, including those that EC2 doesn't list yet."""
        with self._lock:
            regions = self._advanced(region, self.state.snapshots)
            snapshots = [snapshot for name in regions for snapshot in self.state.snapshots[name].values()]
        return [snapshot for snapshot in snapshots if account in (None, snapshot.owner)]

    def snapshot(self, region: str, snapshot_id: str) -> Snapshot:
        """Return one snapshot's record.

        Raises:
            KeyError: there is no such snapshot.
        """
        with self._lock:
            self.state.advance(region)
            return self.state.snapshots[region][snapshot_id]

    def _advanced(self, region: str | None, every: Iterable[str]) -> list[str]:
        """Bring the region, or every one of them, up to date; return their names."""
        names = [region] if region else list(every)
        for name in names:
            self.state.advance(name)
        return names

    def register(self, region: str, **attributes: Any) -> Image:
        """Add a finished image with its snapshots; `register.register` documents the attributes."""
        with self._lock:
            return register(self.state, region, **attributes)

    def remove(self, region: str, image_id: str) -> None:
        """Remove an image without a trace, as no EC2 call can."""
        self.state.images[region].pop(image_id, None)

    def settings(self, region: str, account: str = DEFAULT_ACCOUNT) -> Settings:
        """Return the account's settings and quotas in the region; changing them changes the world."""
        return self.state.settings_of(account, region)

    def limit_regions(self, regions: Collection[str]) -> None:
        """Let only these regions exist, and enable them for all accounts.

        Raises:
            ValueError: EC2 has no such region; the message is for the user.
        """
        unknown = sorted(set(regions) - set(REGIONS))
        if unknown:
            raise ValueError(f"The sandbox has no region {unknown[0]!r}.")
        self.state.regions = tuple(region for region in REGIONS if region in regions)
        self.state.enabled_regions = frozenset(regions)

    def opt_in(self, *regions: str, account: str = DEFAULT_ACCOUNT) -> None:
        """Enable these opt-in regions for the account, or all of them if none is given."""
        for region in regions or OPT_IN:
            self.state.settings_of(account, region).opted_in = True
