"""What of a Windows registry is read, and how it is shown: a key as a file, a value as a line of it.

Left out, unless everything is read, is what Windows itself brings: classes, components, drivers' hardware.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from amicopy.scan.device import BlockLimitReached, Device, Unreadable
from amicopy.scan.file_system import Steps, TooComplicated
from amicopy.scan.regf import MOST_STEPS, Hive, Key, base_block
from amicopy.scan.regf_log import replayed
from amicopy.scan.select import Selection
from amicopy.scan.walk import Walk

_USER_HIVE = "NTUSER.DAT"
_MACHINE_HIVES = ("SYSTEM", "SOFTWARE")
_CONFIG = "/Windows/System32/config"
_USERS = "/Users"
_LOGS = (".LOG1", ".LOG2", ".LOG")

# By hive, the keys that are left out, with what is below them; `*` stands for any one name.
_MICROSOFT = ("microsoft", "classes", "wow6432node/microsoft", "wow6432node/classes")
_LEFT_OUT = {
    "SOFTWARE": (*_MICROSOFT, "registeredapplications", "clients"),
    "SYSTEM": (
        *("*/enum", "*/hardware profiles", "*/policies", "driverdatabase", "maps", "rng", "wpa", "hardwareconfig"),
        "*/control/*",
    ),
    _USER_HIVE: tuple(f"software/{name}" for name in _MICROSOFT),
}
# Keys below those that are read all the same.
_READ = {
    "SOFTWARE": (
        "microsoft/windows/currentversion/run",
        "microsoft/windows/currentversion/runonce",
        "microsoft/windows/currentversion/group policy",
        "microsoft/windows nt/currentversion/winlogon",
        "microsoft/powershell",
        "microsoft/inetstp",
    ),
    "SYSTEM": ("*/control/session manager/environment", "*/control/computername", "*/control/timezoneinformation"),
    _USER_HIVE: ("software/microsoft/windows/currentversion/run", "software/microsoft/windows/currentversion/runonce"),
}
_MOST_DEPTH = 64
_Item = TypeVar("_Item")


@dataclass(slots=True)
class Damage:
    """What of a hive cannot be read: where the first of it is, and why, and how many keys, values and lists it is."""

    path: str = ""
    reason: str = ""
    count: int = 0

    def add(self, path: str, reason: str) -> None:
        """Count one more."""
        if not self.count:
            self.path, self.reason = path, reason
        self.count += 1


def contents_of_registry(walk: Walk, selection: Selection, *, deep: bool) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of the keys in the registry of a Windows system; what cannot be read is a gap.

    Raises:
        BlockLimitReached: no more blocks may be fetched.
    """
    users = [f"{_USERS}/{name}/{_USER_HIVE}" for name in walk.names_in(_USERS)]
    steps = Steps(MOST_STEPS)
    for path in (*(f"{_CONFIG}/{name}" for name in _MACHINE_HIVES), *users):
        if selection.is_excluded(path):
            continue
        try:
            device = walk.device_of(path)
            if device is None:
                if path not in users:
                    walk.gap(path, "it is not there")
                continue
            if base_block(device).is_dirty:
                device = _with_log(walk, path, device, steps)
            damage = Damage()
            for key, content in keys_as_files(Hive(device, steps), path.rpartition("/")[2], damage, deep=deep):
                walk.check()
                walk.seen.files += 1
                walk.seen.bytes += len(content)
                yield path + key, content
            if damage.count:
                walk.gap(path + damage.path, damage.reason)
            if damage.count > 1:
                walk.gap(path, f"more of it is damaged (keys, values or lists of them): {damage.count - 1}")
        except BlockLimitReached:
            raise
        except Unreadable as error:
            walk.gap(path, str(error))


def _with_log(walk: Walk, path: str, hive: Device, steps: Steps) -> Device:
    """Return a hive with the changes in its logs, which no other hive needs to be read; what is missing is said."""
    logs: list[Device] = []
    try:
        logs += [log for name in _LOGS if (log := walk.device_of(path + name)) is not None]
        hive, problem = replayed(hive, logs, steps)
        if problem:
            walk.leave_out(path, problem)
    except BlockLimitReached:
        raise
    except Unreadable as error:
        walk.gap(path, f"its log could not be applied: {error}")
    return hive


def keys_as_files(hive: Hive, name: str, damage: Damage, *, deep: bool) -> Iterator[tuple[str, bytes]]:
    """Yield the path of every key that is read and has values that are text, and these as lines ``name = text``.

    What is damaged is left out, and added to ``damage``.

    Raises:
        Unreadable: the root is damaged, or the hive is too complicated.
    """
    todo: list[tuple[Key, tuple[str, ...]]] = [(hive.key(hive.root), ())]
    while todo:
        key, path = todo.pop()
        where = "".join(f"/{part}" for part in path)
        values = _readable(hive.values(key), hive.text, damage, where)
        lines = [f"{value[0] or '(default)'} = {value[1]}" for value in values if value]
        if lines:
            yield where, "\n".join(lines).encode("utf-8", "replace")
        if len(path) >= _MOST_DEPTH and key.key_count:
            damage.add(where, "what is below it is too deep")
            continue
        keys = _readable(hive.keys(key), hive.key, damage, where)
        below = [(one, (*path, _printable(one.name))) for one in keys]
        todo += [(one, there) for one, there in reversed(below) if deep or _is_read(name, there)]


def _readable(offsets: Iterator[int], read: Callable[[int], _Item], damage: Damage, where: str) -> Iterator[_Item]:
    """Yield what is at these offsets, without what is damaged."""
    while True:
        try:
            item = read(next(offsets))
        except StopIteration:
            return
        except (BlockLimitReached, TooComplicated):
            raise
        except Unreadable as error:
            damage.add(where, str(error))
        else:
            yield item


def _is_read(hive: str, path: Sequence[str]) -> bool:
    """Return whether a key is read, or is above one that is."""
    names = tuple(name.lower() for name in path)
    if not any(_is_at_or_below(names, left_out) for left_out in _LEFT_OUT.get(hive, ())):
        return True
    return any(_is_at_or_below(names, read) or _is_above(names, read) for read in _READ.get(hive, ()))


def _is_at_or_below(names: Sequence[str], pattern: str) -> bool:
    parts = pattern.split("/")
    return len(names) >= len(parts) and all(part in {"*", name} for part, name in zip(parts, names, strict=False))


def _is_above(names: Sequence[str], pattern: str) -> bool:
    parts = pattern.split("/")
    return len(names) < len(parts) and all(part in {"*", name} for part, name in zip(parts, names, strict=False))


def _printable(name: str) -> str:
    """Return a key's name as a part of a path."""
    return name.replace("/", "\\")
