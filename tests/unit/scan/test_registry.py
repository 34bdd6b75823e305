"""The registry of Windows: keys and texts are read, what Windows brings is left out, damage is a gap."""

import random
import re
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from amicopy.core.errors import Interrupted
from amicopy.scan.device import BlockLimitReached, BlockUnreadable, Device, Disk, RawFile, Unreadable
from amicopy.scan.file_system import Steps, TooComplicated
from amicopy.scan.ntfs import Ntfs
from amicopy.scan.regf import Hive
from amicopy.scan.registry import Damage, contents_of_registry, keys_as_files
from amicopy.scan.result import ScanOptions, ScanResult, Severity
from amicopy.scan.scan import scan_device
from amicopy.scan.select import Selection
from amicopy.scan.walk import Walk
from tests.support.disks import unpack
from tests.support.hives import BINARY, DWORD, EXPAND_SZ, MULTI_SZ, SZ, hive
from tests.unit.scan.conftest import OpenDisk

FIXTURE = Path(__file__).parent / "fixtures" / "ntfs-windows.xz"
TREE: dict[str, Any] = {
    "Amazon": {
        "App": {
            "": "the default",
            "Region": "us-east-1",
            "Endpoint": (EXPAND_SZ, "https://sqs.us-east-1.amazonaws.com"),
            "Hosts": (MULTI_SZ, ["a", "b"]),
            "Count": (DWORD, b"\1\0\0\0"),
            "Data": (BINARY, b"us-east-1"),
            "T": (SZ, "t\0".encode("utf-16-le")),
            "Lines": "one\r\ntwo",
            "Odd": (SZ, b"t\0\1"),
            "Remains": (SZ, "text\0us-east-1\0".encode("utf-16-le")),
        }
    },
    "Many": {f"Key{number}": {"v": str(number)} for number in range(300)},
    "Long": {"text": "ab" * 20_000},
}


def read(disk: OpenDisk, path: Path, data: bytes, name: str = "SOFTWARE", *, deep: bool = False) -> dict[str, str]:
    found, damage = read_damaged(disk, path, data, name, deep=deep)
    assert not damage.count
    return found


def read_damaged(
    disk: OpenDisk, path: Path, data: bytes, name: str = "SOFTWARE", *, deep: bool = True
) -> tuple[dict[str, str], Damage]:
    path.write_bytes(data)
    damage = Damage()
    return {key: content.decode() for key, content in keys_as_files(Hive(disk(path)), name, damage, deep=deep)}, damage


@pytest.mark.parametrize("lists", ["lf", "lh", "li", "ri"])
def test_every_text_is_read(lists: str, tmp_path: Path, disk: OpenDisk) -> None:
    found = read(disk, tmp_path / "hive", hive(TREE, lists=lists))
    assert found["/Amazon/App"].split("\n") == [
        "(default) = the default",
        "Region = us-east-1",
        "Endpoint = https://sqs.us-east-1.amazonaws.com",
        "Hosts = a b",
        "T = t",
        "Lines = one two",
        "Odd = t",
        "Remains = text",
    ]
    assert {key for key in found if key.startswith("/Many/")} == {f"/Many/Key{number}" for number in range(300)}
    assert found["/Long"] == "text = " + "ab" * 16_384  # the beginning of it


@pytest.mark.parametrize(
    ("name", "tree", "expected"),
    [
        (
            "SOFTWARE",
            {
                "Classes": {"x": {"v": "1"}},
                "WOW6432Node": {"Microsoft": {"v": "1"}, "App": {"v": "1"}},
                "Microsoft": {
                    "v": "1",
                    "Windows": {"CurrentVersion": {"RUN": {"v": "1", "sub": {"v": "1"}}, "X": {"v": "1"}}},
                },
            },
            # The values of a key on the way to one that is read are read, too.
            {
                "/WOW6432Node/App",
                "/Microsoft",
                "/Microsoft/Windows/CurrentVersion/RUN",
                "/Microsoft/Windows/CurrentVersion/RUN/sub",
            },
        ),
        (
            "SYSTEM",
            {"ControlSet001": {"Enum": {"v": "1"}, "Services": {"x": {"v": "1"}}, "Control": {"Class": {"v": "1"}}}},
            {"/ControlSet001/Services/x"},
        ),
        ("NTUSER.DAT", {"Environment": {"v": "1"}, "Software": {"Classes": {"v": "1"}}}, {"/Environment"}),
    ],
)
def test_what_windows_brings_is_left_out(
    name: str, tree: dict[str, Any], expected: set[str], tmp_path: Path, disk: OpenDisk
) -> None:
    assert read(disk, tmp_path / "hive", hive(tree), name).keys() == expected
    assert len(read(disk, tmp_path / "hive", hive(tree), name, deep=True)) > len(expected)


def test_damage_is_never_another_error_and_never_endless(tmp_path: Path, disk: OpenDisk) -> None:
    good = hive(TREE)
    draw = random.Random(7)
    ended = {"whole": 0, "in part": 0, "not": 0}
    for number in range(300):
        data = bytearray(good)
        for _ in range(draw.choice((1, 3, 30))):
            at = draw.randrange(4, len(data) - 4)
            data[at : at + 4] = draw.choice(
                (draw.randbytes(4), b"\xff" * 4, data[(there := draw.randrange(0, len(data) - 4)) : there + 4])
            )
        try:
            _, damage = read_damaged(disk, tmp_path / f"hive{number}", bytes(data))
            ended["in part" if damage.count else "whole"] += 1
        except Unreadable:
            ended["not"] += 1
    assert min(ended["whole"], ended["in part"]) > 20, ended


def test_what_is_not_damaged_is_read(tmp_path: Path, disk: OpenDisk) -> None:
    """One key, one value and one list of keys make no sense; the keys beside them are read."""
    tree: dict[str, Any] = {
        "A": {"v": "1", "B": {"v": "2"}},
        "C": {"broken": "3", "v": "4"},
        "D": {"v": "5", "E": {"v": "6"}, "F": {"v": "7"}},
    }
    data = bytearray(hive(tree))
    key_b, value, list_d = (data.index(word) for word in (b"B\0\0\0", b"broken", b"lh\2\0"))
    data[key_b - 76 : key_b - 74] = data[value - 20 : value - 18] = data[list_d : list_d + 2] = b"xx"
    found, damage = read_damaged(disk, tmp_path / "hive", bytes(data))
    assert found == {"/A": "v = 1", "/C": "v = 4", "/D": "v = 5"}
    assert damage == Damage("/A", "a key of the registry is damaged", 3)


def test_keys_that_are_too_deep_are_damage(tmp_path: Path, disk: OpenDisk) -> None:
    tree: dict[str, Any] = {"v": "the last"}
    for _ in range(64):
        tree = {"k": tree}
    assert list(read(disk, tmp_path / "hive", hive(tree)).values()) == ["v = the last"]
    found, damage = read_damaged(disk, tmp_path / "hive2", hive({"k": tree, "v": "1"}))
    assert found == {"": "v = 1"}
    assert damage == Damage("/k" * 64, "what is below it is too deep", 1)


class SmallBlocks(RawFile):
    """A file in blocks of 4 KiB; it remembers which were fetched together."""

    block_size = 4096

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.fetched: list[Sequence[int]] = []

    def fetch(self, indexes: Sequence[int]) -> Iterator[tuple[int, bytes | BlockUnreadable]]:
        self.fetched.append(indexes)
        return super().fetch(indexes)


def test_what_ends_the_scan_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "hive"
    path.write_bytes(hive(TREE))
    with SmallBlocks(path) as source:
        with pytest.raises(TooComplicated):
            list(keys_as_files(Hive(Disk(source), Steps(1000)), "", Damage(), deep=True))
        with pytest.raises(BlockLimitReached):
            list(keys_as_files(Hive(Disk(source, max_blocks=20)), "", Damage(), deep=True))


def test_the_keys_below_a_key_are_fetched_together(tmp_path: Path) -> None:
    path = tmp_path / "hive"
    path.write_bytes(hive({f"Key{number}": {"v": "text"} for number in range(300)}))
    with SmallBlocks(path) as source:
        assert len(list(keys_as_files(Hive(Disk(source)), "", Damage(), deep=True))) == 300
    assert len(source.fetched) <= 5
    assert sum(map(len, source.fetched)) > 10


def test_a_key_whose_number_of_values_is_a_handle_has_none(tmp_path: Path, disk: OpenDisk) -> None:
    data = bytearray(hive({"009": {}, "App": {"v": "1"}}))
    key = data.index(b"009") - 76
    data[key + 2 : key + 4] = struct.pack("<H", 0x60)
    data[key + 36 : key + 40] = struct.pack("<I", 0x80000060)
    assert read(disk, tmp_path / "hive", bytes(data)) == {"/App": "v = 1"}


@pytest.fixture
def windows(tmp_path: Path) -> Iterator[Disk]:
    with RawFile(unpack(FIXTURE, tmp_path / "disk.img")) as source:
        yield Disk(source)


def scanned(windows: Disk, **options: Any) -> ScanResult:
    return scan_device(windows, ScanOptions(region="us-east-1", **options))


CONFIGURED = {
    ("/inetpub/wwwroot/web.config", 1),
    ("/ProgramData/Amazon/AmazonCloudWatchAgent/config.json", 1),
    ("/Program Files/App/app.ini", 2),
    ("/Users/Administrator/deploy.ps1", 1),
    ("/Windows/System32/drivers/etc/hosts", 1),
    ("/Windows/System32/inetsrv/config/applicationHost.config", 1),
    ("/Windows/System32/Tasks/Backup", 1),
    ("/Windows/System32/config/SOFTWARE/Amazon/App", 1),
    ("/Windows/System32/config/SOFTWARE/Microsoft/Windows/CurrentVersion/Run", 1),
    ("/Windows/System32/config/SYSTEM/ControlSet001/Control/Session Manager/Environment", 1),
    ("/Windows/System32/config/SYSTEM/ControlSet001/Services/Web", 1),
    ("/Windows/System32/config/SYSTEM/ControlSet001/Services/Web", 2),
    ("/Users/Administrator/NTUSER.DAT/Environment", 1),
}
IN_LOGS = {
    ("/Windows/System32/config/SYSTEM/ControlSet001/Services/Worker", 1),
    ("/Windows/System32/config/SYSTEM/ControlSet001/Services/Late/Parameters", 1),
}


def test_a_windows_system_is_scanned_with_its_registry(windows: Disk) -> None:
    result = scanned(windows)
    assert {(one.path, one.line) for one in result.findings} == CONFIGURED | IN_LOGS
    assert {one.severity for one in result.findings} == {Severity.HIGH}
    assert not [one for one in result.coverage.not_read if one.is_gap or one.path]


def test_deep_reads_what_windows_brings(windows: Disk) -> None:
    more = {one.path for one in scanned(windows, deep=True).findings} - {path for path, _ in CONFIGURED | IN_LOGS}
    assert {"/Windows/WinSxS/a/manifest.xml", "/Windows/System32/config/SYSTEM/ControlSet001/Enum/X"} <= more


def test_a_log_that_cannot_be_applied_is_said_and_the_hive_read_without_it(tmp_path: Path) -> None:
    image = unpack(FIXTURE, tmp_path / "disk.img")
    image.write_bytes(image.read_bytes().replace(b"HvLE", b"gone"))
    with RawFile(image) as source:
        result = scanned(Disk(source))
    assert {(one.path, one.line) for one in result.findings} == CONFIGURED
    assert result.coverage.is_complete
    assert {one.path: one.reason for one in result.coverage.not_read if one.path} == {
        "/Windows/System32/config/SYSTEM": "its log could not be applied: there is no change in it"
    }


class Asked(Walk):
    """A walk that remembers which files are read as devices; some cannot be."""

    def __init__(
        self, device: Device, unreadable: Sequence[str] = (), check: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__("", device, Ntfs(device), check)
        self._unreadable = unreadable
        self.paths: list[str] = []

    def device_of(self, path: str) -> Device | None:
        self.paths.append(path)
        if path.endswith(tuple(self._unreadable)):
            raise Unreadable("block 3 cannot be read: it is gone")
        return super().device_of(path)


def test_logs_are_looked_for_only_where_a_hive_needs_them(windows: Disk) -> None:
    walk = Asked(windows)
    found = [path for path, _ in contents_of_registry(walk, Selection(walk.root_names(), deep=True), deep=True)]
    config = "/Windows/System32/config"
    system = [f"{config}/SYSTEM{ending}" for ending in ("", ".LOG1", ".LOG2", ".LOG")]
    assert walk.paths == [*system, f"{config}/SOFTWARE", "/Users/Administrator/NTUSER.DAT"]
    assert not [path for path in found if "Never" in path]  # SOFTWARE's log, which has a change of it


def test_reading_a_hive_can_be_interrupted(windows: Disk) -> None:
    read_keys: list[str] = []

    def interrupt_after_two() -> None:
        if len(read_keys) == 2:
            raise Interrupted("interrupted", why="", next_step="")

    walk = Asked(windows, check=interrupt_after_two)
    with pytest.raises(Interrupted):
        for path, _ in contents_of_registry(walk, Selection(walk.root_names(), deep=True), deep=True):
            read_keys.append(path)
    assert len(read_keys) == 2


def test_a_log_that_cannot_be_read_is_a_gap(windows: Disk) -> None:
    walk = Asked(windows, [".LOG2"])
    found = {path for path, _ in contents_of_registry(walk, Selection(walk.root_names(), deep=False), deep=False)}
    assert {path for path, _ in CONFIGURED if "/config/S" in path} <= found
    assert [(gap.path, gap.reason, gap.is_gap) for gap in walk.seen.gaps] == [
        (
            "/Windows/System32/config/SYSTEM",
            "its log could not be applied: block 3 cannot be read: it is gone",
            True,
        )
    ]


def test_damage_in_a_hive_is_a_gap_and_the_rest_of_it_is_read(tmp_path: Path) -> None:
    image = unpack(FIXTURE, tmp_path / "disk.img")
    data = image.read_bytes()
    values = [match.start() for match in re.finditer(rb"vk.{18}(AWS_REGION|Region)", data, re.DOTALL)]
    for start in values:
        data = data[:start] + b"xx" + data[start + 2 :]
    image.write_bytes(data)
    with RawFile(image) as source:
        result = scanned(Disk(source), deep=True, exclude=("/Windows/System32/config/SYSTEM",))
    config, user = "/Windows/System32/config/SOFTWARE", "/Users/Administrator/NTUSER.DAT"
    assert {one.path: one.reason for one in result.coverage.not_read if one.is_gap} == {
        f"{config}/Amazon/App": "a value of the registry is damaged",
        config: "more of it is damaged (keys, values or lists of them): 2",
        f"{user}/Environment": "a value of the registry is damaged",
        user: "more of it is damaged (keys, values or lists of them): 1",
    }
    assert "/Windows/System32/config/SOFTWARE/Microsoft/Windows/CurrentVersion/Run" in {
        one.path for one in result.findings
    }


def test_hives_can_be_excluded(windows: Disk) -> None:
    paths = {one.path for one in scanned(windows, exclude=("/Windows/System32/config", "/Users/*")).findings}
    assert not [path for path in paths if "/config/S" in path or path.startswith("/Users/")]


def test_a_damaged_hive_is_a_gap(tmp_path: Path) -> None:
    image = unpack(FIXTURE, tmp_path / "disk.img")
    data = image.read_bytes()
    image.write_bytes(data.replace(b"regf", b"gone"))
    with RawFile(image) as source:
        result = scanned(Disk(source))
    gaps = {one.path: one.reason for one in result.coverage.not_read if one.is_gap}
    assert gaps == dict.fromkeys(
        ("/Windows/System32/config/SYSTEM", "/Windows/System32/config/SOFTWARE", "/Users/Administrator/NTUSER.DAT"),
        "it is no hive of a registry",
    )
