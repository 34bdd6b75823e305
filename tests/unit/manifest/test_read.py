"""Manifests: every fault with file, line and column before AWS is asked; what is expensive to read is not read."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from amicopy.core.errors import ManifestInvalid
from amicopy.manifest.read import read_manifest
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.manifests import a_manifest
from tests.support.scenes import EAST, HOME, WEST

IMAGE = "ami-0123456789abcdef0"
RIGHT = f"images:\n  - source: {IMAGE}\n    from: {HOME}\n    to: {WEST}\n"


def faults(text: str | bytes, **variables: str) -> tuple[str, ...]:
    """Return what is said of a manifest."""
    with pytest.raises(ManifestInvalid) as raised:
        read_manifest("amis.yaml", text.encode() if isinstance(text, str) else text, variables)
    return raised.value.details or (raised.value.why,)  # a single one is the reason itself


def test_the_least_that_a_manifest_says() -> None:
    [entry] = read_manifest("amis.yaml", RIGHT.encode(), {})
    assert entry.where == "amis.yaml:2:5"
    assert [(one.to, one.share, one.kms_keys) for one in entry.requests] == [((WEST,), None, {})]
    assert (entry.publish, entry.keep) == (None, None)


def test_defaults_hold_where_an_image_does_not_say_otherwise() -> None:
    text = f"""\
defaults:
  from: {HOME}
  to: [{WEST}, {EAST}]
  tags: {{team: web, stage: test}}
images:
  - source: {IMAGE}
    tags: {{stage: live}}
    to:
      {WEST}: {{name: west-name, tags: {{west: true}}}}
      {EAST}: {{kms_key: alias/east}}
"""
    [entry] = read_manifest("amis.yaml", text.encode(), {})
    by_region = {region: request for request in entry.requests for region in request.to}
    assert by_region[WEST].name == "west-name"
    assert by_region[WEST].tags == {"team": "web", "stage": "live", "west": "true"}
    assert by_region[EAST].tags == {"team": "web", "stage": "live"}
    assert (by_region[WEST].kms_keys, by_region[EAST].kms_keys) == ({}, {"": "alias/east"})


def test_variables_are_filled_in_and_two_dollars_are_one() -> None:
    text = RIGHT + "    description: web-${VERSION} for $$5\n    tags: {version: '${VERSION}'}\n"
    [entry] = read_manifest("amis.yaml", text.encode(), {"VERSION": "1.10"})
    assert (entry.requests[0].description, entry.requests[0].tags) == ("web-1.10 for $5", {"version": "1.10"})


def test_what_a_variable_holds_is_never_yaml() -> None:
    text = RIGHT + "    name: ${NAME}\n"
    [entry] = read_manifest("amis.yaml", text.encode(), {"NAME": "x (encrypt/ true) - [y]"})
    assert entry.requests[0].name == "x (encrypt/ true) - [y]"


def test_scalars_stay_what_was_written() -> None:
    text = RIGHT + "    tags: {version: 1.10, country: no, on: 0777}\n    share: [012345678901]\n"
    [entry] = read_manifest("amis.yaml", text.encode(), {})
    assert entry.requests[0].tags == {"version": "1.10", "country": "no", "on": "0777"}
    assert [str(who) for who in entry.requests[0].share or ()] == ["012345678901"]


def test_shared_with_an_empty_list_is_shared_with_nobody() -> None:
    [entry] = read_manifest("amis.yaml", (RIGHT + "    share: []\n").encode(), {})
    assert entry.requests[0].share == frozenset()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "1:1: the file is empty"),
        ("images: []\n", "1:1: 'images' is empty"),
        ("- a\n", "1:1: the manifest must be a mapping, not a list"),
        ("images:\n", "1:1: 'images' must be a list, not nothing"),
        ("imgaes: []\n", "1:1: 'imgaes' is an unknown key; did you mean 'images'?"),
        (RIGHT + "    best_efort: x\n", "5:5: 'best_efort' is an unknown key; did you mean 'best_effort'?"),
        (RIGHT + "    min_success: two\n", "5:5: 'min_success' must be a whole number, not 'two'"),
        (RIGHT + "    min_success: 2\n", "5:5: min_success is 2, but there is only 1 destination"),
        (RIGHT + "    encrypt: yes please\n", "5:5: 'encrypt' must be true or false, not 'yes please'"),
        (RIGHT + "    tags: [a]\n", "5:5: 'tags' must be a mapping, not a list"),
        (
            RIGHT + "    tags: {'aws:a': b}\n",
            "5:5: tags: the tag 'aws:a' cannot be set: keys that begin with aws: belong to",
        ),
        (RIGHT + "    share: [somebody]\n", "5:5: 'somebody' is"),
        (
            RIGHT + "    share: [public]\n    encrypt: true\n",
            "5:5: share and encrypt: an encrypted AMI cannot be public",
        ),
        (
            RIGHT + "    share: ['111122223333']\n    carry_permissions: false\n",
            "5:5: share and carry_permissions: false",
        ),
        (RIGHT + "    complete_within: 17m\n", "5:5: "),
        (RIGHT + "    protect: always\n", "5:5: 'always' is none of: on, cooldown, source"),
        (RIGHT + "    publish: {ssm: amis}\n", "5:15: a parameter's path begins with /"),
        (RIGHT + "    publish: {ssm: '/{nmae}'}\n", "5:15: {nmae} in"),
        (RIGHT + "    publish: {ssm: /aws/web}\n", "5:15: AWS reserves parameters that begin with /aws"),
        (RIGHT + "    publish: {}\n", "5:5: 'publish' is empty"),
        (RIGHT + "    name: a\n    name: b\n", "6:5: 'name' is given twice; the first is in line 5"),
        (RIGHT.replace(WEST, f"{WEST},{WEST}"), f"4:5: {WEST} is given twice"),
        (RIGHT + "    best_effort: eu-west-1\n", "5:5: eu-west-1 is not a destination"),
        (RIGHT.replace(f"to: {WEST}", "to: ','"), "4:5: there are no destinations"),
        (RIGHT.replace(f"    to: {WEST}\n", ""), "2:5: 'to' is missing, here and in the defaults"),
        (RIGHT.replace(IMAGE, "ami-1"), "2:5: 'ami-1' is"),
        (RIGHT.replace(IMAGE, "{nmae: web}"), "2:14: 'nmae' is an unknown key; did you mean 'name'?"),
        (RIGHT.replace(IMAGE, f"{{id: {IMAGE}, owner: self}}"), "'owner' can only be used with name"),
        (RIGHT.replace(IMAGE, "{name: a, ssm: /b}"), "2:5: give exactly one of id, name, ssm and packer"),
        (RIGHT.replace(IMAGE, "{packer: nowhere.json}"), "nowhere.json cannot be read: No such file or directory"),
        (RIGHT + RIGHT.partition("\n")[2], f"5:5: the same source is copied to {WEST} in amis.yaml:2:5 too"),
        (RIGHT + "    kms_key: arn:aws:kms:eu-west-1:111122223333:key/1\n", "5:5: "),
        ("images:\n\t- source: x\n", "2:1: invalid YAML: found character '\\t' that cannot start any token; indent"),
        ("images: [\n", "2:1: invalid YAML"),
        (RIGHT + "---\n" + RIGHT, "5:1: invalid YAML: a manifest is one document, and a second one begins here"),
        (
            "images: !!python/object/apply:os.system [reboot]\n",
            "1:9: !!python/object/apply:os.system is not",
        ),
        ("images: !secret x\n", "1:9: !secret is not a valid tag here; leave it out"),
        ("{[a]: b}\n", "1:2: a key has to be a word"),
        ("images: \x00\n", "1:1: invalid YAML"),
        (RIGHT + "    name: ${VERSION}\n", "5:11: the variable VERSION is not set"),
        (RIGHT + "    name: ${VER SION}\n", "5:11: '${VER SION}' is not a variable"),
        (RIGHT + "    description: ${open\n", "5:18: '${open' is not a variable"),
    ],
)
def test_every_fault_has_its_place(text: str, fault: str) -> None:
    told = faults(text)
    assert any(fault in one and one.startswith("amis.yaml:") for one in told), told


@pytest.mark.parametrize("key", ["kms_key", "name", "complete_within", "deprecate_after"])
def test_a_variable_that_is_set_to_nothing_does_not_do_as_if_the_key_were_not_there(key: str) -> None:
    assert any(f"5:5: '{key}' is empty" in one for one in faults(RIGHT + f"    {key}: ${{KEY}}\n", KEY=""))


@pytest.mark.parametrize("said", ["{name: 'web-*', owner: $}", "{name: 'web-*', architecture: $}", "{name: $}", "$"])
def test_an_empty_filter_does_not_find_everything(said: str) -> None:
    text = RIGHT.replace(IMAGE, said.replace("$", "'${KEY}'"))
    assert any(" is empty" in one for one in faults(text, KEY=""))


def test_destinations_from_an_empty_variable_are_not_none() -> None:
    assert any(" is empty" in one for one in faults(RIGHT.replace(f"to: {WEST}", "to: ${REGIONS}"), REGIONS=""))


def test_all_faults_are_told_at_once_in_the_order_of_the_file() -> None:
    told = faults(RIGHT + "    nmae: x\n    tgas: {}\n    encrypt: maybe\n")
    assert [one.split(":")[1] for one in told] == ["5", "6", "7"]


def test_a_byte_order_mark_is_passed_over() -> None:
    assert len(read_manifest("amis.yaml", b"\xef\xbb\xbf" + RIGHT.encode(), {})) == 1


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "latin-1"])
def test_what_is_not_utf_8_is_refused(encoding: str) -> None:
    [told] = faults((RIGHT + "    description: Köln\n").encode(encoding))
    assert told.startswith("amis.yaml:")


def test_an_alias_bomb_is_refused() -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    assert faults("\n".join(levels)) == ("amis.yaml:1:1: this expands to more than 50000 values",)


def test_a_long_text_that_is_named_often_is_refused() -> None:
    text = f"a: &a '{'$$' * 100_000}'\nb: [{', '.join(['*a'] * 40_000)}]\n"
    assert faults(text) == ("amis.yaml:1:1: this expands to more than 2000000 letters",)


@pytest.mark.parametrize(
    "text", ["images: &a [*a]\n", "images: " + "[" * 100 + "]" * 100, "[" * 400_000, "images: " + "{a: " * 50_000]
)
def test_values_within_values_without_end_are_refused(text: str) -> None:
    assert any("nested more than 20 deep" in one or "invalid YAML" in one for one in faults(text))


def test_a_file_of_megabytes_is_not_parsed() -> None:
    assert faults(b"#" * 1_000_001) == ("amis.yaml:1:1: the file has 1000001 bytes, and 1000000 at most are read",)


def test_the_schema_is_one_and_is_printed(amicopy: Run, world: World) -> None:
    ran = amicopy("sync", "--schema")
    schema = json.loads(ran.out)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert ran.code == 0
    jsonschema.validate({"images": [{"source": IMAGE, "to": WEST}]}, schema)
    assert world.requests == []


@pytest.mark.parametrize("content", [b"images: [{source: x}]\n", b"\xff\xfe", b"", b"images: !!python/object:a {}\n"])
def test_a_faulty_manifest_ends_with_2_before_aws_is_asked(
    amicopy: Run, world: World, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "amis.yaml"
    path.write_bytes(content)
    ran = amicopy("sync", str(path), "--output", "json")
    assert (ran.code, world.requests) == (2, [])
    assert ran.json["exit_code"] == 2
    assert f"{path}:1:" in ran.err


@pytest.mark.parametrize("what", ["missing.yaml", "."])
def test_a_manifest_that_cannot_be_read(amicopy: Run, world: World, tmp_path: Path, what: str) -> None:
    ran = amicopy("sync", str(tmp_path / what))
    assert (ran.code, world.requests) == (2, [])
    assert f"The manifest {tmp_path / what} cannot be read." in ran.err


def test_a_region_that_does_not_exist_is_told_with_the_entry_s_place(
    amicopy: Run, world: World, tmp_path: Path
) -> None:
    manifest = a_manifest(tmp_path, RIGHT.replace(WEST, "us-west-22"))
    ran = amicopy("sync", manifest)
    assert (ran.code, world.requests) == (2, [])
    assert f"{manifest}:4:5: unknown region 'us-west-22'" in ran.err
    assert WEST in ran.err, "a suggestion"


def test_a_secret_is_not_put_into_a_manifest() -> None:
    found = faults(RIGHT + "    tags: {Key: '${AWS_SECRET_ACCESS_KEY}'}\n", AWS_SECRET_ACCESS_KEY="hunter2")
    assert any("the variable AWS_SECRET_ACCESS_KEY holds a secret" in one for one in found)
    assert not any("hunter2" in one for one in found)


def test_everything_that_is_wrong_is_reported_at_once() -> None:
    text = """\
images:
  - source: { name: "web*" }
    from: us-esat-1
    to: eu-west1, us-west-2
    deprecate_after: 30
    share: [12, foo]
    name: "a"
    protect: sure
  - source: ami-1
    unknown: 1
"""
    with pytest.raises(ManifestInvalid) as caught:
        read_manifest("m.yaml", text.encode(), {}, regions=["us-east-1", "us-west-2", "eu-west-1"])
    words = [detail.removeprefix("m.yaml:") for detail in caught.value.details]
    starts = [
        "3:5: unknown region 'us-esat-1'; did you mean us-east-1",
        "4:5: unknown region 'eu-west1'; did you mean eu-west-1",
        "5:5: deprecate_after: '30' is not a valid duration",
        "6:5: '12' is not",
        "6:5: 'foo' is not",
        "7:5: ",
        "8:5: 'sure' is none of: on, cooldown, source",
        "9:5: 'ami-1' is",
        "9:5: 'to' is missing",
        "10:5: 'unknown' is an unknown key",
    ]
    assert len(words) == len(starts), words
    assert all(word.startswith(start) for word, start in zip(words, starts, strict=True)), words


def test_what_was_found_wrong_causes_no_second_error() -> None:
    text = """\
name: [a]
images:
  - source: { name: "web*", owner: [self] }
    to: 3
    keep: { newest: 2 }
"""
    with pytest.raises(ManifestInvalid) as caught:
        read_manifest("m.yaml", text.encode(), {})
    assert sorted(detail.split(": ")[0] for detail in caught.value.details) == ["m.yaml:1:1", "m.yaml:3:29"]


EVERYTHING: Any = {
    "name": "golden",
    "defaults": {"from": "us-east-1", "tags": {"Team": "web"}},
    "images": [
        {
            "source": {"name": "web-*"},
            "to": {"us-west-2": {"kms_key": "alias/images", "tags": {"Role": "web"}}, "eu-west-1": {}},
            "exclude": ["eu-west-2"],
            "best_effort": ["eu-west-1"],
            "share": ["111122223333"],
            "share_snapshots": ["111122223333"],
            "accounts": [{"id": "111122223333", "regions": ["us-west-2"]}, {"ou": "ou-abcd-12345678"}],
            "publish": {
                "ssm": ["/a", {"path": "/b", "in": ["us-west-2"], "accounts": ["self"], "overwrite": False}],
                "launch_templates": ["x", {"name": "y", "in": "us-west-2"}],
            },
            "keep": {"newest": 3, "min_age": "3d"},
            "fast_restore": {"us-west-2": ["us-west-2a"]},
            "fast_launch": {"us-west-2": {"target_resource_count": 5}},
            "check": {"command": "boot", "timeout": "5m"},
            "require": {"severity": "medium", "scanned_within": "7d"},
            "scan": {"mode": "warn", "ignore": ["arn:/etc/hosts  # known"]},
        }
    ],
}
OTHERS: tuple[Any, ...] = (None, 1, "", [], {}, ["x"], [None], [{}], {"x": 1})


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where there is something in a manifest."""
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inside:
        yield from places(item, (*path, key))


def test_whatever_stands_anywhere_is_read_or_refused() -> None:
    """Something else in each place: an account that is no mapping, a parameter without its path."""
    broken = []
    for path in list(places(EVERYTHING))[1:]:
        for other in OTHERS:
            manifest = copy.deepcopy(EVERYTHING)
            parent = manifest
            for key in path[:-1]:
                parent = parent[key]
            parent[path[-1]] = other
            try:
                read_manifest("amis.yaml", json.dumps(manifest).encode(), {}, regions=("us-west-2", "eu-west-1"))
            except ManifestInvalid:
                continue
            except Exception as error:
                broken.append((path, other, repr(error)))
    assert broken == []


def test_the_manifest_with_everything_has_nothing_wrong() -> None:
    assert read_manifest("amis.yaml", json.dumps(EVERYTHING).encode(), {})
