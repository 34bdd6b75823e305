"""The file that names findings of a scan which are known: `core/ignored_findings.py` reads its lines."""

from pathlib import Path

from amicopy.cli.named_files import named_file
from amicopy.core.errors import UsageError
from amicopy.core.ignored_findings import Ignored, parse

_IGNORE_FILE = ".amicopyignore"


def ignored_findings(path: str | None) -> tuple[Ignored, ...]:
    """Return the entries of the ignore file; nothing if none was named and there is none.

    Raises:
        UsageError: it cannot be read, or a line of it is wrong.
    """
    file = path or _IGNORE_FILE
    if path is None and not Path(file).exists():
        return ()
    try:
        text = named_file(f"--ignore-file: {file}", file).decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"--ignore-file: {file} cannot be read.", why="It is not UTF-8.") from error
    entries, problems = parse(text, file)
    if problems:
        wrong = UsageError(f"{file!r} is not a valid ignore file.", next_step="Fix these lines.")
        for problem in problems:
            wrong = wrong.with_detail(problem)
        raise wrong
    return entries
