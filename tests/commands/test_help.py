"""``--help``: options are grouped by what they are about, the same way in every command."""

import click
import pytest

from amicopy.cli.main import COMMANDS
from amicopy.cli.main import amicopy as group
from amicopy.cli.option_groups import GROUPS, GroupedCommand, grouped


def command(name: str) -> click.Command:
    """Return a command by its name."""
    found = group.get_command(click.Context(group), name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_every_command_is_in_one_group(name: str) -> None:
    shown = command(name)
    assert isinstance(shown, GroupedCommand)
    context = click.Context(shown, info_name=name)
    groups = list(grouped(shown, context))
    names = [option.name for _, some in groups for option in some]
    assert sorted(map(str, names)) == sorted(
        str(one.name) for one in shown.get_params(context) if isinstance(one, click.Option) and not one.hidden
    )
    assert len(dict(groups)["Output"]) >= 1


def test_every_option_that_a_group_names_exists() -> None:
    known = {
        name
        for one in COMMANDS
        for option in command(one).get_params(click.Context(command(one)))
        for name in option.opts
    }
    named = {name for names in GROUPS.values() for name in names}
    assert named - known == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_fits_a_terminal_of_80_columns(name: str) -> None:
    shown = command(name)
    context = click.Context(shown, info_name=name, terminal_width=80)
    assert [line for line in shown.get_help(context).splitlines() if len(line) > 80] == []
