"""What the HTML pages have in common: they load nothing, run no script, and escape untrusted text."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from importlib.resources import files

from amicopy.core.errors import ExitCode
from amicopy.core.version import __version__
from amicopy.render.json_documents import status_name
from amicopy.render.text import safe

# Nothing is fetched and nothing runs, whatever a name or a reason may hold.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def document(*, title: str, exit_code: ExitCode, header: Iterable[str], main: Iterable[str]) -> str:
    """Return a page with this title, which is HTML, and the exit code below it."""
    css = (files("amicopy.render") / "page.css").read_text(encoding="utf-8")
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        f"<title>amicopy: {title}</title>\n<style>\n{css}</style>\n</head>\n<body>\n<header>",
        f"<h1>{title}</h1>",
        f'<p class="state {_tone(exit_code)}">{status_name(exit_code)}, exit code {int(exit_code)}</p>',
        *header,
        "</header>\n<main>",
        *main,
        "</main>",
        f'<footer class="soft">All times are in UTC. Written by amicopy {__version__}.</footer>\n</body>\n</html>',
    ]
    return "\n".join(parts) + "\n"


def text(foreign: str) -> str:
    """Return foreign text as HTML: neither markup nor a mark that turns the reading direction has an effect."""
    return escape(safe(foreign))


def soft(html: str) -> str:
    """Return HTML in the color of what matters less."""
    return f'<span class="soft">{html}</span>'


def listed(items: Sequence[str]) -> str:
    """Return foreign texts as a list."""
    return f"<ul>{''.join(f'<li>{text(item)}</li>' for item in items)}</ul>"


def definitions(settings: Mapping[str, str]) -> Iterator[str]:
    """Yield names with their values, which are HTML; empty ones are left out."""
    yield "<dl>"
    yield from (f"<dt>{name}</dt><dd>{value}</dd>" for name, value in settings.items() if value)
    yield "</dl>"


def command(command_line: str) -> str:
    """Return a command line as HTML; empty if there is none."""
    return f"<code>{text(command_line)}</code>" if command_line else ""


def calls(counts: Mapping[str, int]) -> str:
    """Return how many of each AWS operation were sent; empty if none were counted."""
    each = ", ".join(f"{escape(name)} {count}" for name, count in sorted(counts.items()))
    return f"{sum(counts.values())} {soft(f'({each})')}" if counts else ""


def day(at: datetime) -> str:
    """Return a moment with its date."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _tone(exit_code: ExitCode) -> str:
    return "good" if exit_code is ExitCode.OK else "wait" if exit_code is ExitCode.TIME_OUT else "bad"
