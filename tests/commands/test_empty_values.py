"""An option with an empty value, such as ``--profile "$PROFILE"`` without that variable, is not taken for left out."""

from importlib import import_module

import click
import pytest

from amicopy.cli.main import COMMANDS
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.scenes import WEST, a_source

MAY_BE_EMPTY = {"--description"}  # CopyImage accepts one
OPTIONS = [
    (name, option.opts[-1])
    for name, (module, _) in COMMANDS.items()
    for option in import_module(module).command.params
    if isinstance(option, click.Option) and not (option.is_flag or option.count or option.opts[-1] in MAY_BE_EMPTY)
]


@pytest.mark.parametrize(("command", "option"), OPTIONS)
def test_an_empty_value_is_refused(amicopy: Run, world: World, command: str, option: str) -> None:
    for empty in ("", " ", ","):
        ran = amicopy(command, f"{option}={empty}")
        assert (ran.code, ran.out) == (2, "")
        assert f"Invalid value for '{option}': it is empty" in ran.err
    assert world.requests == []


def test_an_empty_variable_is_one_that_is_not_set(amicopy: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AMICOPY_EXCLUDE", "AMICOPY_PROFILE", "AMICOPY_ACCOUNT"):
        monkeypatch.setenv(name, "")
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--dry-run")
    assert ran.code == 0, ran.err
