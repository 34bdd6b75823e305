"""Which directories are entered and which files are read, by their paths; everything left out has a reason."""

import posixpath
from collections.abc import Callable, Collection, Iterable, Sequence
from fnmatch import fnmatchcase

LARGEST_FILE = 1 << 20
"""Files beyond this size, in bytes, are not configuration."""
LARGEST_INCLUDED = 32 << 20
"""The most bytes that a file may have that the user includes."""

# Where packages put what every machine has alike, and what is made anew at every start.
_SYSTEM = (
    *("/usr/share", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libx32", "/usr/libexec", "/usr/include", "/usr/src"),
    *("/usr/bin", "/usr/sbin", "/usr/games", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"),
    *("/boot", "/snap", "/var/lib/snapd", "/var/lib/dpkg/info", "/var/lib/rpm", "/var/lib/apt", "/var/lib/dnf"),
    *("/var/lib/yum", "/var/lib/pacman", "/var/lib/swcatalog", "/var/lib/app-info", "/var/lib/command-not-found"),
    *("/usr/local/share/man", "/usr/local/aws-cli"),
)
# Configuration that has no place for a region, and is a fifth of the files in /etc on a server.
_LOOKS = (
    *("/etc/X11", "/etc/alsa", "/etc/alternatives", "/etc/bash_completion.d", "/etc/brltty", "/etc/console-setup"),
    *("/etc/dictionaries-common", "/etc/emacs", "/etc/fonts", "/etc/ghostscript", "/etc/groff", "/etc/gtk-2.0"),
    *("/etc/gtk-3.0", "/etc/iproute2", "/etc/pulse", "/etc/selinux", "/etc/sgml", "/etc/terminfo", "/etc/udev/hwdb.d"),
    *("/etc/vim", "/etc/xml"),
)
_CACHES = (
    *("/var/cache", "/var/log", "/var/lib/systemd", "/var/lib/mlocate", "/var/lib/plocate"),
    *("/tmp", "/var/tmp"),  # noqa: S108 - names in an image
)
_FIRST_BOOT = (
    *("/var/lib/cloud/instance", "/var/lib/cloud/instances", "/var/lib/cloud/data", "/var/lib/cloud/sem"),
    *("/var/lib/cloud/handlers", "/var/lib/amazon/ssm"),
)
_CONTAINERS = (
    *("/var/lib/docker", "/var/lib/containerd", "/var/lib/containers", "/var/lib/lxc"),
    *("/var/lib/kubelet/device-plugins", "/var/lib/kubelet/plugins", "/var/lib/kubelet/pods"),
)
_NOT_FILES = ("/proc", "/sys", "/dev", "/run", "/var/run", "/lost+found", "/swapfile", "/swap.img")

_REASONS: tuple[tuple[str, Sequence[str]], ...] = (
    ("installed by packages", _SYSTEM),
    ("fonts, desktops, terminals and the like", _LOOKS),
    ("caches and logs", _CACHES),
    ("state that cloud-init and the SSM agent write anew on a new instance", _FIRST_BOOT),
    ("container images and volumes", _CONTAINERS),
    ("mount points and lost+found", _NOT_FILES),
)
_NAMES = {
    **dict.fromkeys(("site-packages", "dist-packages", "node_modules", "gems"), "installed libraries"),
    **dict.fromkeys((".git", ".hg", ".svn"), "history of version control"),
    **dict.fromkeys((".cache", "__pycache__", ".npm", ".terraform"), "caches and logs"),
    **dict.fromkeys(("overlay2", "overlayfs"), "container images and volumes"),
    **dict.fromkeys((".m2/repository", ".cargo/registry", ".cargo/git"), "installed libraries"),
    "lost+found": "mount points and lost+found",
}
_DEEP_REASONS = {"mount points and lost+found", "container images and volumes"}

_BINARY_SUFFIXES = (
    "7z a avi bin bmp bz2 class cpio dat db deb dll eot exe flac gif gz ico img iso jar jpeg jpg ko lz4 lzma "
    "mo mp3 mp4 o ogg otf parquet pdf pkl png pyc pyo qcow2 rpm so sqlite sqlite3 tar tbz tgz tif tiff ttf txz "
    "war wasm wav webp whl woff woff2 xz zip zst "
    "blf cab cat cpl etl evtx lnk mof mui msi msp msu nls ocx pdb regtrans-ms scr sys tlb winmd"
)
_BINARY = frozenset(_BINARY_SUFFIXES.split())

# Windows: what it brings itself, in lower case; and what is configured below that.
_WINDOWS_REASONS: tuple[tuple[str, Sequence[str]], ...] = (
    (
        "installed with Windows",
        (
            *("/windows", "/recovery", "/programdata/microsoft", "/programdata/package cache", "/programdata/packages"),
            *("/program files/windowsapps", "/program files/common files", "/program files (x86)/common files"),
            *("/program files/windows*", "/program files (x86)/windows*", "/program files*/internet explorer"),
            *("/program files*/microsoft", "/program files/amazon/ssm", "/program files/amazon/xentools"),
        ),
    ),
    (
        "caches and logs",
        (
            *("/$recycle.bin", "/system volume information", "/perflogs", "/users/*/appdata/local/temp"),
            *("/users/*/appdata/local/microsoft", "/users/*/appdata/local/packages", "/users/*/appdata/locallow"),
            *(
                "/programdata/amazon/ssm/instancedata",
                "/programdata/amazon/ssm/logs",
                "/programdata/amazon/ec2launch/log",
            ),
        ),
    ),
)
_WINDOWS_CONFIGURED = (
    *("/windows/system32/drivers/etc", "/windows/system32/inetsrv/config", "/windows/system32/tasks"),
    *("/windows/system32/grouppolicy", "/windows/system32/sysprep", "/windows/setup/scripts", "/windows/panther"),
)

_NamesIn = Callable[[str], Collection[str]]
_STATE = {"dpkg", "rpm", "pacman", "apk", "systemd"}  # what the distribution keeps in /var/lib


class Selection:
    """What of one volume is read.

    ``names`` are those in its root directory, and ``names_in`` returns those in another one: they tell whether it is a
    root file system, ``/var`` or ``/usr``, and so which of its directories belong to packages.
    """

    def __init__(
        self,
        names: Collection[str],
        *,
        deep: bool,
        names_in: _NamesIn = lambda _: (),
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        unpruned: Iterable[str] = (),
    ) -> None:
        self._mount = mount_point(names, names_in)
        self._is_windows = is_windows(names)
        self._deep = deep
        self._include = tuple(map(_normal, include))
        self._exclude = tuple(map(_normal, exclude))
        self._unpruned = tuple(unpruned)

    def why_not_entered(self, path: str) -> str:
        """Return why a directory is left out; empty if it is entered."""
        if self.is_excluded(path):
            return "left out by --exclude"
        if self._is_on_the_way(path):
            return ""
        name, with_folder = posixpath.basename(path), "/".join(path.split("/")[-2:])
        reason = _NAMES.get(name) or _NAMES.get(with_folder) or self._reason(path)
        return "" if self._deep and reason not in _DEEP_REASONS else reason

    def why_not_read(self, path: str) -> str:
        """Return why a file is left out by its name; empty if it is read."""
        if self.is_excluded(path):
            return "left out by --exclude"
        if self.is_included(path):
            return ""
        name = posixpath.basename(path)
        if posixpath.splitext(name)[1][1:].lower() in _BINARY or ".so." in name:
            return "archives, images and programs"
        if self._is_windows:  # a directory of Windows may have been entered for one below it
            return "" if self._deep else _in_windows(posixpath.dirname(path))
        return "mount points and lost+found" if (self._mount + path) in _NOT_FILES else ""

    def is_included(self, path: str) -> bool:
        """Return whether the user has included a path, whatever it is."""
        return _matches(path, self._include)

    def is_excluded(self, path: str) -> bool:
        """Return whether the user has excluded a path."""
        return _matches(path, self._exclude)

    def _reason(self, path: str) -> str:
        if self._is_windows:
            is_above = any(one.startswith(f"{path.lower()}/") for one in _WINDOWS_CONFIGURED)
            return "" if is_above else _in_windows(path)
        path = self._mount + path
        if path in self._unpruned or any(path.startswith(f"{one}/") for one in self._unpruned):
            return ""
        for reason, paths in _REASONS:
            if path in paths or (path.startswith("/usr/local/lib/python") and reason == "installed by packages"):
                return reason
        return ""

    def _is_on_the_way(self, path: str) -> bool:
        """Return whether the directory is included, in an included one, or above one."""
        for pattern in self._include:
            if fnmatchcase(path, pattern) or fnmatchcase(path, f"{pattern}/*"):
                return True
            depth = path.count("/")
            if fnmatchcase(path, "/".join(pattern.split("/")[: depth + 1])) and pattern.count("/") > depth:
                return True
        return False


def is_windows(names: Collection[str]) -> bool:
    """Return whether a volume with these names in its root is the one that Windows starts from."""
    return {"windows", "users"} <= {name.lower() for name in names}


def _in_windows(path: str) -> str:
    """Return why a directory of Windows is left out; empty if it is read."""
    path = path.lower()
    if _matches(path, _WINDOWS_CONFIGURED):
        return ""
    return next((reason for reason, paths in _WINDOWS_REASONS if _matches(path, paths)), "")


def mount_point(names: Collection[str], names_in: _NamesIn) -> str:
    """Return where a volume with these names in its root is mounted, as far as that shows: empty for a root.

    An application's volume may have ``bin``, ``etc``, ``lib``, ``share`` and ``var``, which does not make it a system.
    """
    present = set(names)
    if {"etc", "usr", "var"} <= present:
        return ""
    if {"log", "lib"} <= present and present & {"cache", "spool", "mail"} and _STATE & set(names_in("/lib")):
        return "/var"
    if {"bin", "sbin", "lib", "share"} <= present and "env" in names_in("/bin"):
        return "/usr"
    if present & {"vmlinuz", "grub", "grub2"} or any(name.startswith("vmlinuz-") for name in present):
        return "/boot"
    return "/mnt"


def _normal(pattern: str) -> str:
    """Return a pattern with a leading and without a trailing slash."""
    return "/" + pattern.strip("/") if not pattern.startswith("*") else pattern.rstrip("/")


def _matches(path: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(path, pattern) or fnmatchcase(path, f"{pattern}/*") for pattern in patterns)
