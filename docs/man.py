"""Writes the manual pages, from the commands' own help: ``python docs/man.py DIRECTORY``.

Refuses to say anything that the help does not say.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from amicopy import __version__
from amicopy.cli.main import COMMANDS
from amicopy.cli.main import amicopy as group
from amicopy.cli.option_groups import grouped


def roff(text: str) -> str:
    """Return text that roff shows as it is: no escape, no request, no hyphen for a minus, ASCII only."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = "".join(one if one.isascii() else f"\\[u{ord(one):04X}]" for one in text)
    return re.sub(r"^(?=[.'])", r"\\&", text, flags=re.MULTILINE)


def paragraphs(text: str) -> Iterator[str]:
    """Yield a help text as requests; what is marked to stay as it stands is set in lines of its own."""
    for part in re.split(r"\n\s*\n", text.strip()):
        kept = part.lstrip().startswith("\b")
        lines = [line.rstrip() for line in part.replace("\b", "").strip("\n").splitlines()]
        yield ".PP"
        yield from [".nf", *map(roff, lines), ".fi"] if kept else [roff(" ".join(map(str.strip, lines)))]


def page(name: str, command: click.Command, context: click.Context) -> Iterator[str]:
    """Yield the lines of one command's page."""
    lead, _, rest = (command.help or "").partition("\n")
    yield f'.TH "{roff(name.upper())}" "1" "" "amicopy {__version__}" "amicopy"'
    yield from (".nh", ".ad l")  # names of options and variables are copied as they are shown
    yield from (".SH NAME", f"{roff(name)} \\- {roff(lead)}")
    usage = " ".join(command.collect_usage_pieces(context))
    yield from (".SH SYNOPSIS", f".B {roff(context.command_path)}", roff(usage))
    yield ".SH DESCRIPTION"
    yield from paragraphs(rest or lead)
    yield ".SH OPTIONS"
    for title, options in grouped(command, context):
        yield f".SS {roff(title)}"
        for option in options:
            words, meaning = option.get_help_record(context) or ("", "")
            yield from (".TP", f".B {roff(words)}", roff(meaning))
            if option.envvar:
                yield roff(f"Variable: {option.envvar}.")
    if isinstance(command, click.Group):
        yield ".SH COMMANDS"
        for other, (_, words) in COMMANDS.items():
            yield from (".TP", f".BR {roff(f'amicopy-{other}')} (1)", roff(words))
    if command.epilog:
        yield ".SH ENVIRONMENT" if isinstance(command, click.Group) else ".SH EXIT STATUS"
        yield from paragraphs(command.epilog.replace("Exit codes:\n", ""))
    others = [f"amicopy-{other}" for other in COMMANDS] if name == "amicopy" else ["amicopy"]
    yield ".SH SEE ALSO"
    yield ",\n".join(f".BR {roff(other)} (1)" for other in others).replace(",\n", " ,\n")


def main(directory: Path) -> None:
    """Write amicopy.1 and a page for each command."""
    directory.mkdir(parents=True, exist_ok=True)
    top = click.Context(group, info_name="amicopy", **group.context_settings)
    pages = {"amicopy": (group, top)}
    for name in COMMANDS:
        command = group.get_command(top, name)
        assert command is not None
        pages[f"amicopy-{name}"] = (command, click.Context(command, info_name=name, parent=top))
    for name, (command, context) in pages.items():
        (directory / f"{name}.1").write_text("\n".join(page(name, command, context)) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
