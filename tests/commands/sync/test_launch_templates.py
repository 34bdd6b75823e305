"""``publish`` with ``launch_templates``: a new default version where the template exists, forwards only, once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.clock import FakeClock
from tests.support.manifests import DAY, a_manifest
from tests.support.scenes import EAST, HOME, WEST, a_source, asked, order, the_copy

MANIFEST = f"""\
    images:
      - source: {{name: 'web-*'}}
        from: {HOME}
        to: [{WEST}, {EAST}]
        publish: {{launch_templates: web}}
"""
OLD = "ami-0123456789abcdef0"


class Template:
    """The launch template of a test, in the region of a copy."""

    def __init__(self, region: str = WEST, image_id: str = OLD) -> None:
        self._ec2: Any = boto3.client("ec2", region)
        data = {"InstanceType": "m5.large", **({"ImageId": image_id} if image_id else {})}
        self._ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData=data)

    def versions(self) -> list[Any]:
        """Return all versions, the first one first."""
        found = self._ec2.describe_launch_template_versions(LaunchTemplateName="web")["LaunchTemplateVersions"]
        return sorted(found, key=lambda one: int(one["VersionNumber"]))

    @property
    def default(self) -> Any:
        """The default version."""
        [found] = [one for one in self.versions() if one["DefaultVersion"]]
        return found

    def add(self, **version: Any) -> None:
        """Create a version, as somebody else would; it is not the default."""
        self._ec2.create_launch_template_version(LaunchTemplateName="web", **version)

    def close(self) -> None:
        """Close the client."""
        self._ec2.close()


@pytest.fixture
def template() -> Iterator[Template]:
    """A launch template in one of the two regions."""
    made = Template()
    yield made
    made.close()


def changes(world: World) -> list[str]:
    """Return the calls that change templates."""
    operations = ("CreateLaunchTemplateVersion", "ModifyLaunchTemplate")
    return [one.operation for one in world.requests if one.operation in operations]


def test_the_copy_becomes_the_default_where_the_template_exists(
    amicopy: Run, world: World, template: Template, tmp_path: Path
) -> None:
    a_source(world, name="web-1")
    manifest = a_manifest(tmp_path, MANIFEST)
    planned = amicopy("sync", manifest, "--dry-run", "--output", "json")
    assert [(one["region"], one["state"], one["before"]) for one in planned.json["launch_templates"]] == [
        (WEST, "put", OLD),
        (EAST, "absent", None),
    ]
    assert planned.json["parameters"] == []
    ran = amicopy("sync", manifest)
    assert ran.code == 0, ran.err
    default = template.default
    assert (default["VersionNumber"], default["VersionDescription"]) == (2, "web-1")
    copy = the_copy(world, WEST).image_id
    assert default["LaunchTemplateData"] == {"ImageId": copy, "InstanceType": "m5.large"}  # as the one before
    assert f"launch template web  {OLD} -> {copy}" in ran.err
    assert f"{EAST}  launch template web  does not exist there; none is created" in ran.err
    assert not asked(world, "CreateLaunchTemplateVersion", EAST)


def test_a_second_run_changes_nothing(amicopy: Run, world: World, template: Template, tmp_path: Path) -> None:
    a_source(world, name="web-1")
    manifest = a_manifest(tmp_path, MANIFEST)
    amicopy("sync", manifest)
    world.requests.clear()
    assert amicopy("sync", manifest).code == 0
    assert (changes(world), len(template.versions())) == ([], 2)


@pytest.mark.parametrize(
    "fault",
    [
        f"ModifyLaunchTemplate@{WEST}=error:UnauthorizedOperation: no",
        f"CreateLaunchTemplateVersion@{WEST}=lost",
        f"ModifyLaunchTemplate@{WEST}=lost",
    ],
)
def test_what_an_interrupted_run_has_created_is_used(
    amicopy: Run, world: World, template: Template, tmp_path: Path, fault: str
) -> None:
    a_source(world, name="web-1")
    order(world, fault)
    manifest = a_manifest(tmp_path, MANIFEST)
    first = amicopy("sync", manifest)
    assert first.code == (3 if "error" in fault else 0), first.err
    again = amicopy("sync", manifest)
    assert again.code == 0, again.err
    assert (template.default["VersionNumber"], len(template.versions())) == (2, 2)


def test_somebody_else_s_draft_with_the_same_image_does_not_become_the_default(
    amicopy: Run, world: World, template: Template, tmp_path: Path
) -> None:
    a_source(world, name="web-1")
    assert amicopy("copy", world.images(HOME)[0].image_id, "--to", WEST).code == 0
    copy = the_copy(world, WEST).image_id
    template.add(LaunchTemplateData={"ImageId": copy, "InstanceType": "p5.48xlarge"}, VersionDescription="a draft")
    assert amicopy("sync", a_manifest(tmp_path, MANIFEST)).code == 0
    assert template.default["LaunchTemplateData"] == {"ImageId": copy, "InstanceType": "m5.large"}


def test_a_template_never_goes_back_to_an_older_image(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    a_source(world, name="web-1")
    clock.advance(DAY)
    newer = a_source(world, WEST, name="by-hand")
    template = Template(image_id=newer.image_id)
    manifest = a_manifest(tmp_path, MANIFEST)
    ran = amicopy("sync", manifest)
    assert (ran.code, template.default["LaunchTemplateData"]["ImageId"]) == (0, newer.image_id)
    assert f"launch template web  has {newer.image_id}, made from a newer image; it stays" in ran.err
    allowed = a_manifest(tmp_path, MANIFEST.replace("web}", "web, allow_older: true}"), "older.yaml")
    assert amicopy("sync", allowed).code == 0
    [copy] = [one for one in world.images(WEST) if one.image_id != newer.image_id]
    assert template.default["LaunchTemplateData"]["ImageId"] == copy.image_id
    template.close()


def test_a_template_that_follows_a_parameter_is_not_changed(amicopy: Run, world: World, tmp_path: Path) -> None:
    a_source(world, name="web-1")
    template = Template(image_id="resolve:ssm:/images/web")
    ran = amicopy("sync", a_manifest(tmp_path, MANIFEST))
    assert (ran.code, len(template.versions())) == (3, 1)
    assert f"The launch template web in {WEST} is not changed: it has no AMI id." in ran.err
    template.close()


def test_a_template_that_no_region_has_is_an_error(amicopy: Run, world: World, tmp_path: Path) -> None:
    a_source(world, name="web-1")
    ran = amicopy("sync", a_manifest(tmp_path, MANIFEST), "--dry-run")
    assert ran.code == 3
    assert f"There is no launch template web in {WEST} or any other destination of its entry." in ran.err


def test_names_are_templates_and_regions_can_be_chosen(
    amicopy: Run, world: World, template: Template, tmp_path: Path
) -> None:
    a_source(world, name="web-1")
    other = Template(EAST)
    chosen = f"[{{name: web, description: 'Web {{name}}', in: {WEST}}}]"
    text = MANIFEST.replace("launch_templates: web", f"ssm: /web, launch_templates: {chosen}")
    ran = amicopy("sync", a_manifest(tmp_path, text))
    assert ran.code == 0, ran.err
    assert (template.default["VersionDescription"], len(other.versions())) == ("Web web-1", 1)
    other.close()


@pytest.mark.parametrize(
    ("publish", "words"),
    [
        ("{}", "'publish' is empty"),
        ("{when: all}", "publish needs ssm, launch_templates, or both"),
        ("{launch_templates: lt-0123456789abcdef0}", "ids differ from region to region"),
        ("{launch_templates: 'web-{version}'}", "{version}"),
        ("{launch_templates: [web, web]}", "publishes to launch template web in us-west-2 twice"),
        ("{launch_templates: {name: web, in: us-wset-2}}", "us-wset-2"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(
    amicopy: Run, world: World, tmp_path: Path, publish: str, words: str
) -> None:
    a_source(world, name="web-1")
    ran = amicopy("sync", a_manifest(tmp_path, MANIFEST.replace("{launch_templates: web}", publish)))
    assert (ran.code, changes(world)) == (2, [])
    assert words in ran.err
