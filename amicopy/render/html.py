"""What the HTML pages have in common: they load nothing, run no script, and escape untrusted text."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from importlib.resources import files

from amicopy.core.errors import ExitCode
from amicopy.core.version import __version__
from amicopy.render.json_documents import status_name
from amicopy.render.text import counted, safe

# Nothing is fetched and nothing runs, whatever a name or a reason may hold.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def document(
    *,
    title: str,
    status: str,
    exit_code: ExitCode,
    settings: Mapping[str, str],
    main: Iterable[str],
    calls: Mapping[str, int],
) -> str:
    """Return a page; all of it is HTML. ``calls`` is how many of each AWS operation were sent."""
    css = (files("amicopy.render") / "page.css").read_text(encoding="utf-8")
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        f"<title>amicopy: {title}</title>\n<style>\n{css}</style>\n</head>\n<body>\n<header>",
        f"<h1>{title}</h1>",
        f'<p class="state {_tone(exit_code)}">{status}</p>',
        *_definitions({**settings, "exit code": f"{int(exit_code)} {soft(f'({status_name(exit_code)})')}"}),
        "</header>\n<main>",
        *main,
        "</main>",
        f'<footer class="soft">{_calls(calls)}All times are in UTC. Written by amicopy {__version__}.</footer>',
        "</body>\n</html>",
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


def command(command_line: str) -> str:
    """Return a command line, which breaks between its words; empty if there is none."""
    return "".join(f"<code>{text(word)}</code> " for word in command_line.split(" ")) if command_line else ""


def day(at: datetime) -> str:
    """Return a moment with its date."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _definitions(settings: Mapping[str, str]) -> Iterator[str]:
    yield "<dl>"
    yield from (f"<dt>{name}</dt><dd>{value}</dd>" for name, value in settings.items() if value)
    yield "</dl>"


def _calls(calls: Mapping[str, int]) -> str:
    if not calls:
        return ""
    each = ", ".join(f"{escape(name)} {count}" for name, count in sorted(calls.items()))
    return f"<details><summary>{counted(sum(calls.values()), 'AWS call')}</summary><p>{each}</p></details>"


def _tone(exit_code: ExitCode) -> str:
    return "good" if exit_code is ExitCode.OK else "wait" if exit_code is ExitCode.TIME_OUT else "bad"
