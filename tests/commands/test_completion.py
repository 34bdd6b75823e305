"""What a shell's Tab key offers: asked as bash, zsh and fish ask, in a process of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from amicopy.sandbox.world import World
from tests.support.scenes import HOME, WEST, a_source


def offered(line: str, shell: str = "bash") -> list[str]:
    """Return what a shell is told after ``line``, of which the last word is incomplete; it must be told quietly."""
    words = line.split(" ")
    asked = {"_AMICOPY_COMPLETE": f"{shell}_complete"}
    if shell == "fish":
        asked |= {"COMP_WORDS": " ".join(words[:-1]), "COMP_CWORD": words[-1]}
    else:
        asked |= {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run(
        [sys.executable, "-m", "amicopy"], env={**os.environ, **asked}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.strip().splitlines()  # click ends an empty list with an empty line
    return lines[1::3] if shell == "zsh" else [one.partition(",")[2].partition("\t")[0] for one in lines]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_is_offered_commands_options_and_regions(shell: str) -> None:
    assert "copy" in offered("amicopy co", shell)
    assert offered("amicopy copy --pack", shell) == ["--packer-manifest"]
    assert offered("amicopy copy --to eu-west-", shell) == ["eu-west-1", "eu-west-2", "eu-west-3"]


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed")
def test_fish_itself_completes_within_a_comma_list(tmp_path: Path) -> None:
    folder = tmp_path / "fish" / "completions"
    folder.mkdir(parents=True)
    (tmp_path / "amicopy").write_text(f'#!/bin/sh\nexec {sys.executable} -m amicopy "$@"\n')
    (tmp_path / "amicopy").chmod(0o755)
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    script = subprocess.check_output(["amicopy"], env={**environment, "_AMICOPY_COMPLETE": "fish_source"}, text=True)
    (folder / "amicopy.fish").write_text(script)
    asking = 'complete -C "amicopy copy --to us-west-2,eu-west-"; complete -C "amicopy sand"'
    said = subprocess.check_output(["fish", "--command", asking], env=environment, text=True)
    *regions, command = said.splitlines()
    assert regions == [f"us-west-2,eu-west-{number}" for number in (1, 2, 3)]
    assert command.startswith("sandbox\tServe a local EC2 for tests and demos: no")


def test_regions_of_another_partition_are_offered_only_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert offered("amicopy copy --to cn-") == []
    monkeypatch.setenv("AWS_REGION", "cn-north-1")
    assert offered("amicopy copy --to cn-") == ["cn-north-1", "cn-northwest-1"]


@pytest.mark.parametrize(
    "before",
    [
        "copy --to",
        "copy --exclude",
        "copy --best-effort",
        "status --in",
        "verify --in",
        "cancel --in",
        "retire --in",
        "boot --in",
    ],
)
def test_every_word_of_a_comma_list_is_offered_what_is_not_in_it_yet(before: str) -> None:
    assert offered(f"amicopy {before} eu-west-2,eu-west-") == ["eu-west-2,eu-west-1", "eu-west-2,eu-west-3"]
    assert offered(f"amicopy {before} al") == ["all"]


@pytest.mark.parametrize("command", ["copy", "status", "verify", "cancel", "retire", "boot"])
def test_the_source_s_region_is_one(command: str) -> None:
    assert offered(f"amicopy {command} --from us-west-") == ["us-west-1", "us-west-2"]
    assert offered(f"amicopy {command} --from al") == []


@pytest.mark.parametrize("command", ["copy", "status", "verify", "cancel", "retire", "boot"])
def test_the_account_s_amis_are_offered_in_the_region_that_is_named(world: World, command: str) -> None:
    here, there = a_source(world, HOME), a_source(world, WEST)
    assert offered(f"amicopy {command} ami-") == [here.image_id]
    assert offered(f"amicopy {command} --from {WEST} ami-") == [there.image_id]
    assert offered(f"amicopy {command} {HOME}") == []


def test_without_credentials_nothing_is_offered_and_nothing_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    a_source(world, HOME)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert offered("amicopy copy ami-") == []
    assert offered("amicopy copy --to eu-west-3") == ["eu-west-3"]


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "nonsense"])
def test_without_a_network_nothing_is_offered_and_nothing_said(
    world: World, monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    assert offered("amicopy copy ami-") == []


def test_a_profile_that_does_not_exist_is_no_news(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    a_source(world, HOME)
    assert offered("amicopy copy --profile nobody ami-") == []
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert offered("amicopy copy ami-") == []
