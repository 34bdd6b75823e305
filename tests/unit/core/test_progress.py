"""How far copies are, from what EC2 says of their snapshots."""

import pytest

from amicopy.core.models import Snapshot
from amicopy.core.progress import destination_of, percent_by_image

COPY, OTHER = "ami-0abcdef1234567890", "ami-7c4aa86a"


def made_for(image_id: str, **members: object) -> Snapshot:
    """Return a snapshot that EC2 describes as made for an image."""
    text = f"Copied for DestinationAmi {image_id} from SourceAmi ami-1 for SourceSnapshot snap-1. Task created on 1,7."
    return Snapshot(**{"snapshot_id": "snap-1", "region": "x", "description": text, "state": "pending"} | members)  # type: ignore[arg-type]


def percents(*snapshots: Snapshot, image_ids: tuple[str, ...] = (COPY, OTHER)) -> dict[str, int]:
    """Return the percentages of these snapshots' images."""
    return percent_by_image({str(number): one for number, one in enumerate(snapshots)}, image_ids)


@pytest.mark.parametrize("image_id", [COPY, OTHER])
def test_the_image_is_read_from_the_description(image_id: str) -> None:
    assert destination_of(made_for(image_id)) == image_id


@pytest.mark.parametrize(
    "text",
    [
        "",
        "web",
        "Copied for DestinationAmi",
        "for me: Copied for DestinationAmi ami-7c4aa86a",
        "[Copied snap-1 from x]",
    ],
)
def test_any_other_description_says_nothing(text: str) -> None:
    assert destination_of(made_for(COPY, description=text)) == ""


def test_an_old_id_is_not_mistaken_for_the_beginning_of_a_new_one() -> None:
    assert percents(made_for("ami-7c4aa86a123456789", progress_percent=50)) == {}


def test_snapshots_count_by_their_size() -> None:
    assert percents(
        made_for(COPY, progress_percent=100, volume_gib=10), made_for(COPY, progress_percent=0, volume_gib=30)
    ) == {COPY: 25}


def test_a_completed_snapshot_is_done_whatever_its_progress_says() -> None:
    assert percents(made_for(COPY, state="completed", progress_percent=None)) == {COPY: 100}


def test_a_snapshot_that_says_nothing_or_has_no_size_counts_as_not_begun() -> None:
    assert percents(made_for(COPY, progress_percent=None, volume_gib=0)) == {COPY: 0}


def test_99_and_a_half_is_not_a_hundred() -> None:
    assert percents(
        made_for(COPY, progress_percent=99, volume_gib=1), made_for(COPY, progress_percent=100, volume_gib=1)
    ) == {COPY: 99}


def test_images_are_told_apart_and_those_not_asked_for_are_left_out() -> None:
    snapshots = (made_for(COPY, progress_percent=10), made_for(OTHER, progress_percent=20))
    assert percents(*snapshots) == {COPY: 10, OTHER: 20}
    assert percents(*snapshots, image_ids=(OTHER,)) == {OTHER: 20}


def test_of_an_image_without_snapshots_nothing_is_said() -> None:
    assert percents() == {}
