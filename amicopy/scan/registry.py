"""What of a Windows registry is read, and how it is shown: a key as a file, a value as a line of it.

Left out, unless everything is read, is what Windows itself brings: classes, components, drivers' hardware.
"""

from collections.abc import Iterator, Sequence

from amicopy.scan.device import BlockLimitReached, Device, Unreadable
from amicopy.scan.file_system import Steps
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
            hive = Hive(device, steps)
            for key, content in keys_as_files(hive, path.rpartition("/")[2], deep=deep):
                walk.seen.files += 1
                walk.seen.bytes += len(content)
                yield path + key, content
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


def keys_as_files(hive: Hive, name: str, *, deep: bool) -> Iterator[tuple[str, bytes]]:
    """Yield the path of every key that is read and has values that are text, and these as lines ``name = text``.

    Raises Unreadable where the hive is damaged.
    """
    root = hive.key(hive.root)
    todo: list[tuple[Key, tuple[str, ...]]] = [(root, ())]
    while todo:
        key, path = todo.pop()
        lines = [f"{value or '(default)'} = {text}" for value, text in hive.values(key)]
        if lines:
            yield "".join(f"/{part}" for part in path), "\n".join(lines).encode("utf-8", "replace")
        if len(path) >= _MOST_DEPTH:
            raise Unreadable("the registry is damaged: its keys are too deep")
        below = [(one, (*path, _printable(one.name))) for one in hive.keys(key)]
        todo += [(one, where) for one, where in reversed(below) if deep or _is_read(name, where)]


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
