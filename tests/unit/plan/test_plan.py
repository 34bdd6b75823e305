"""The decision: what is to be done for one source in one destination, and why; never twice, never wider."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amicopy.core.destination import Destination
from amicopy.core.errors import (
    AccessDenied,
    AmicopyError,
    CopyFailed,
    ExitCode,
    ImageUnavailable,
    NotFaithful,
    RegionNotEnabled,
    TimedOut,
    Unreachable,
)
from amicopy.core.lineage import is_ours
from amicopy.core.models import SOURCE_TAG, BlockDevice, Image, ImageState, Principal, Snapshot
from amicopy.core.request import CopyRequest
from amicopy.plan.decide import plan_copies
from amicopy.plan.findings import DestinationFindings, Survey
from amicopy.plan.plan import Action, Plan, Row, rows_by_destination, with_refusals

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
HOME, WEST, EAST = "us-east-1", "us-west-2", "eu-west-1"
SOMEBODY, OTHERS, PUBLIC = (Principal.parse(text) for text in ("111122223333", "444455556666", "public"))
NOBODY: frozenset[Principal] = frozenset()
SOURCE = Image(
    image_id="ami-1",
    region=HOME,
    name="web",
    devices=(BlockDevice(device="/dev/xvda", snapshot_id="snap-1", volume_gib=8),),
    launch_permissions=NOBODY,
    snapshots=(Snapshot(snapshot_id="snap-1", region=HOME, volume_permissions=NOBODY),),
)


def a_copy(image_id: str = "ami-2", source: Image = SOURCE, **members: Any) -> Image:
    """Return a faithful copy that amicopy made of a private source."""
    tags = {SOURCE_TAG: source.reference}
    region = members.get("region", WEST)
    given = {
        "image_id": image_id,
        "region": region,
        "name": source.name,
        "tags": tags,
        "source_region": source.region,
        "source_image_id": source.image_id,
        "devices": tuple(replace(device, snapshot_id=f"{device.snapshot_id}-{image_id}") for device in source.devices),
        "launch_permissions": NOBODY,
        "snapshots": tuple(
            Snapshot(
                snapshot_id=f"{device.snapshot_id}-{image_id}", region=region, tags=tags, volume_permissions=NOBODY
            )
            for device in source.devices
        ),
    }
    return Image(**given | members)


def planned(*copies: Image, source: Image = SOURCE, problem: AmicopyError | None = None, **asked: Any) -> Row:
    """Return the row for one source and one destination that holds these copies."""
    request = CopyRequest(source_region=HOME, image_ids=(source.image_id,), to=(WEST,), **asked)
    found = {Destination(WEST): DestinationFindings(destination=Destination(WEST), copies=copies, problem=problem)}
    [row] = plan_copies(request, Survey(at=NOW, sources=(source,), destinations=found)).rows
    return row


def test_where_nothing_is_a_copy_is_made() -> None:
    row = planned()
    assert (row.action, row.reason, row.copy, row.dead_ids) == (Action.COPY, "no copy yet", None, frozenset())


def test_images_of_other_sources_are_nothing() -> None:
    assert (
        planned(
            a_copy(tags={SOURCE_TAG: "us-east-1/ami-9"}, source_image_id="ami-9"),
            Image(image_id="ami-3", region=WEST, name="web"),
        ).action
        is Action.COPY
    )


@pytest.mark.parametrize("state", [ImageState.PENDING, ImageState.TRANSIENT, ImageState.UNKNOWN])
def test_a_copy_in_progress_is_joined(state: ImageState) -> None:
    copy = a_copy(state=state)
    row = planned(copy)
    assert (row.action, row.reason, row.copy) == (Action.JOIN, "ami-2 is already being copied", copy)


def test_a_faithful_copy_is_kept() -> None:
    row = planned(a_copy())
    assert (row.action, row.reason, row.differences) == (Action.UNCHANGED, "ami-2 is up to date", ())
    assert not row.writes


def by_hand(image_id: str = "ami-9", **members: Any) -> Image:
    """Return a copy of a private source that another tool made: without our tag."""
    copy = a_copy(image_id, **members)
    return replace(copy, tags={}, snapshots=tuple(replace(one, tags={}) for one in copy.snapshots))


def test_a_faithful_copy_of_another_tool_counts_and_is_not_touched() -> None:
    row = planned(by_hand())
    assert (row.action, row.differences, row.writes) == (Action.UNCHANGED, (), False)
    assert row.reason == "ami-9, not made by amicopy, is up to date"


@pytest.mark.parametrize(
    "members",
    [{"attributes": {"BootMode": "uefi"}}, {"launch_permissions": frozenset({SOMEBODY})}, {"description": "theirs"}],
)
def test_another_copy_that_differs_is_left_alone_and_ours_is_made_beside_it(members: dict[str, Any]) -> None:
    row = planned(by_hand(**members), description="web")
    assert (row.action, row.copy, row.reason) == (Action.COPY, None, "no copy yet")
    assert any("ami-9 was not made by amicopy and is left alone" in note for note in row.notes)


def test_adopting_completes_a_copy_of_another_tool() -> None:
    row = planned(by_hand(), adopt=True)
    assert (row.action, row.copy) == (Action.UPDATE, by_hand())
    assert row.reason.startswith("ami-9 is available; it is missing tags amicopy:source")


def test_a_copy_that_a_service_manages_is_not_adopted() -> None:
    backup = replace(by_hand(), tags={"aws:backup:source-resource": "x"}, description="x")
    row = planned(
        replace(backup, tags={"aws:backup:source-resource": "x"}, description="x"), adopt=True, description="y"
    )
    assert (row.action, row.copy) == (Action.COPY, None)


def test_our_copy_is_used_whatever_newer_copies_others_make() -> None:
    ours = a_copy(created_at="2026-11-01T00:00:00.000Z")
    theirs = by_hand(created_at="2026-11-02T00:00:00.000Z", attributes={"BootMode": "uefi"})
    row = planned(ours, theirs)
    assert (row.action, row.copy) == (Action.UNCHANGED, ours)


def test_a_faithful_copy_of_another_tool_goes_before_one_of_ours_that_cannot_be_repaired() -> None:
    row = planned(a_copy(attributes={"BootMode": "uefi"}), by_hand())
    assert row.copy is not None
    assert (row.action, row.copy.image_id) == (Action.UNCHANGED, "ami-9")


def test_a_pending_copy_of_another_tool_is_joined_only_to_adopt_it() -> None:
    pending = by_hand(state=ImageState.PENDING)
    assert planned(pending).action is Action.COPY
    assert planned(pending, adopt=True).action is Action.JOIN


def test_a_copy_that_more_people_can_use_says_so_and_how_to_change_it() -> None:
    row = planned(a_copy(launch_permissions=frozenset({SOMEBODY})), share=frozenset({PUBLIC}))
    assert [str(one) for one in row.wider] == ["ami-2 is shared with 111122223333, more than requested"]
    assert row.prune_command == ("amicopy verify ami-1 --from us-east-1 --in us-west-2 --repair --prune --share public")


def test_what_a_copy_lacks_is_completed_and_named() -> None:
    source = replace(SOURCE, launch_permissions=frozenset({SOMEBODY}), deprecate_at=NOW + timedelta(days=9))
    row = planned(a_copy(), source=source)
    assert row.action is Action.UPDATE
    assert row.reason == (
        "ami-2 is available; it has no deprecation date instead of 2026-12-02; it is not shared with 111122223333"
    )
    assert len(row.differences) == 2


def test_a_failed_copy_is_replaced_and_remembered_for_removal() -> None:
    failed = a_copy(state=ImageState.FAILED, state_reason="Client.InternalError: no key")
    row = planned(failed)
    assert (row.action, row.reason) == (Action.REPLACE, "ami-2 failed: Client.InternalError: no key")
    assert (row.copy, row.failed, row.dead_ids) == (None, (failed,), frozenset({failed.image_id}))


def test_a_failure_without_a_reason_says_so() -> None:
    assert planned(a_copy(state=ImageState.ERROR)).reason == "ami-2 failed: EC2 gives no reason"


def test_another_tools_failed_copy_is_no_attempt_of_ours_and_is_left_alone() -> None:
    foreign = by_hand(state=ImageState.FAILED)
    row = planned(foreign, a_copy(state=ImageState.FAILED))
    assert [image.image_id for image in row.failed] == ["ami-2"]
    assert row.dead_ids == {"ami-2", "ami-9"}
    assert "ami-9 failed and was not made by amicopy; it is left alone" in row.notes


def test_a_failed_attempt_beside_a_faithful_copy_is_still_removed() -> None:
    failed = a_copy("ami-3", state=ImageState.FAILED)
    row = planned(a_copy(), failed)
    assert (row.action, row.failed) == (Action.UPDATE, (failed,))
    assert row.reason == "ami-2 is up to date; a failed copy remains to be removed"


def test_an_available_copy_goes_before_one_in_progress_and_that_before_a_disabled_one() -> None:
    pending, disabled = a_copy("ami-8", state=ImageState.PENDING), a_copy("ami-9", state=ImageState.DISABLED)
    assert planned(a_copy(), pending, disabled).action is Action.UNCHANGED
    assert planned(pending, disabled).action is Action.JOIN


def test_of_several_copies_the_newest_available_is_used_and_the_others_are_named() -> None:
    old, new = a_copy(created_at="2026-11-01T00:00:00.000Z"), a_copy("ami-3", created_at="2026-11-02T00:00:00.000Z")
    row = planned(old, new, a_copy("ami-4", state=ImageState.PENDING))
    assert row.copy == new
    assert "there are other copies of ami-1: ami-2, ami-4; ami-3 is used" in row.notes


def test_of_several_copies_in_progress_each_other_one_is_named_once_and_none_is_called_available() -> None:
    row = planned(a_copy("ami-4", state=ImageState.PENDING), a_copy("ami-3", state=ImageState.PENDING))
    [note] = [note for note in row.notes if "other copies" in note]
    assert note.count("ami-3") == 1
    assert "available" not in note


def test_a_disabled_copy_is_for_a_person_to_judge() -> None:
    row = planned(a_copy(state=ImageState.DISABLED))
    assert row.action is Action.REFUSE
    assert isinstance(row.problem, ImageUnavailable)
    assert row.reason == "The copy ami-2 in us-west-2 is disabled."


@pytest.mark.parametrize(
    ("copy", "asked", "why"),
    [
        (a_copy(attributes={"BootMode": "uefi"}), {}, "ami-2 has BootMode uefi instead of none"),
        (
            a_copy(),
            {"name": "database"},
            "EC2 cannot rename an AMI, and amicopy does not make a second copy unless you remove this one.",
        ),
    ],
)
def test_a_copy_that_only_a_new_one_could_mend_is_refused(copy: Image, asked: dict[str, Any], why: str) -> None:
    row = planned(copy, **asked)
    assert row.action is Action.REFUSE
    assert isinstance(row.problem, NotFaithful)
    assert row.problem.why == why
    assert "amicopy cancel --copy ami-2 --in us-west-2 --available" in row.problem.next_step


def test_a_destination_that_cannot_be_read_is_refused_for_that_reason() -> None:
    problem = RegionNotEnabled("The region us-west-2 is not enabled for this account.")
    row = planned(problem=problem)
    assert (row.action, row.problem, row.reason) == (Action.REFUSE, problem, problem.what)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (ImageState.PENDING, "is still pending"),
        (ImageState.FAILED, "is failed: no key."),
        (ImageState.DISABLED, "is disabled"),
    ],
)
def test_a_source_that_is_not_available_is_refused(state: ImageState, words: str) -> None:
    reason = "no key" if state is ImageState.FAILED else ""
    row = planned(source=replace(SOURCE, state=state, state_reason=reason))
    assert row.action is Action.REFUSE
    assert isinstance(row.problem, ImageUnavailable)
    assert words in row.reason


def test_what_ec2_would_refuse_is_refused_before_it_is_asked() -> None:
    row = planned(name="a:b")
    assert row.action is Action.REFUSE
    assert isinstance(row.problem, CopyFailed)
    assert "cannot contain ':'" in row.problem.why


def test_another_name_than_the_sources_is_noted_where_none_was_asked() -> None:
    row = planned(a_copy(name="db"))
    assert row.action is Action.UNCHANGED
    assert "ami-2 is named 'db', the source 'web'" in row.notes


def plan_of(*problems: AmicopyError | None, best_effort: tuple[str, ...] = ()) -> Plan:
    """Return a plan with a destination for each problem, or for none."""
    regions = tuple(f"region-{number}" for number in range(len(problems)))
    found = {
        Destination(name): DestinationFindings(destination=Destination(name), problem=one)
        for name, one in zip(regions, problems, strict=True)
    }
    request = CopyRequest(source_region=HOME, image_ids=("ami-1",), to=regions, best_effort=best_effort)
    return plan_copies(request, Survey(at=NOW, sources=(SOURCE,), destinations=found))


def test_a_refused_destination_refuses_the_plan_unless_it_was_best_effort() -> None:
    refused = NotFaithful("Not like it.")
    assert [row.region for row in plan_of(None, refused).refused] == ["region-1"]
    assert plan_of(None, refused, best_effort=("region-1",)).refused == ()


def test_a_destination_that_does_not_answer_refuses_nothing_but_itself() -> None:
    silent = Unreachable("It does not answer.")
    assert (plan_of(None, silent).refused, plan_of(None, silent).exit_code) == ((), ExitCode.PARTIAL)
    assert [row.region for row in plan_of(silent, NotFaithful("No."), None).refused] == ["region-0", "region-1"]
    assert len(plan_of(silent, silent).refused) == 2


def test_the_refusal_says_how_many_and_each_reason_once() -> None:
    refusal = plan_of(Unreachable("No answer."), None, Unreachable("No answer."), NotFaithful("Not like it.")).refusal()
    assert refusal.what == "3 of 4 copies are refused, so nothing was started."
    assert (refusal.why.count("No answer."), refusal.why.count("Not like it.")) == (1, 1)


def test_refusals_all_for_lack_of_access_are_a_matter_of_access() -> None:
    denied = AccessDenied("No.", action="ec2:CopyImage")
    assert plan_of(denied, RegionNotEnabled("No.")).refusal().exit_code is ExitCode.ACCESS
    assert plan_of(denied, NotFaithful("No.")).refusal().exit_code is ExitCode.FAILED
    assert plan_of(denied, TimedOut("No.")).refusal().exit_code is ExitCode.FAILED
    assert plan_of(NotFaithful("No."), NotFaithful("No.")).refusal().exit_code is ExitCode.FAILED


def test_a_refusal_found_later_takes_only_the_rows_that_would_write() -> None:
    denied = AccessDenied("Not allowed.", action="ec2:CopyImage")
    plan = with_refusals(plan_of(None, None), {Destination("region-1"): denied})
    assert [(row.action, row.reason) for row in plan.rows] == [
        (Action.COPY, "no copy yet"),
        (Action.REFUSE, "Not allowed."),
    ]
    kept = planned(a_copy())
    assert with_refusals(Plan(rows=(kept,)), {Destination(WEST): denied}).rows == (kept,)


def test_only_rows_that_write_are_executed_region_by_region() -> None:
    copy, keep = planned(), planned(a_copy())
    refuse = replace(copy, action=Action.REFUSE)
    assert rows_by_destination(Plan(rows=(keep, copy, refuse))) == {Destination(WEST): (copy,)}
    assert rows_by_destination(Plan(rows=(keep, refuse))) == {}


@pytest.mark.parametrize(
    ("action", "starts", "writes"),
    [
        (Action.COPY, True, True),
        (Action.REPLACE, True, True),
        (Action.JOIN, False, True),
        (Action.UPDATE, False, True),
        (Action.UNCHANGED, False, False),
        (Action.REFUSE, False, False),
    ],
)
def test_each_action_starts_and_writes_what_it_says(action: Action, starts: bool, writes: bool) -> None:
    row = replace(planned(), action=action)
    assert (action.starts_a_copy, row.writes, Plan(rows=(row,)).has_work) == (starts, writes, writes)


REGIONS = (WEST, EAST, "ap-south-1")
WHO = st.frozensets(st.sampled_from([SOMEBODY, OTHERS, PUBLIC]))
TAGS = st.dictionaries(st.sampled_from("abc"), st.sampled_from("xy"), max_size=3)


@st.composite
def sources(draw: st.DrawFn) -> tuple[Image, ...]:
    """Draw one or two sources, shared and tagged in any way."""

    def one(number: int) -> Image:
        shared = Snapshot(
            snapshot_id=f"snap-{number}", region=HOME, tags=draw(TAGS), volume_permissions=draw(st.none() | WHO)
        )
        return Image(
            image_id=f"ami-{number}",
            region=HOME,
            name="web",
            tags=draw(TAGS),
            devices=(BlockDevice(device="/dev/xvda", snapshot_id=shared.snapshot_id, volume_gib=8),),
            launch_permissions=draw(st.none() | WHO),
            deprecate_at=draw(st.sampled_from([None, NOW - timedelta(days=1), NOW + timedelta(days=1)])),
            snapshots=(shared,),
        )

    return tuple(one(number) for number in range(draw(st.integers(1, 2))))


@st.composite
def cases(draw: st.DrawFn) -> tuple[CopyRequest, Survey]:
    """Draw a request and what is already there, made by us or others, in any state, more or less faithful."""
    images = draw(sources())
    regions = tuple(draw(st.lists(st.sampled_from(REGIONS), unique=True, min_size=1)))
    destinations = {}
    for region in regions:
        copies = [
            a_copy(
                f"ami-{region}-{number}",
                draw(st.sampled_from(images)),
                region=region,
                state=draw(st.sampled_from(ImageState)),
                created_at=draw(st.sampled_from(["", "2026-11-01T00:00:00.000Z", "2026-11-02T00:00:00.000Z"])),
            )
            for number in range(draw(st.integers(0, 3)))
        ]
        for number, copy in enumerate(copies):
            if draw(st.booleans()):
                source_region, image_id = copy.tags[SOURCE_TAG].split("/")
                foreign = tuple(replace(one, tags={}) for one in copy.snapshots)
                copies[number] = replace(
                    copy, tags={}, snapshots=foreign, source_region=source_region, source_image_id=image_id
                )
        where = Destination(region)
        destinations[where] = DestinationFindings(destination=where, copies=tuple(copies))
    request = CopyRequest(
        source_region=HOME,
        image_ids=tuple(image.image_id for image in images),
        to=regions,
        tags=draw(TAGS),
        carry_tags=draw(st.booleans()),
        carry_permissions=draw(st.booleans()),
        share=draw(st.none() | WHO),
    )
    return request, Survey(at=NOW, sources=images, destinations=destinations)


def there(survey: Survey, row: Row) -> list[Image]:
    """Return the copies of a row's source in its destination."""
    made = row.source.reference
    return [
        copy
        for copy in survey.destinations[row.destination].copies
        if made in {copy.tags.get(SOURCE_TAG), f"{copy.source_region}/{copy.source_image_id}"}
    ]


@given(cases())
def test_rows_are_in_the_order_asked_one_for_each_source_and_destination(case: tuple[CopyRequest, Survey]) -> None:
    request, survey = case
    assert [row.key for row in plan_copies(request, survey).rows] == [
        (f"{HOME}/{image_id}", Destination(region)) for image_id in request.image_ids for region in request.to
    ]


@given(cases())
def test_a_copy_is_started_only_where_none_is_alive(case: tuple[CopyRequest, Survey]) -> None:
    for row in plan_copies(*case).rows:
        alive = [
            copy
            for copy in there(case[1], row)
            if is_ours(row.source, copy) and (not copy.state.is_dead or copy.state is ImageState.DISABLED)
        ]
        assert not (row.action.starts_a_copy and alive)
        if not alive:  # then another tool's copy is as good, or one of ours is made
            assert row.action.starts_a_copy or (row.copy is not None and row.differences == ())


@given(cases())
def test_nobody_is_let_in_who_is_neither_at_the_source_nor_asked_for(case: tuple[CopyRequest, Survey]) -> None:
    request, survey = case
    for row in plan_copies(request, survey).rows:
        [snapshot] = row.source.snapshots
        for who in row.desired.volume_permissions.values():
            assert who <= (snapshot.volume_permissions or NOBODY)
        assert row.desired.launch_permissions <= (row.source.launch_permissions or NOBODY) | (request.share or NOBODY)


@given(cases())
def test_only_what_amicopy_made_and_what_failed_is_ever_removed(case: tuple[CopyRequest, Survey]) -> None:
    for row in plan_copies(*case).rows:
        for image in row.failed:
            assert image.tags[SOURCE_TAG] == row.source.reference
            assert image.state.is_dead
            assert image.state is not ImageState.DISABLED


def decided(row: Row) -> tuple[object, ...]:
    """Return all of a row but its error: two of the same content are not equal, and the reason says what they say."""
    return row.key, row.action, row.reason, row.desired, row.copy, row.differences, row.failed, row.dead_ids, row.notes


@given(cases(), st.randoms(use_true_random=False))
def test_the_order_in_which_ec2_lists_copies_changes_nothing(case: tuple[CopyRequest, Survey], random: Any) -> None:
    request, survey = case
    shuffled = {
        region: replace(found, copies=tuple(random.sample(found.copies, len(found.copies))))
        for region, found in survey.destinations.items()
    }
    one, other = plan_copies(request, survey), plan_copies(request, replace(survey, destinations=shuffled))
    assert [decided(row) for row in one.rows] == [decided(row) for row in other.rows]


def executed(row: Row, copies: list[Image]) -> list[Image]:
    """Return what a destination holds of one source once its row has been executed."""
    kept = [copy for copy in copies if copy not in row.failed or not row.writes]
    if row.action.starts_a_copy:
        kept.append(a_copy(f"ami-new-{row.source.image_id}", row.source, region=row.region))
        completed = kept[-1]
    elif row.writes and row.copy:
        completed = row.copy
    else:
        return kept
    device, snapshot = completed.devices[0].device, completed.snapshots[0]
    done = replace(
        completed,
        state=ImageState.AVAILABLE,
        created_at="2026-11-23T00:00:00.000Z",
        tags={**completed.tags, **row.desired.tags},
        deprecate_at=row.desired.deprecate_at or completed.deprecate_at,
        launch_permissions=(completed.launch_permissions or NOBODY) | row.desired.launch_permissions,
        snapshots=(
            replace(
                snapshot,
                tags={**snapshot.tags, **row.desired.snapshot_tags[device]},
                volume_permissions=row.desired.volume_permissions.get(device, NOBODY),
            ),
        ),
    )
    return [done if copy is completed else copy for copy in kept]


@given(cases())
@settings(max_examples=200)
def test_after_a_plan_was_executed_the_next_one_has_nothing_to_do(case: tuple[CopyRequest, Survey]) -> None:
    request, survey = case
    plan = plan_copies(request, survey)
    after = {
        destination: replace(
            found,
            copies=tuple(
                image
                for row in plan.rows
                if row.destination == destination
                for image in executed(row, there(survey, row))
            ),
        )
        for destination, found in survey.destinations.items()
    }
    again = plan_copies(request, replace(survey, destinations=after))
    assert not again.has_work
    assert [row.key for row in again.refused] == [row.key for row in plan.refused]
