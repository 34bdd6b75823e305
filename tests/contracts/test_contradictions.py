"""What one front end refuses, all refuse: the command line, the manifest and Python, with the same words."""

from pathlib import Path

import pytest

import amicopy as package
from amicopy.aws.session import Session
from amicopy.core.errors import UsageError
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.clock import FakeClock
from tests.support.contradictions import CONTRADICTIONS, Contradiction
from tests.support.manifests import a_manifest

IMAGE, HOME, WEST = "ami-0123456789abcdef0", "us-east-1", "us-west-2"
EACH = pytest.mark.parametrize("case", CONTRADICTIONS.values(), ids=CONTRADICTIONS)


@EACH
def test_the_command_line_refuses_it(amicopy: Run, world: World, case: Contradiction) -> None:
    ran = amicopy("copy", IMAGE, "--to", WEST, *case.options)
    assert (ran.code, world.requests) == (2, [])
    assert case.says in ran.err


@EACH
def test_a_manifest_refuses_it_with_its_line(amicopy: Run, world: World, tmp_path: Path, case: Contradiction) -> None:
    text = f"images:\n  - source: {IMAGE}\n    from: {HOME}\n    to: {WEST}\n    {case.manifest}\n"
    ran = amicopy("sync", a_manifest(tmp_path, text))
    assert (ran.code, world.requests) == (2, [])
    assert case.says in ran.err
    assert ".yaml:5:5: " in ran.err or ".yaml:2:5: exclude: unknown region" in ran.err


@EACH
def test_python_refuses_it(world: World, clock: FakeClock, case: Contradiction) -> None:
    context = package.Context(session=Session(), clock=clock)
    with pytest.raises(UsageError) as raised:
        package.copy(IMAGE, to=WEST, context=context, **case.python)
    assert case.says in raised.value.what
    assert world.requests == []


def test_python_refuses_an_id_that_is_none(world: World, clock: FakeClock) -> None:
    with pytest.raises(package.AmicopyError, match="is not a valid AMI id"):
        package.copy("ami-1", to=WEST, context=package.Context(session=Session(), clock=clock))
    assert world.requests == []
