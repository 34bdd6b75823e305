"""A region whose EC2 neither records sources nor knows the filter for them, as some partitions and emulators."""

from typing import Any

import pytest

from amicopy.sandbox.ec2.errors import Ec2Error
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.scenes import WEST, a_source, line, the_copy, writes

NOTE = f"note: EC2 in {WEST} records no sources, so copies are found by amicopy's tag alone"


@pytest.fixture
def source(world: World, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A source, in a world whose EC2 in us-west-2 has no lineage."""
    serve = world.serve

    def without_lineage(operation: str, params: Any, *, region: str, **rest: Any) -> Any:
        filters = {one["Name"] for one in params.get("Filters", ())}
        if region == WEST and "source-image-id" in filters:
            raise Ec2Error("InvalidParameterValue", "The filter 'source-image-id' is invalid")
        answer = serve(operation, params, region=region, **rest)
        if region == WEST and operation == "DescribeImages":
            lineage = ("SourceImageId", "SourceImageRegion")
            images = [{key: one[key] for key in one if key not in lineage} for one in answer["Images"]]
            answer = {**answer, "Images": images}
        return answer

    monkeypatch.setattr(world, "serve", without_lineage)
    return a_source(world)


def test_the_tag_alone_serves_with_a_note(amicopy: Run, world: World, source: Any) -> None:
    first = amicopy("copy", source.image_id, "--to", WEST)
    assert (first.code, first.out) == (0, line(the_copy(world, WEST), source)), first.err
    assert NOTE in first.err
    world.requests.clear()
    again = amicopy("copy", source.image_id, "--to", WEST)
    assert (again.code, again.out, writes(world)) == (0, line(the_copy(world, WEST), source, "unchanged"), []), (
        again.err
    )


def test_the_copy_is_shown_verified_and_cancelled_by_its_tag(amicopy: Run, world: World, source: Any) -> None:
    amicopy("copy", source.image_id, "--to", WEST, "-q")
    copy = the_copy(world, WEST).image_id
    shown = amicopy("status", source.image_id, "--in", WEST, "--output", "text")
    assert shown.out == f"{WEST} {copy} {source.image_id} available\n"
    assert amicopy("verify", source.image_id, "--in", WEST).code == 0
    assert amicopy("cancel", source.image_id, "--in", WEST, "--available", "--yes").code == 0
    assert world.images(WEST) == []


def test_another_refusal_of_the_filter_is_an_error(amicopy: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    source = a_source(world)
    serve = world.serve

    def refusing(operation: str, params: Any, *, region: str, **rest: Any) -> Any:
        if region == WEST and "source-image-id" in {one["Name"] for one in params.get("Filters", ())}:
            raise Ec2Error("InvalidParameterValue", "Something else is wrong")
        return serve(operation, params, region=region, **rest)

    monkeypatch.setattr(world, "serve", refusing)
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, writes(world)) == (1, [])
