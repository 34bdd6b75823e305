"""amicopy as a library: called as a program would, with means of its own."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import amicopy
from amicopy import api
from amicopy.core.errors import ExitCode, ImageNotFound, ManifestInvalid, UsageError
from amicopy.core.events import CopyAvailable, CopyDone, CopyStarted
from amicopy.execute.cancel import TargetState
from amicopy.execute.report import State
from amicopy.jobs.publish import ParameterState
from amicopy.sandbox.world import World
from tests.support.clock import FakeClock, one_after_another
from tests.support.manifests import a_manifest, parameter, put_parameter
from tests.support.scenes import EAST, HOME, SOMEBODY, WEST, a_source, order, slow, the_copy, writes
from tests.support.schema import check_output

GONE = "ami-0123456789abcdef0"


@pytest.fixture
def context(world: World, clock: FakeClock) -> amicopy.Context:
    """Return what a program hands over: the sandbox's session, the test's time, lanes in one thread."""
    return amicopy.Context(session=amicopy.Session(), clock=clock, drive=one_after_another)


def test_the_package_has_the_api_s_names_and_no_others() -> None:
    assert sorted(amicopy.__all__) == sorted(api.__all__)
    assert all(getattr(amicopy, name) is getattr(api, name) for name in api.__all__)
    with pytest.raises(AttributeError, match="no attribute 'copi'"):
        amicopy.copi  # noqa: B018


def test_importing_the_package_does_not_import_botocore() -> None:
    code = "import sys, amicopy; print(sorted({'botocore', 'click', 'rich', 'yaml'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_copy_returns_a_report_and_tells_each_event(world: World, context: amicopy.Context) -> None:
    source = a_source(world)
    events: list[amicopy.Event] = []
    report = amicopy.copy(source.image_id, to=f"{WEST},{EAST}", context=context, on_event=events.append)
    assert report.exit_code() is ExitCode.OK
    assert [(row.row.region, row.image_id) for row in report.outcomes] == [
        (region, the_copy(world, region).image_id) for region in (WEST, EAST)
    ]
    of_west = [type(event) for event in events if event.region == WEST]
    assert [kind for kind in of_west if kind in {CopyStarted, CopyAvailable, CopyDone}] == [
        CopyStarted,
        CopyAvailable,
        CopyDone,
    ]


def test_boot_launches_watches_and_terminates(world: World, context: amicopy.Context) -> None:
    source = a_source(world)
    report = amicopy.boot(
        source.image_id, regions=HOME, instance_type="t3.small", timeout=timedelta(hours=1), context=context
    )
    assert (report.exit_code, [one.instance_type for one in report.targets]) == (ExitCode.OK, ["t3.small"])
    assert [one.operation for one in world.requests if one.operation in {"RunInstances", "TerminateInstances"}][
        -2:
    ] == [
        "RunInstances",
        "TerminateInstances",
    ]
    world.requests.clear()
    refused = amicopy.boot(source.image_id, regions=HOME, instance_type="t9.tiny", context=context)
    assert ([error.slug for error in refused.refused], refused.exit_code) == (["boot-refused"], ExitCode.FAILED)
    with pytest.raises(UsageError, match="is not tested"):
        amicopy.boot(source.image_id, regions=HOME, subnets={WEST: "subnet-01234567"}, context=context)
    assert not [one for one in world.requests if one.operation == "RunInstances"]


def test_retire_changes_nothing_until_parameters_are_decided(world: World, context: amicopy.Context) -> None:
    source, good = a_source(world), a_source(world, name="good")
    put_parameter(HOME, "/web", source.image_id)
    about: dict[str, Any] = {"regions": HOME, "context": context}
    refused = amicopy.retire(source.image_id, parameter_names="/web", **about)
    assert ([error.slug for error in refused.refused], source.state) == (["no-replacement"], "available")
    retired = amicopy.retire(source.image_id, replacements={"/web": good.image_id}, **about)
    assert (retired.exit_code, source.state, parameter(HOME, "/web")) == (ExitCode.OK, "disabled", good.image_id)
    assert amicopy.retire(source.image_id, undo=True, **about).exit_code is ExitCode.OK
    left = amicopy.retire(source.image_id, parameter_names="/web", leave_parameters="/w*", **about)
    assert (left.exit_code, parameter(HOME, "/web")) == (ExitCode.OK, source.image_id)


def test_retire_restores_the_release_before_first(world: World, context: amicopy.Context) -> None:
    good, bad = a_source(world, name="good"), a_source(world, name="bad")
    put_parameter(HOME, "/web", good.image_id)
    about: dict[str, Any] = {"regions": HOME, "parameter_names": "/web", "context": context}
    amicopy.retire(good.image_id, regions=HOME, parameters=False, context=context)
    put_parameter(HOME, "/web", bad.image_id)
    assert amicopy.retire(bad.image_id, **about).refused  # the only earlier value is a retired image
    assert (good.state, bad.state) == ("disabled", "available")
    result = amicopy.retire(bad.image_id, restore=good.image_id, **about)
    assert [(one.image_id, str(one.state)) for one in result.targets] == [
        (good.image_id, "restored"),
        (bad.image_id, "retired"),
    ]
    assert (result.exit_code, parameter(HOME, "/web")) == (ExitCode.OK, good.image_id)
    assert (good.state, bad.state) == ("available", "disabled")
    wrongs: tuple[dict[str, Any], ...] = ({"restore": bad.image_id}, {"restore": good.image_id, "undo": True})
    for wrong in wrongs:
        with pytest.raises(UsageError, match="restore"):
            amicopy.retire(bad.image_id, **wrong, **about)


def test_the_same_call_again_writes_nothing(world: World, context: amicopy.Context) -> None:
    source = a_source(world)
    amicopy.copy([source.image_id], to=[WEST], context=context)
    world.requests.clear()
    report = amicopy.copy([source.image_id], to=[WEST], context=context)
    assert ([row.state for row in report.outcomes], writes(world)) == ([State.UNCHANGED], [])


def test_a_failed_destination_is_in_the_report(world: World, context: amicopy.Context) -> None:
    source = a_source(world)
    order(world, f"copy@{WEST}=fail*always")
    report = amicopy.copy(source.image_id, to=[WEST, EAST], context=context)
    assert report.exit_code() is ExitCode.PARTIAL
    assert [row.state for row in report.outcomes] == [State.FAILED, State.DONE]


@pytest.mark.parametrize(("share", "launch"), [(None, {SOMEBODY}), ([], set()), (SOMEBODY, {SOMEBODY})])
def test_shared_with_nobody_is_not_shared_as_the_source(
    world: World, context: amicopy.Context, share: list[str] | str | None, launch: set[str]
) -> None:
    source = a_source(world, launch_permissions={SOMEBODY})
    amicopy.copy(source.image_id, to=WEST, share=share, context=context)
    assert the_copy(world, WEST).launch_permissions == launch


def test_what_contradicts_itself_is_raised_before_aws_is_asked(world: World, context: amicopy.Context) -> None:
    with pytest.raises(UsageError, match="us-west-22"):
        amicopy.copy(GONE, to="us-west-22", context=context)
    with pytest.raises(UsageError, match="somebody"):
        amicopy.copy(GONE, to=WEST, share=["somebody"], context=context)
    with pytest.raises(ValueError, match="ids"):
        amicopy.cancel([], regions=WEST, context=context)
    assert world.requests == []


def test_an_ami_that_is_not_there_is_raised(world: World, context: amicopy.Context) -> None:
    with pytest.raises(ImageNotFound) as raised:
        amicopy.copy(GONE, to=WEST, context=context)
    assert raised.value.image_ids == (GONE,)
    with pytest.raises(ImageNotFound):
        amicopy.status(GONE, regions=WEST, context=context)


def test_a_job_shows_its_plan_before_anything_is_written(world: World, context: amicopy.Context) -> None:
    source = a_source(world)
    request = amicopy.CopyRequest(source_region=HOME, image_ids=(source.image_id,), to=(WEST,))
    job = amicopy.CopyJob(context, [request])
    assert job.plan().has_work
    assert writes(world) == []
    kinds = [type(event) for event in job.events() if event is not None]
    assert kinds[-1] is CopyDone
    assert job.report.outcomes[0].state is State.DONE


def test_status_verify_and_cancel(world: World, context: amicopy.Context, clock: FakeClock) -> None:
    source = a_source(world)
    slow(world, 36000)
    amicopy.copy(source.image_id, to=WEST, run_options=amicopy.RunOptions(wait=False), context=context)
    clock.advance(60)  # EC2 shows a new image a little later
    copy = the_copy(world, WEST)
    assert copy.image_id in repr(amicopy.status(source.image_id, regions=[WEST], context=context))
    amicopy.verify(source.image_id, regions=WEST, context=context)
    cancellation = amicopy.cancel(source.image_id, regions=WEST, context=context)
    assert [(one.resource_id, one.state) for one in cancellation.targets] == [(copy.image_id, TargetState.CANCELLED)]
    assert world.images(WEST) == []


def test_every_result_is_a_document_of_the_schema(
    world: World, context: amicopy.Context, tmp_path: Path, clock: FakeClock
) -> None:
    source = a_source(world)
    path = tmp_path / "m.yaml"
    path.write_text(f"images:\n  - source: {source.image_id}\n    from: {HOME}\n    to: {EAST}\n")
    results: list[Any] = [
        amicopy.copy(source.image_id, to=WEST, context=context),
        amicopy.sync(path, context=context),
        amicopy.status(source.image_id, regions=WEST, context=context),
        amicopy.verify(source.image_id, regions=WEST, context=context),
        amicopy.retire(source.image_id, regions=WEST, context=context),
        amicopy.cancel(source.image_id, regions=EAST, available=True, context=context),
    ]
    documents = [amicopy.to_dict(result) for result in results]
    for document in documents:
        check_output(json.dumps(document))
    assert [one["command"] for one in documents] == ["copy", "sync", "status", "verify", "retire", "cancel"]
    assert documents[0]["copies"][0]["image_id"] == the_copy(world, WEST).image_id


def test_sync_makes_a_manifest_true(world: World, context: amicopy.Context, tmp_path: Path) -> None:
    source = a_source(world)
    manifest = a_manifest(
        tmp_path, f"images: [{{source: {source.image_id}, from: {HOME}, to: {WEST}, publish: {{ssm: /a}}}}]\n"
    )
    done = amicopy.sync(Path(manifest), context=context)
    assert done.exit_code() is ExitCode.OK
    assert [(one.region, one.state, one.image_id) for one in done.parameter_writes] == [
        (WEST, ParameterState.DONE, the_copy(world, WEST).image_id)
    ]
    assert parameter(WEST, "/a") == the_copy(world, WEST).image_id


def test_a_faulty_manifest_is_raised_with_its_faults(world: World, context: amicopy.Context, tmp_path: Path) -> None:
    with pytest.raises(ManifestInvalid) as raised:
        amicopy.sync(a_manifest(tmp_path, "imgaes: []\nnmae: x\n"), context=context)
    assert len(raised.value.details) >= 2
    with pytest.raises(OSError, match="nowhere"):
        amicopy.sync(tmp_path / "nowhere.yaml", context=context)
    assert world.requests == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tags": {"a": 1}}, r"tags\['a'\] must be of type str, not int"),
        ({"tags": ["a"]}, "tags must be a mapping, not list"),
        ({"kms_keys": "alias/x"}, "kms_keys must be a mapping, not str"),
        ({"protect": True}, "protect must be of type Protection, not bool"),
        ({"complete_within": 60}, "complete_within must be of type timedelta, not int"),
        ({"deprecate_after": 30}, "deprecate_after must be of type timedelta, not int"),
    ],
)
def test_a_wrong_type_is_named(world: World, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        amicopy.copy(a_source(world).image_id, to=WEST, **arguments)
    assert world.requests == []


def test_a_timeout_without_a_unit_is_refused() -> None:
    with pytest.raises(TypeError, match="timeout must be of type timedelta, not int"):
        amicopy.RunOptions(timeout=60)  # type: ignore[arg-type]


def test_what_the_functions_raise_can_be_imported() -> None:
    assert issubclass(amicopy.ImageNotFound, amicopy.AmicopyError)
    assert issubclass(amicopy.ManifestInvalid, amicopy.UsageError)
    assert amicopy.ExitCode is ExitCode
