"""Whole commands: a release under stable names: labels in every output, and several parameters for each image."""

import json
import re
from pathlib import Path
from typing import Any

import boto3
import pytest

from amicopy.sandbox.world import World
from tests.conftest import Ran, Run
from tests.support.scenes import EAST, HOME, WEST, a_source, the_copy, writes

BOTH = f"{WEST}, {EAST}"


def sync(amicopy: Run, directory: Path, text: str, *options: str) -> Ran:
    """Apply a manifest."""
    (directory / "amis.yaml").write_text(text)
    return amicopy("sync", str(directory / "amis.yaml"), *options)


def parameters(region: str) -> dict[str, tuple[str, str]]:
    """Return value and description of every parameter in a region."""
    ssm: Any = boto3.client("ssm", region)
    described = {one["Name"]: one.get("Description", "") for one in ssm.describe_parameters()["Parameters"]}
    found = {name: (ssm.get_parameter(Name=name)["Parameter"]["Value"], text) for name, text in described.items()}
    ssm.close()
    return found


RELEASE = """
images:
  - source: {source}
    from: {home}
    to: {to}
    publish:
      ssm:
        - /images/web/latest
        - {{ path: "/images/web/{{name}}", description: "Web server {{name}}", overwrite: false }}
        - {{ path: /images/web/west, in: "us-west-*" }}
"""


def test_an_image_has_several_parameters_each_where_it_belongs(amicopy: Run, world: World, tmp_path: Path) -> None:
    source = a_source(world, name="web-1")
    manifest = RELEASE.format(source=source.image_id, home=HOME, to=BOTH)
    planned = sync(amicopy, tmp_path, manifest, "--dry-run")
    assert [line for line in planned.out.splitlines() if "/images/web/west" in line] == [
        line for line in planned.out.splitlines() if "/images/web/west" in line and WEST in line
    ]
    ran = sync(amicopy, tmp_path, manifest)
    assert ran.code == 0, ran.err
    west, east = the_copy(world, WEST).image_id, the_copy(world, EAST).image_id
    assert parameters(WEST) == {
        "/images/web/latest": (west, ""),
        "/images/web/web-1": (west, "Web server web-1"),
        "/images/web/west": (west, ""),
    }
    assert parameters(EAST) == {"/images/web/latest": (east, ""), "/images/web/web-1": (east, "Web server web-1")}
    world.requests.clear()
    again = sync(amicopy, tmp_path, manifest, "--dry-run", "--exit-code")
    assert (again.code, writes(world)) == (0, [])


def test_the_next_release_moves_latest_and_adds_its_version(amicopy: Run, world: World, tmp_path: Path) -> None:
    for name in ("web-1", "web-2"):
        source = a_source(world, name=name)
        assert sync(amicopy, tmp_path, RELEASE.format(source=source.image_id, home=HOME, to=WEST)).code == 0
    found = {path: value for path, (value, _) in parameters(WEST).items()}
    assert found["/images/web/latest"] == found["/images/web/web-2"] != found["/images/web/web-1"]


def test_a_version_that_is_taken_is_not_overwritten(amicopy: Run, world: World, tmp_path: Path) -> None:
    """It is shown before anything starts; everything else is published."""
    first = a_source(world, name="web-1")
    sync(amicopy, tmp_path, RELEASE.format(source=first.image_id, home=HOME, to=WEST))
    taken = parameters(WEST)["/images/web/web-1"][0]
    second = a_source(world, name="web-1")
    manifest = RELEASE.format(source=second.image_id, home=HOME, to=WEST)
    planned = sync(amicopy, tmp_path, manifest, "--dry-run")
    assert (planned.code, f"contains {taken}, and may not be overwritten" in planned.err) == (3, True)
    ran = sync(amicopy, tmp_path, manifest)
    found = {path: value for path, (value, _) in parameters(WEST).items()}
    assert (ran.code, found["/images/web/web-1"]) == (3, taken)
    assert found["/images/web/latest"] not in {taken, ""}


def two_labels(world: World) -> str:
    """Return a manifest with two labeled images."""
    sources = [a_source(world, name=name).image_id for name in ("web-1", "worker-1")]
    return f"""
    defaults: {{ from: {HOME}, to: {WEST} }}
    images:
      - {{ source: {sources[0]}, label: web }}
      - {{ source: {sources[1]}, label: batch_worker }}
    """


def test_outputs_are_keyed_by_label(
    amicopy: Run, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that nothing that reads them names an id that the next release changes."""
    for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
        monkeypatch.setenv(name, str(tmp_path / name))
    files = {form: tmp_path / f"amis.{form}" for form in ("tfvars", "cfn", "env")}
    written = [word for form, path in files.items() for word in ("--write", f"{form}={path}")]
    ran = sync(amicopy, tmp_path, two_labels(world), *written, "--github", "--output", "json")
    assert ran.code == 0, ran.err
    web, worker = (copy["image_id"] for copy in ran.json["copies"])
    assert [copy["label"] for copy in ran.json["copies"]] == ["web", "batch_worker"]
    tfvars, cfn, env = (path.read_text() for path in files.values())
    assert re.search(rf'"web" = {{\n.*\n    "us-west-2" = "{web}"', tfvars)
    assert f'web: "{web}"' in cfn
    assert f'batchworker: "{worker}"' in cfn
    assert f"AMI_WEB_US_WEST_2={web}\n" in env
    assert f"AMI_BATCH_WORKER_US_WEST_2={worker}\n" in env
    outputs = (tmp_path / "GITHUB_OUTPUT").read_text()
    assert re.search(rf"^web-us-west-2<<(\S+)\n{web}\n", outputs, re.MULTILINE)
    [amis] = re.findall(r"^amis<<\S+\n(.*)\n", outputs, re.MULTILINE)
    assert json.loads(amis)["batch_worker"][WEST] == worker


def test_one_image_with_a_label_is_keyed_like_several(amicopy: Run, world: World, tmp_path: Path) -> None:
    """A second image beside it changes nothing for who reads the first one's ids."""
    manifest = f"images: [{{source: {a_source(world).image_id}, from: {HOME}, to: {WEST}, label: web}}]"
    ran = sync(amicopy, tmp_path, manifest, "--output", "env")
    assert "AMI_WEB_US_WEST_2=" in ran.out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[{source: ID, to: us-west-2, label: web}, {source: ID, to: eu-west-1, label: web}]", "'web' is given twice"),
        (
            "[{source: ID, to: us-west-2, label: web_a}, {source: ID, to: eu-west-1, label: Web-A}]",
            "the label 'Web-A' cannot be told from 'web_a' in every output",
        ),
        ("[{source: ID, to: us-west-2, label: ami-1}]", "'ami-1' is not a valid label"),
        ("[{source: ID, to: us-west-2, label: 'a b'}]", "'a b' is not a valid label"),
        ("[{source: ID, to: us-west-2, publish: {ssm: [/aws/x]}}]", "AWS reserves parameters that begin with /aws"),
        ("[{source: ID, to: us-west-2, publish: {ssm: [{path: x}]}}]", "a parameter's path begins with /"),
        ("[{source: ID, to: us-west-2, publish: {ssm: [{path: /x, inn: a}]}}]", "'inn' is an unknown key"),
        ("[{source: ID, to: us-west-2, publish: {ssm: [{path: /x, in: us-wst-2}]}}]", "us-wst-2"),
        ("[{source: ID, to: us-west-2, publish: {ssm: [{path: /x, description: '{nope}'}]}}]", "nope"),
        ("[{source: ID, to: us-west-2, publish: {ssm: [{path: /x, overwrite: maybe}]}}]", "must be true or false"),
    ],
)
def test_what_is_wrong_with_names_is_said_before_anything(
    amicopy: Run, world: World, tmp_path: Path, text: str, said: str
) -> None:
    source = a_source(world)
    world.requests.clear()
    ran = sync(amicopy, tmp_path, f"images: {text}".replace("ID", source.image_id))
    assert (ran.code, world.requests) == (2, [])
    assert said in ran.err


def test_publishing_one_path_twice_is_refused(amicopy: Run, world: World, tmp_path: Path) -> None:
    text = (
        f"images: [{{source: {a_source(world).image_id}, from: {HOME}, to: {WEST}, publish: {{ssm: [/x, '/{{x}}']}}}}]"
    )
    assert sync(amicopy, tmp_path, text.replace("'/{x}'", "/x")).code == 2
    assert writes(world) == []
