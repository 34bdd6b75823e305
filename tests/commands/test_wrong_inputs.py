"""Wrong inputs of a new user: each is refused in words that name the way out, and nothing is started."""

from pathlib import Path

import pytest

from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.scenes import EAST, WEST, a_source, writes

SOURCE = "ami-0abcdef1234567890"
MANIFEST = f"images:\n  - source: {SOURCE}\n    from: us-east-1\n    to: {WEST}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--to", WEST, "--share", "all"], "'all' is not a valid principal"),
        (["--to", f"eu-west1,{WEST},us-esat-1"], "--to: unknown regions 'eu-west1', 'us-esat-1'."),
        (["--to", f"eu-west1,{WEST},us-esat-1"], "Instead of eu-west1, did you mean eu-west-1"),
        (["--to", "Ireland"], "unknown region 'Ireland'"),
        (["--to", WEST, "--kms-key"], "See: amicopy copy --help"),
        (["--to", WEST, "--description", "a\nb"], "printable ASCII characters only"),
        (["--to", WEST, "--write", "json=/no-such-directory/x"], "There is no directory /no-such-directory."),
        (["--to", WEST, "--fault", "x"], "No such option"),
        (["-to", WEST], "Long options begin with two hyphens: --to"),
        (["--to", WEST, "--check", "echo hi | grep hi"], "it runs without a shell, so '|' would be an argument"),
    ],
)
def test_an_option_of_copy(amicopy: Run, world: World, arguments: list[str], words: str) -> None:
    source = a_source(world)
    ran = amicopy("copy", source.image_id, *arguments)
    assert (ran.code, writes(world)) == (2, [])
    assert words in " ".join(ran.err.split())


@pytest.mark.parametrize(
    ("image_id", "words"),
    [
        (f"{SOURCE},{SOURCE[:-1]}1", "give each AMI id by itself, without commas"),
        (f"us-east-1/{SOURCE}", f"give the id alone, {SOURCE}, and us-east-1 as the source region"),
        (f"arn:aws:ec2:us-east-1::image/{SOURCE}", f"give the id alone, {SOURCE}, and us-east-1 as the source region"),
        ("ami-xyz", "is not a valid AMI id"),
    ],
)
def test_an_image_id(amicopy: Run, world: World, image_id: str, words: str) -> None:
    ran = amicopy("copy", image_id, "--to", WEST)
    assert (ran.code, world.requests) == (2, [])
    assert words in ran.err


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("AWS_REGION", "us-esat-1", "unknown region 'us-esat-1'"),
        ("AWS_MAX_ATTEMPTS", "banana", "AWS_MAX_ATTEMPTS is 'banana'."),
        ("AMICOPY_WRITE", "json=/no-such-directory/x", "There is no directory /no-such-directory."),
        ("AMICOPY_SHARE", "somebody", "'somebody' is not a valid principal"),
        ("AMICOPY_TAG", "novalue", "novalue"),
    ],
)
def test_an_environment_variable(
    amicopy: Run, world: World, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    source = a_source(world)
    monkeypatch.setenv(variable, value)
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, writes(world)) == (2, [])
    assert words in ran.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            f"to: {WEST}\n{MANIFEST}",
            "'to' is an unknown key; it belongs under 'defaults', or to an image under 'images'",
        ),
        ("images:\n", "'images' must be a list, not nothing"),
        (MANIFEST + "    tags: [a]\n", "'tags' must be a mapping, not a list"),
        (MANIFEST + "    min_success: 5\n", "min_success is 5, but there is only 1 destination"),
        (MANIFEST + "    share: 111122223333\n", "'share' must be a list, not '111122223333'"),
        (MANIFEST + "    share: [all]\n", "'all' is not a valid principal"),
        (MANIFEST + "    publish: {ssm: /aws/foo}\n", "AWS reserves parameters that begin with /aws"),
        (MANIFEST + "---\nb: 2\n", "a manifest is one document, and a second one begins here"),
        (MANIFEST + "    deprecate_after: 30\n", "deprecate_after"),
    ],
)
def test_a_manifest(amicopy: Run, world: World, tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "m.yaml").write_text(text)
    ran = amicopy("sync", str(tmp_path / "m.yaml"))
    assert (ran.code, world.requests) == (2, [])
    assert words in ran.err


def test_everything_wrong_with_a_manifest_is_said_in_one_run(amicopy: Run, tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(
        f"images:\n  - source: {SOURCE}\n    from: us-esat-1\n    to: eu-west1\n    deprecate_after: 30\n"
        "    share: [12, foo]\n    name: a\n    protect: sure\n"
    )
    ran = amicopy("sync", str(path))
    for words in ("'us-esat-1'", "'eu-west1'", "deprecate_after", "'12' is", "'foo' is", "name: ", "'sure' is"):
        assert words in ran.err
    assert ran.code == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [("{", "invalid JSON"), ("[]", "it has no builds"), ('{"builds": []}', "packer's last run made no AMI")],
)
def test_a_packer_manifest(amicopy: Run, world: World, tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "p.json").write_text(content)
    ran = amicopy("copy", "--packer-manifest", str(tmp_path / "p.json"), "--to", WEST)
    assert (ran.code, world.requests) == (2, [])
    assert words in ran.err


@pytest.mark.parametrize(
    ("option", "key"),
    [("--to", "to"), ("--share", "share"), ("--kms-key", "kms_key"), ("--no-permissions", "carry_permissions: false")],
)
def test_an_option_that_the_manifest_has_instead(amicopy: Run, option: str, key: str) -> None:
    ran = amicopy("sync", "m.yaml", option, EAST)
    assert ran.code == 2
    assert f"sync has no option {option}: the manifest has it." in ran.err
    assert f"Set {key!r} in the manifest" in ran.err


@pytest.mark.parametrize("option", ["--to", "--from", "--exclude", "--in"])
def test_a_policy_for_a_region_that_there_is_not(amicopy: Run, option: str) -> None:
    command = "status" if option == "--in" else "copy"
    ran = amicopy("iam-policy", command, option, "mars-1")
    assert (ran.code, ran.out) == (2, "")
    assert f"{option}: unknown region 'mars-1'." in ran.err


def test_an_image_that_a_sandbox_does_not_have(amicopy: Run, world: World) -> None:
    ran = amicopy("copy", SOURCE, "--from", "us-east-1", "--to", WEST)
    assert ran.code == 1
    assert "A sandbox has only its own AMIs: amicopy sandbox lists the samples." in ran.err


@pytest.mark.parametrize("option", ["--from", "--to"])
def test_a_scan_for_a_region_that_there_is_not(amicopy: Run, tmp_path: Path, option: str) -> None:
    (tmp_path / "disk.img").write_bytes(bytes(4096))
    given = ["--from", "us-east-1", "--to", WEST]
    given[given.index(option) + 1] = "us-esat-1"
    ran = amicopy("scan", "--image", str(tmp_path / "disk.img"), *given)
    assert (ran.code, ran.out) == (2, "")
    assert f"{option}: unknown region 'us-esat-1'." in ran.err
