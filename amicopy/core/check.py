"""A check that each copy must pass before it is shared, and its result."""

import os
import shlex
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from amicopy.core.boot import boot_options

CHECK_TIMEOUT = timedelta(minutes=30)
# A tag's value has room for it, and a person who compares two can.
DIGEST_LETTERS = 32

_SHELL_WORDS = {"|", "||", "&", "&&", ";", ">", ">>", "<", "2>", "2>&1", "&>"}

BUILT_IN_CHECKS: frozenset[str] = frozenset({"boot"})
"""First words of commands that are checks of amicopy's own: each is a function in `amicopy.execute.gate.BUILT_IN`."""


CHECKING = "AMICOPY_CHECKING"
"""A variable that is set in the environment of a check."""
CHECK_VARIABLES = ("AMICOPY_IMAGE_ID", "AMICOPY_REGION", "AMICOPY_ACCOUNT", "AMICOPY_SOURCE", "AMICOPY_ARCHITECTURE")
"""What is said there about the copy. An amicopy that a check runs does not read its options from them."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """The operator's command, or a built-in check with its arguments."""

    command: str  # as the operator wrote it; no shell reads it
    timeout: timedelta = CHECK_TIMEOUT
    directory: str = ""  # where a relative path of a program begins; empty: the current directory

    @property
    def words(self) -> tuple[str, ...]:
        """The program and its arguments.

        Raises:
            ValueError: a quotation is not closed.
        """
        return tuple(shlex.split(self.command))

    @property
    def is_built_in(self) -> bool:
        """Whether it is one of `BUILT_IN_CHECKS`."""
        return self.words[0] in BUILT_IN_CHECKS

    @cached_property
    def digest(self) -> str:
        """The hash of the command, without its time limit, that is recorded on a copy that has passed."""
        return sha256(self.command.encode("utf-8", "surrogateescape")).hexdigest()[:DIGEST_LETTERS]

    @property
    def program(self) -> str:
        """The file to run.

        Raises:
            ValueError: the program doesn't exist or cannot be run; the message says what to do.
        """
        # Loaded here: most runs have no check.
        import shutil

        name = self.words[0]
        if os.sep not in name:
            if found := shutil.which(name):
                return found
            in_directory = Path(self.directory, name).is_file()
            hint = f"; for the file in this directory, write ./{name}" if in_directory else ""
            raise ValueError(f"there is no program {name!r} on the PATH{hint}")
        path = Path(self.directory, Path(name).expanduser()).absolute()
        if not path.exists():
            raise ValueError(f"the program {name!r} does not exist")
        if not path.is_file():
            raise ValueError(f"{name!r} is not a program")
        if not os.access(path, os.X_OK):
            raise ValueError(f"{name!r} is not executable: chmod +x {shlex.quote(name)}")
        return str(path)


def check_problem(check: Check) -> str:
    """Return why the check cannot be run at all; empty if it can."""
    try:
        if not check.words:
            return "the command is empty"
        if shell := [word for word in check.words if word in _SHELL_WORDS]:
            return f"it runs without a shell, so {shell[0]!r} would be an argument: use sh -c '…', or a script"
        if check.is_built_in:
            boot_options(check.words)
            if check.timeout < timedelta(minutes=1):
                return "the time limit of a boot test must be at least a minute"
        else:
            if os.name != "posix":
                return "commands can be run as checks on Linux and macOS only"
            _ = check.program
    except ValueError as error:
        return str(error).replace("No closing quotation", "a quotation is not closed")
    return "the time limit must be longer than zero" if check.timeout <= timedelta(0) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The result of checking one copy."""

    passed: bool
    ending: str  # in words: exit status 1
    seconds: float
    output: tuple[str, ...] = ()  # the last lines of what it wrote; untrusted text
