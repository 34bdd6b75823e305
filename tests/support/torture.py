"""Searching for a broken promise: a world that strikes at a chosen request, and what must be true of it ever after.

Refuses to choose where to strike, and with what: the tests that use it do. Run as a program it is the nursery: it
forks one real ``amicopy`` process per line on its standard input, so that each can be killed as a process is.
"""

import contextlib
import gc
import gzip
import io
import json
import mmap
import os
import re
import signal
import struct
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import botocore.handlers
import botocore.loaders
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError
from werkzeug.test import EnvironBuilder

from amicopy.aws.session import Session
from amicopy.cli.environment import Environment
from amicopy.cli.handlers import boot as booting
from amicopy.cli.handlers import cancel as cancelling
from amicopy.cli.handlers import copy as copying
from amicopy.cli.handlers import retire as retiring
from amicopy.cli.main import main
from amicopy.core.clock import Clock, Wakes
from amicopy.core.models import SOURCE_TAG, VIA_TAG
from amicopy.core.parallel import Stop
from amicopy.sandbox.behavior import Rates, Timing, Unconfirmed
from amicopy.sandbox.ec2.operations import OPERATIONS
from amicopy.sandbox.faults import ConnectionCut
from amicopy.sandbox.http import moto_adapter as adapter
from amicopy.sandbox.http.other_services import ServiceRequest
from amicopy.sandbox.http.server import Sandbox
from amicopy.sandbox.records import DEFAULT_ACCOUNT, Image, Snapshot, Volume
from amicopy.sandbox.world import World
from tests.support.clock import START, FakeClock, one_after_another

HOME = "us-east-1"
REGIONS = ("us-west-2", "eu-west-1", "eu-central-1")
ALICE, BOB, CAROL = "111122223333", "444455556666", "777788889999"
ORGANIZATION = "arn:aws:organizations::111122223333:organization/o-exampleorg1"
UNIT = "arn:aws:organizations::111122223333:ou/o-exampleorg1/ou-abcd-12345678"
# Imported now, so that a process that is born later runs what its siblings ran.
COMMANDS = (
    booting,
    copying,
    cancelling,
    retiring,
)
LIVE = ("pending", "available")
READS = ("Describe", "Get", "List")
# A copy that CopyImage was asked for with one of our tokens was made by amicopy, whatever became of its tags.
TOKEN = "amicopy-"
PATIENCE = 30  # real seconds until a process that hangs fails its test


def a_rich_source(world: World, number: int = 0) -> Image:
    """Register a source of three volumes with everything that a copy does not carry by itself."""
    return world.register(
        HOME,
        name=f"web-{number}",
        description="a web server",
        tags={"Name": f"web {number}", "Team": "web", "Empty": ""},
        volumes=[
            Volume(device="/dev/sda1", gib=8, tags={"Disk": "root"}, shared_with=frozenset({ALICE})),
            Volume(device="/dev/sdf", gib=20, tags={"Disk": "data", "Backup": "no"}, shared_with=frozenset({BOB})),
            Volume(device="/dev/sdg", gib=4),
        ],
        launch_permissions={ALICE, ORGANIZATION, UNIT},
        deprecate_at=START + timedelta(days=90),
    )


# The world

Hook = Callable[[str, bool], None]  # the operation, and whether it writes


def _nothing(_operation: str, _writes: bool) -> None:
    """Let a request pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request that could change something: who made it, and the state of the image that it was about before."""

    actor: str
    operation: str
    region: str
    params: Mapping[str, Any]
    at: datetime
    state_before: str = ""
    made_by: str = ""
    went_well: bool = True


class TortureWorld(World):
    """A world that tells a hook of every request, and remembers who wrote what."""

    def __init__(self, clock: Clock, *, timing: Timing | None = None, unconfirmed: Unconfirmed | None = None) -> None:
        super().__init__(clock, timing=timing, unconfirmed=unconfirmed)
        self.actor = "somebody"
        self.seen: list[Seen] = []
        self.makers: dict[str, str] = {}  # who asked for each copy first
        self.before: Hook = _nothing
        self.after: Hook = _nothing

    def serve(self, operation: str, params: Mapping[str, Any], *, region: str, **rest: Any) -> Any:
        """Answer a call; the hooks may raise ConnectionCut, before or after it has taken effect."""
        write = not operation.startswith(READS) and not params.get("DryRun")
        self.before(operation, write)
        if write:
            self.images(region)  # brings the region up to date
        image = self.state.images[region].get(params.get("ImageId", ""))
        state = image.state if image else ""
        went_well = False
        try:
            answer = super().serve(operation, params, region=region, **rest)
            went_well = True
        finally:
            if write:
                for made in self.state.images[region].keys() - self.makers.keys():
                    self.makers[made] = self.actor
                self.seen.append(
                    Seen(
                        actor=self.actor,
                        operation=operation,
                        region=region,
                        params=params,
                        at=self.clock.now(),
                        state_before=state,
                        made_by=self.makers.get(params.get("ImageId", ""), ""),
                        went_well=went_well,
                    )
                )
        self.after(operation, write)
        return answer

    def made_by_us(self, region: str) -> set[str]:
        """Return the ids of all images that amicopy has made there, dead ones included."""
        return {
            image_id
            for (_, where, token), (_, image_id) in self.state.tokens.items()
            if where == region and token.startswith(TOKEN)
        }


class TortureSandbox(Sandbox):
    """A sandbox with such a world behind it."""

    def _new_world(
        self, clock: Clock, timing: Timing, unconfirmed: Unconfirmed, rates: Rates, *, samples: bool
    ) -> World:
        assert not samples
        assert rates == "none"
        world = TortureWorld(clock, timing=timing, unconfirmed=unconfirmed)
        adapter.connect(world)
        return world

    @property
    def torture(self) -> TortureWorld:
        """Return the world as what it is."""
        assert isinstance(self.world, TortureWorld)
        return self.world


# What must be true


def copies_of(world: World, source: Image, region: str) -> list[Image]:
    """Return every image in a region that was copied from the source, or by us from a copy of it, by EC2's lineage."""
    root = (source.region, source.image_id)
    return [
        image
        for image in world.images(region)
        if _lineage(image) == root or (VIA_TAG in image.tags and _lineage(_hub(world, image)) == root)
    ]


def _lineage(image: Image | None) -> tuple[str, str]:
    return (image.source_image_region, image.source_image_id) if image else ("", "")


def _hub(world: World, image: Image) -> Image | None:
    region, image_id = _lineage(image)
    return {**world.state.deregistered[region], **world.state.images[region]}.get(image_id) if region else None


def lacks(
    world: World, source: Image, copy: Image, tags: Mapping[str, str], *, may_lack_ours: bool = False
) -> list[str]:
    """Return what a copy lacks of its source, in words: an account of faithfulness that shares no code with ours.

    A copy that a person has changed ``may_lack_ours``, our own tags.
    """
    found = []
    if copy.state != "available":
        found.append(f"it is {copy.state}")
    made_by_us = copy.image_id in world.made_by_us(copy.region) if isinstance(world, TortureWorld) else True
    ours = {SOURCE_TAG: f"{source.region}/{source.image_id}"} if made_by_us and not may_lack_ours else {}
    if not _within({**_without_ours(source.tags), **tags, **ours}, copy.tags):
        found.append(f"tags: {source.tags} and {tags}, found {copy.tags}")
    if missing := source.launch_permissions - copy.launch_permissions:
        found.append(f"launch permissions: {sorted(missing)}")
    if source.deprecate_at and source.deprecate_at > world.clock.now() and copy.deprecate_at != source.deprecate_at:
        found.append(f"deprecation: {source.deprecate_at}, found {copy.deprecate_at}")
    theirs = {device.name: device.snapshot_id for device in copy.devices}
    for device in source.devices:
        if not device.snapshot_id:
            continue
        old = world.snapshot(source.region, device.snapshot_id)
        held = world.state.snapshots[copy.region].get(theirs.get(device.name, ""))
        if held is None:
            found.append(f"{device.name} has no snapshot")
            continue
        if not _within({**_without_ours(old.tags), **tags, **ours}, held.tags):
            found.append(f"tags of {device.name}: {old.tags} and {tags}, found {held.tags}")
        if missing := old.shared_with - held.shared_with:
            found.append(f"permissions of {device.name}: {sorted(missing)}")
    return found


def exceeds(world: World, source: Image, copy: Image) -> list[str]:
    """Return who may use a copy, or its snapshots, and not the source: for worlds whose source never changed."""
    found = [f"launch: {who}" for who in copy.launch_permissions - source.launch_permissions]
    theirs = {device.name: device.snapshot_id for device in copy.devices}
    for device in source.devices:
        if device.snapshot_id and theirs.get(device.name) in world.state.snapshots[copy.region]:
            old, held = (
                world.snapshot(source.region, device.snapshot_id),
                world.snapshot(copy.region, theirs[device.name]),
            )
            found += [f"{device.name}: {who}" for who in held.shared_with - old.shared_with]
            found += [f"{device.name}: tag {key}" for key in held.tags.keys() - old.tags.keys() - {SOURCE_TAG}]
    return found


def orphans(world: World, region: str) -> list[Snapshot]:
    """Return the snapshots that bear our tag, and whose image is not there; one that is deleted may linger."""
    images = {image.image_id for image in world.images(region)}
    used = {snapshot_id for image in world.images(region) for snapshot_id in image.snapshot_ids}
    return [
        one
        for one in world.snapshots(region, DEFAULT_ACCOUNT)
        if SOURCE_TAG in one.tags
        and not one.deleted
        and one.snapshot_id not in used
        and destination_of(one) not in images
    ]


def destination_of(snapshot: Snapshot) -> str:
    """Return the id of the image that a snapshot was made for."""
    match = re.search(r"DestinationAmi (ami-\w+)", snapshot.description)
    return match[1] if match else ""


def _without_ours(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags of a source that its copies have too: not the one that says what it was copied from itself."""
    return {key: value for key, value in tags.items() if key != SOURCE_TAG}


def _within(desired: Mapping[str, str], found: Mapping[str, str]) -> bool:
    return all(found.get(key) == value for key, value in desired.items())


def final_complaints(world: World, source: Image, regions: Iterable[str]) -> list[str]:
    """Return everything that is not as promised in a world where amicopy alone has worked."""
    found = []
    for region in regions:
        copies = copies_of(world, source, region)
        live = [copy for copy in copies if copy.state in LIVE]
        if len(live) != 1:
            found.append(f"{region}: {len(live)} live copies of {source.name}")
        found += [f"{region}: {copy.image_id} is {copy.state}" for copy in copies if copy.state not in LIVE]
        for copy in live:
            found += [f"{region}: {text}" for text in lacks(world, source, copy, {})]
            found += [f"{region}: wider: {text}" for text in exceeds(world, source, copy)]
        found += [f"{region}: orphan {one.snapshot_id} of {destination_of(one)}" for one in orphans(world, region)]
    return found


# Commands without sockets: real botocore, and instead of HTTP the sandbox's own front


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended; ``code`` None: it was killed."""

    code: int | None
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The document on stdout."""
        return json.loads(self.out)


class Killed(BaseException):
    """What a process that is killed does: nothing more."""


class _Raw(io.BytesIO):
    def stream(self, **_options: Any) -> Iterator[bytes]:
        yield self.read()


_NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
_DENIED = b'{"__type": "AccessDeniedException", "message": "not authorized to perform this action"}'


class Wireless:
    """Answers botocore's requests in this process, with the bytes that the sandbox would have sent.

    Other services than EC2 and STS allow nothing.
    """

    _SCOPE = re.compile(r"Credential=([^/, ]+)/\d+/([^/, ]+)/([^/, ]+)/")

    def __init__(self) -> None:
        self.world: TortureWorld | None = None

    def before_send(self, request: Any, **_context: Any) -> AWSResponse | None:
        """Answer a request that botocore is about to send; leave it alone where there is no world."""
        if self.world is None:
            return None
        authorization = request.headers["Authorization"]
        text = authorization.decode() if isinstance(authorization, bytes) else authorization
        scope = self._SCOPE.search(text)
        assert scope is not None
        session = self.world.state.sessions.get(scope[1])
        caller: dict[str, Any] = {
            "world": self.world,
            "authorizer": None,
            "region": scope[2],
            "account": session.account if session else DEFAULT_ACCOUNT,
            "access_key": scope[1],
            "session": session,
        }
        if scope[3] == "sts":
            return _sts(request, ServiceRequest(**caller, service="sts"))
        if scope[3] != "ec2":
            return AWSResponse(request.url, 400, {}, _Raw(_DENIED))
        body = request.body.decode() if isinstance(request.body, bytes) else request.body
        form = dict(parse_qsl(body, keep_blank_values=True))
        left: dict[str, Any] = {}
        ec2_request = adapter.Ec2Request(**caller)
        status, headers, answer = ec2_request.respond(form, left, _no_instances)
        if adapter.CONNECTION_CUT in left:
            raise ConnectionClosedError(endpoint_url=request.url)
        dated = {**headers, "Date": format_datetime(self.world.clock.now(), usegmt=True)}
        return AWSResponse(request.url, status, dated, _Raw(answer.encode()))

    @contextlib.contextmanager
    def listening(self) -> Iterator["Wireless"]:
        """Stand where botocore lets handlers stand, for every client that is made meanwhile."""
        entry = ("before-send", self.before_send)
        botocore.handlers.BUILTIN_HANDLERS.append(entry)
        try:
            yield self
        finally:
            botocore.handlers.BUILTIN_HANDLERS.remove(entry)

    @staticmethod
    def write_model(folder: Path) -> None:
        """Write the part of EC2's model that the sandbox answers to where AWS_DATA_PATH is to point.

        With the whole of it botocore takes 10 ms and more to make a client, with this 1 ms.
        """
        loader = botocore.loaders.Loader()
        version = loader.determine_latest_version("ec2", "service-2")
        model = json.loads(json.dumps(loader.load_service_model("ec2", "service-2", version)))
        known = {*OPERATIONS, "DescribeInstances"}
        model["operations"] = {name: one for name, one in model["operations"].items() if name in known}
        needed = set(_shapes(model["operations"]))
        while more := set(_shapes([model["shapes"][name] for name in needed])) - needed:
            needed |= more
        model["shapes"] = {name: one for name, one in model["shapes"].items() if name in needed}
        place = folder / "ec2" / version
        place.mkdir(parents=True)
        with gzip.open(place / "service-2.json.gz", "wt") as file:
            json.dump(model, file)


def _shapes(part: Any) -> Iterator[str]:
    """Yield the name of every shape that a part of a service's model refers to."""
    if isinstance(part, dict):
        if isinstance(part.get("shape"), str):
            yield part["shape"]
        part = list(part.values())
    if isinstance(part, list):
        for one in part:
            yield from _shapes(one)


def _sts(request: Any, sts_request: ServiceRequest) -> AWSResponse:
    headers = {name: text.decode() if isinstance(text, bytes) else text for name, text in request.headers.items()}
    environ = EnvironBuilder(
        method="POST", base_url="http://127.0.0.1", data=request.body, headers=headers
    ).get_environ()
    environ["HTTP_X_MOTO_ACCOUNT_ID"] = sts_request.account
    try:
        status, answered, answer = sts_request.respond(environ)
    except ConnectionCut:
        raise ConnectionClosedError(endpoint_url=request.url) from None
    return AWSResponse(request.url, status, dict(answered), _Raw(answer))


def _no_instances(form: Mapping[str, str]) -> Any:
    """Return what moto would say of an account without instances; nothing else of moto's is needed."""
    if form["Action"] != "DescribeInstances":
        raise NotImplementedError
    return 200, {}, f'<DescribeInstancesResponse xmlns="{_NAMESPACE}"><reservationSet/></DescribeInstancesResponse>'


def run_here(clock: FakeClock, argv: Sequence[str], stop: Stop | None = None) -> Ended:
    """Run a command in this process, its lanes one after another; one that is killed says nothing."""
    out, err = io.StringIO(), io.StringIO()
    environment = Environment(clock=clock, drive=one_after_another, stop=stop or Stop())
    code: int | None = None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), contextlib.suppress(Killed):
        code = main(argv, environment)
    return Ended(code=code, out=out.getvalue(), err=err.getvalue())


# Commands in processes of their own


class SharedClock:
    """A fake clock that lives in a file, so that a process moves the time of the world that it talks to."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(struct.pack("d", 0.0))
        with path.open("r+b") as file:
            self._held = mmap.mmap(file.fileno(), 8)

    def now(self) -> datetime:
        """Return the moment that the clock stands at."""
        return START + timedelta(seconds=self._seconds())

    def sleep(self, seconds: float, until: Wakes | None = None) -> None:
        """Move the clock instead of waiting, unless the event is already set."""
        if until is None or not until.is_set():
            self.advance(seconds)

    def begin_anew(self) -> None:
        """Set it back to where every world begins."""
        self._held[:] = struct.pack("d", 0.0)

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self._held[:] = struct.pack("d", self._seconds() + seconds)

    def _seconds(self) -> float:
        value: float = struct.unpack("d", self._held[:])[0]
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """A signal to the process that makes the ``request``-th request, before or after it has taken effect."""

    request: int
    after: bool
    signal: int = signal.SIGKILL
    fatal: bool = True

    def __str__(self) -> str:
        when = "after" if self.after else "before"
        return f"{signal.Signals(self.signal).name} {when} request {self.request}"


@dataclass(slots=True)
class Target:
    """The process that runs at the moment, and who is to strike it when."""

    strikes: tuple[Strike, ...]
    pid: int = 0
    requests: int = 0
    named: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    status: int = 0
    happened: int = 0
    made: list[str] = field(default_factory=list)  # the operation of each request that writes, "" for others
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _mine: threading.local = field(default_factory=threading.local)

    def before(self, operation: str, writes: bool) -> None:
        """Count a request, and strike before it takes effect."""
        with self._lock:
            self.requests += 1
            self._mine.number = self.requests
            self.made.append(operation if writes else "")
        self._strike(after=False)

    def after(self, _operation: str, _writes: bool) -> None:
        """Strike after it has taken effect, while its reply is still here."""
        self._strike(after=True)

    def _strike(self, *, after: bool) -> None:
        if self.ended.is_set():
            raise ConnectionCut
        for strike in self.strikes:
            if (strike.request, strike.after) != (self._mine.number, after):
                continue
            self.happened += 1
            assert self.named.wait(PATIENCE)
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, strike.signal)
            if strike.fatal:
                self.ended.wait(PATIENCE)
                raise ConnectionCut


class Nursery:
    """A process that forks an ``amicopy`` per command: what Python has imported is not imported again."""

    def __init__(self, clock_file: Path, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.torture", str(clock_file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            env={**os.environ, **environment},
        )

    def run(self, world: TortureWorld, argv: Sequence[str], *strikes: Strike, threads: bool = False) -> Target:
        """Run a command to its end, which may be a violent one."""
        target = Target(strikes)
        world.before, world.after = target.before, target.after
        world.actor = "amicopy"
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"argv": list(argv), "threads": threads}) + "\n")
        self._process.stdin.flush()
        target.pid = int(self._line())
        target.named.set()
        target.status = int(self._line())
        target.ended.set()
        world.before = world.after = _nothing
        world.actor = "somebody"
        return target

    def close(self) -> None:
        """End it, and with it every process that it has forked: it waits for each before the next."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE)
        self._process.stdout.close()

    def _line(self) -> str:
        assert self._process.stdout is not None
        text = self._process.stdout.readline()
        assert text, "the nursery has died"
        return text


def _nurse(clock_file: Path) -> None:
    """Fork a process per command on stdin; say its id, then how it ended."""
    warm = Session()
    for region in (HOME, *REGIONS):
        warm.client("ec2", region)  # the models that botocore reads are read once, for all that are born here
    gc.freeze()
    say = os.fdopen(os.dup(1), "w")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    if "AMICOPY_TORTURE_SHOW" not in os.environ:
        os.dup2(nowhere, 2)
    for text in sys.stdin:
        order = json.loads(text)
        pid = os.fork()
        if pid == 0:
            os.dup2(nowhere, 0)
            drive = None if order["threads"] else one_after_another
            environment = Environment(clock=SharedClock(clock_file), drive=drive, handle_signals=True)
            code = main(order["argv"], environment)
            sys.stderr.flush()
            os._exit(code)
        say.write(f"{pid}\n")
        say.flush()
        _, status = os.waitpid(pid, 0)
        say.write(f"{os.waitstatus_to_exitcode(status)}\n")
        say.flush()


@dataclass(slots=True)
class Tally:
    """What a long search has done, for its last line."""

    seed: int
    started: float = field(default_factory=time.monotonic)
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def __str__(self) -> str:
        numbers = ", ".join(f"{count} {what}" for what, count in self.counts.items())
        return f"torture: seed {self.seed}, {numbers}, {time.monotonic() - self.started:.0f} s"


if __name__ == "__main__":
    _nurse(Path(sys.argv[1]))
