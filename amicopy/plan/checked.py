"""Copies that were made to be checked and have not passed: only a run with a check shares them."""

from amicopy.core.check_record import CheckRecord, CheckState, record_of
from amicopy.core.destination import Destination, at
from amicopy.core.ec2_rules import MAX_TAGS
from amicopy.core.errors import NoRoomForRecords, NotChecked
from amicopy.core.lineage import is_ours
from amicopy.core.models import CHECKED_TAG, Image


def check_record(source: Image, copy: Image) -> CheckRecord | None:
    """Return what a copy of ours says about its check; of others' copies the tag may have come along with another."""
    return record_of(copy.tags) if is_ours(source, copy) else None


def awaited_check(source: Image, copy: Image) -> CheckRecord | None:
    """Return the record of a check that the copy has not passed; None if there is none, or it has passed."""
    record = check_record(source, copy)
    return record if record and record.state is not CheckState.PASSED else None


def not_checked(copy: Image, record: CheckRecord, destination: Destination) -> NotChecked:
    """Return the error that says why the copy is not shared, and what to do."""
    owner = f", with credentials of account {destination.account}" if destination.account else ""
    return NotChecked(
        f"The copy {copy.image_id} in {destination} {record.words}.",
        why="A copy that was made with a check is shared only by a run with a check that it passes.",
        next_step="Copy with the check, which runs again for this copy: copy --check, or the manifest's check. "
        f"If the copy itself is bad, remove it first: amicopy cancel --copy {copy.image_id} {at(destination)} "
        f"--available. To do without the check, delete its tag{owner}: aws ec2 delete-tags --resources "
        f"{copy.image_id} --tags Key={CHECKED_TAG} --region {destination.region}",
    )


def no_room_for_check(image_id: str, destination: Destination) -> NoRoomForRecords:
    """Return the error for a copy that could not say that it has to be checked, so that other runs would share it."""
    return NoRoomForRecords(
        f"There is no room for the tag {CHECKED_TAG} on a copy of {image_id} in {destination}.",
        why=f"A resource can have {MAX_TAGS} tags. Without this one, other runs would share the copy unchecked.",
        next_step="Remove a tag from the source, leave out the source's tags (--no-tags, in a manifest carry_tags: "
        "false), or copy without a check.",
    )
