"""Scenes for tests of ``amicopy sync``: manifests on disk, parameters as Systems Manager holds them, releases.

Refuses to run a command, but for `released`, which makes one release after another by the command itself.
"""

from pathlib import Path
from textwrap import dedent
from typing import Any

from amicopy.aws.session import Session
from amicopy.sandbox.records import Image
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.clock import FakeClock
from tests.support.scenes import HOME, a_source

DAY = 86400.0


def a_manifest(folder: Path, text: str, name: str = "amis.yaml") -> str:
    """Write a manifest; return its path."""
    path = folder / name
    path.write_text(dedent(text))
    return str(path)


def parameter(region: str, path: str) -> str:
    """Return what a parameter holds; empty where there is none."""
    client = Session().client("ssm", region)
    try:
        return str(client.get_parameter(Name=path)["Parameter"]["Value"])
    except client.exceptions.ParameterNotFound:
        return ""


def put_parameter(region: str, path: str, value: str) -> None:
    """Let a parameter hold something, as other tools would."""
    Session().client("ssm", region).put_parameter(Name=path, Value=value, Type="String", Overwrite=True)


def released(world: World, clock: FakeClock, amicopy: Run, manifest: str, *names: str, **members: Any) -> list[Image]:
    """Register images one after another, two days apart, syncing after each; return the sources."""
    sources = []
    for name in names:
        sources.append(a_source(world, HOME, name=name, **members))
        ran = amicopy("sync", manifest)
        assert ran.code == 0, ran.err
        clock.advance(2 * DAY)
    return sources


def made_from(world: World, region: str) -> dict[str, str]:
    """Return the ids of the images in a region by the id of what each was copied from."""
    return {image.source_image_id: image.image_id for image in world.images(region) if image.source_image_id}
