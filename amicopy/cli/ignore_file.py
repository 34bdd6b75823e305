"""The file that names findings of a scan which are known: `core/ignored_findings.py` reads its lines."""

from pathlib import Path

from amicopy.core.errors import UsageError
from amicopy.core.ignored_findings import Ignored, parse

_IGNORE_FILE = ".amicopyignore"


def ignored_findings(path: str | None) -> tuple[Ignored, ...]:
    """Return the entries of the ignore file; nothing if none was named and there is none.

    Raises:
        UsageError: it cannot be read, or a line of it is wrong.
    """
    file = Path(path or _IGNORE_FILE)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        if path is None and isinstance(error, FileNotFoundError):
            return ()
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"--ignore-file: {str(file)!r} cannot be read: {reason}.") from error
    entries, problems = parse(text)
    if problems:
        wrong = UsageError(f"{str(file)!r} is not a valid ignore file.", next_step="Fix these lines.")
        for problem in problems:
            wrong = wrong.with_detail(problem)
        raise wrong
    return entries
