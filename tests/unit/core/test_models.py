"""What EC2 has, as values."""

import pytest

from amicopy.core.models import BlockDevice, Image, ImageState, Principal, PrincipalKind, Snapshot, user_tags

ORGANIZATION = "arn:aws:organizations::111122223333:organization/o-exampleorg1"
UNIT = "arn:aws:organizations::111122223333:ou/o-exampleorg1/ou-abcd-12345678"


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("111122223333", PrincipalKind.ACCOUNT, "111122223333"),
        ("000000000001", PrincipalKind.ACCOUNT, "000000000001"),
        ("public", PrincipalKind.GROUP, "all"),
        (ORGANIZATION, PrincipalKind.ORGANIZATION, ORGANIZATION),
        (UNIT, PrincipalKind.ORGANIZATIONAL_UNIT, UNIT),
        *(
            (ORGANIZATION.replace(":aws:", f":{partition}:"), PrincipalKind.ORGANIZATION, None)
            for partition in ("aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-eusc")
        ),
    ],
)
def test_accounts_arns_and_everybody_are_principals(text: str, kind: PrincipalKind, value: str | None) -> None:
    assert Principal.parse(text) == Principal(kind, value or text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "11112222333",
        "1111222233334",
        "1111-2222-3333",
        " 111122223333",
        "111122223333\n",
        "Public",
        "self",
        "o-exampleorg1",
        "ou-abcd-12345678",
        "arn:aws:iam::111122223333:root",
        ORGANIZATION.replace("::", ":"),
        ORGANIZATION + "/ou-abcd-12345678",
        UNIT.replace("/ou-abcd-12345678", ""),
        ORGANIZATION.replace(":aws:", ":aws-x:"),
        "111122223333,444455556666",
    ],
)
def test_anything_else_is_no_principal_and_the_error_says_what_is_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a valid principal: use a 12-digit account id, .* or the word public"):
        Principal.parse(text)


def test_account_ids_have_ascii_digits() -> None:
    with pytest.raises(ValueError, match="is not a valid principal"):
        Principal.parse("١" * 12)


@pytest.mark.parametrize("text", ["111122223333", "public", ORGANIZATION, UNIT])
def test_a_principal_is_written_as_it_is_read(text: str) -> None:
    assert str(Principal.parse(text)) == text


def test_only_everybody_is_public() -> None:
    assert [Principal.parse(text).is_public for text in ("public", "111122223333", ORGANIZATION)] == [
        True,
        False,
        False,
    ]


STATES = {
    ImageState.PENDING: (True, False),
    ImageState.TRANSIENT: (True, False),
    ImageState.UNKNOWN: (True, False),
    ImageState.AVAILABLE: (False, False),
    ImageState.INVALID: (False, True),
    ImageState.FAILED: (False, True),
    ImageState.ERROR: (False, True),
    ImageState.DEREGISTERED: (False, True),
    ImageState.DISABLED: (False, True),
}


def test_every_state_is_in_progress_or_dead_or_available() -> None:
    assert {state: (state.in_progress, state.is_dead) for state in ImageState} == STATES


def test_an_image_knows_its_snapshots_by_device() -> None:
    described = Snapshot(snapshot_id="snap-2", region="us-east-1")
    image = Image(
        image_id="ami-7c4aa86a",
        region="us-east-1",
        devices=(
            BlockDevice(device="/dev/sda1", snapshot_id="snap-1", volume_gib=8),
            BlockDevice(device="/dev/sdb", volume_gib=100),  # blank: nothing to transfer
            BlockDevice(device="/dev/sdc", ebs=False, virtual_name="ephemeral0"),
            BlockDevice(device="/dev/sdd", snapshot_id="snap-2", volume_gib=20),
            BlockDevice(device="/dev/sde", snapshot_id="snap-3"),
        ),
        snapshots=(described,),
    )
    assert image.reference == "us-east-1/ami-7c4aa86a"
    assert image.snapshot_ids == ("snap-1", "snap-2", "snap-3")
    assert image.snapshots_by_device == {"/dev/sdd": described}
    assert image.volume_gib == 28


def test_tags_of_awss_own_are_left_out_in_any_case() -> None:
    assert user_tags({"aws:x": "1", "AWS:y": "2", "awsome": "3", "Name": ""}) == {"awsome": "3", "Name": ""}
