"""Which directories are entered and which files are read, by their paths; everything left out has a reason."""

import posixpath
from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase

LARGEST_FILE = 1 << 20
"""Files beyond this size, in bytes, are not configuration."""

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
_FIRST_BOOT = ("/var/lib/cloud", "/var/lib/amazon/ssm")
_CONTAINERS = ("/var/lib/docker", "/var/lib/containerd", "/var/lib/containers", "/var/lib/kubelet", "/var/lib/lxc")
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
    **dict.fromkeys(("site-packages", "dist-packages", "node_modules", "gems", ".cargo", ".m2"), "installed libraries"),
    **dict.fromkeys((".git", ".hg", ".svn"), "history of version control"),
    **dict.fromkeys((".cache", "__pycache__", ".npm", ".terraform"), "caches and logs"),
    **dict.fromkeys(("overlay2", "overlayfs"), "container images and volumes"),
    "lost+found": "mount points and lost+found",
}
_DEEP_REASONS = {"mount points and lost+found", "container images and volumes"}

_BINARY_SUFFIXES = (
    "7z a avi bin bmp bz2 class cpio dat db deb dll eot exe flac gif gz ico img iso jar jpeg jpg ko lz4 lzma "
    "mo mp3 mp4 o ogg otf parquet pdf pkl png pyc pyo qcow2 rpm so sqlite sqlite3 tar tbz tgz tif tiff ttf txz "
    "war wasm wav webp whl woff woff2 xz zip zst"
)
_BINARY = frozenset(_BINARY_SUFFIXES.split())

_ROOT_NAMES = {"etc", "usr", "var", "bin", "root", "home"}


class Selection:
    """What of one volume is read.

    ``names`` are those in its root directory: they tell whether it is a root file system, ``/var`` or ``/usr``, and so
    which of its directories belong to packages.
    """

    def __init__(
        self,
        names: Collection[str],
        *,
        deep: bool,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        unpruned: Iterable[str] = (),
    ) -> None:
        self._mount = mount_point(names)
        self._deep = deep
        self._include = tuple(map(_normal, include))
        self._exclude = tuple(map(_normal, exclude))
        self._unpruned = tuple(unpruned)

    def why_not_entered(self, path: str) -> str:
        """Return why a directory is left out; empty if it is entered."""
        if _matches(path, self._exclude):
            return "left out by --exclude"
        if self._is_on_the_way(path):
            return ""
        reason = _NAMES.get(posixpath.basename(path)) or self._reason(self._mount + path)
        return "" if self._deep and reason not in _DEEP_REASONS else reason

    def why_not_read(self, path: str) -> str:
        """Return why a file is left out by its name; empty if it is read."""
        if _matches(path, self._exclude):
            return "left out by --exclude"
        if _matches(path, self._include):
            return ""
        suffix = posixpath.basename(path).rpartition(".")[2].lower()
        if suffix in _BINARY or ".so." in path:
            return "archives, images and programs"
        return "mount points and lost+found" if (self._mount + path) in _NOT_FILES else ""

    def _reason(self, path: str) -> str:
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


def mount_point(names: Collection[str]) -> str:
    """Return where a volume with these names in its root is mounted, as far as that shows: empty for a root."""
    present = set(names)
    if len(present & _ROOT_NAMES) >= 2:
        return ""
    if {"log", "lib"} <= present and present & {"cache", "spool", "mail"}:
        return "/var"
    if {"bin", "lib", "share"} <= present:
        return "/usr"
    if present & {"vmlinuz", "grub", "grub2"} or any(name.startswith("vmlinuz-") for name in present):
        return "/boot"
    return "/mnt"


def _normal(pattern: str) -> str:
    """Return a pattern with a leading and without a trailing slash."""
    return "/" + pattern.strip("/") if not pattern.startswith("*") else pattern.rstrip("/")


def _matches(path: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(path, pattern) or fnmatchcase(path, f"{pattern}/*") for pattern in patterns)
