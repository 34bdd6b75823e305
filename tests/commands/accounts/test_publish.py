"""``publish`` in other accounts: each has the id of its own copy, by its own session, forwards only."""

from pathlib import Path

import pytest

from amicopy.sandbox.accounts import ROOT_ID, unit_id
from amicopy.sandbox.http.server import Sandbox
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.accounts import OWN, B, C, There, copy_in
from tests.support.clock import FakeClock
from tests.support.manifests import DAY, a_manifest, parameter
from tests.support.scenes import HOME, WEST, a_source, asked, order, writes

MANIFEST = f"""\
    images:
      - source: {{name: 'web-*'}}
        from: {HOME}
        to: [{HOME}, {WEST}]
        accounts:
          - id: '{B}'
          - {{id: '{C}', regions: {WEST}}}
        publish: {{ssm: /amis/web}}
"""
OLD = "ami-0123456789abcdef0"


def test_each_account_s_parameter_has_the_id_of_its_own_copy(
    amicopy: Run, world: World, there: There, tmp_path: Path
) -> None:
    a_source(world, name="web-1")
    manifest = a_manifest(tmp_path, MANIFEST)
    planned = amicopy("sync", manifest, "--dry-run")
    assert f"+ {B}/{WEST} /amis/web the new copy" in " ".join(planned.out.split())
    ran = amicopy("sync", manifest, "--output", "json")
    assert ran.code == 0, ran.err
    for account, region in ((B, HOME), (B, WEST), (C, WEST)):
        assert there.parameter(account, region) == copy_in(world, account, region).image_id
    assert parameter(WEST, "/amis/web") == copy_in(world, OWN, WEST).image_id
    assert [there.parameter(C, HOME), parameter(HOME, "/amis/web")] == ["", ""]
    said = {(one.get("account"), one["region"], one["state"]) for one in ran.json["parameters"]}
    assert said == {(None, WEST, "done"), (B, HOME, "done"), (B, WEST, "done"), (C, WEST, "done")}
    assert not [note for note in ran.json["notes"] if "publish" in note]
    world.requests.clear()
    again = amicopy("sync", manifest)
    assert (again.code, [one for one in writes(world) if one != "AssumeRole"]) == (0, [])


def test_a_parameter_can_be_for_some_accounts_only(amicopy: Run, world: World, there: There, tmp_path: Path) -> None:
    a_source(world, name="web-1")
    paths = (
        f"[{{path: /all}}, {{path: /own, accounts: self}}, {{path: /theirs, accounts: [{B}, {C}]}},"
        f" {{path: /one, in: {WEST}, accounts: 'self,{B}'}}]"
    )
    ran = amicopy("sync", a_manifest(tmp_path, MANIFEST.replace("/amis/web", paths)))
    assert ran.code == 0, ran.err
    found = {
        (account, region, path)
        for account, region in ((OWN, WEST), (B, HOME), (B, WEST), (C, WEST))
        for path in ("/all", "/own", "/theirs", "/one")
        if there.parameter(account, region, path)
    }
    assert found == {
        *((account, region, "/all") for account, region in ((OWN, WEST), (B, HOME), (B, WEST), (C, WEST))),
        (OWN, WEST, "/own"),
        *((account, region, "/theirs") for account, region in ((B, HOME), (B, WEST), (C, WEST))),
        *((account, WEST, "/one") for account in (OWN, B)),
    }


def test_all_or_none_counts_the_other_accounts(amicopy: Run, world: World, there: There, tmp_path: Path) -> None:
    a_source(world, name="web-1")
    manifest = a_manifest(tmp_path, MANIFEST.replace("/amis/web", "/amis/web, when: all"))
    order(world, f"copy@{WEST}=fail after 1")  # the own copy in that region is the first one there
    ran = amicopy("sync", manifest)
    assert ran.code == 3, ran.err
    assert asked(world, "PutParameter") == []
    assert amicopy("sync", manifest).code == 0
    assert parameter(WEST, "/amis/web") == copy_in(world, OWN, WEST).image_id
    assert there.parameter(B, HOME) == copy_in(world, B, HOME).image_id


def test_a_release_replaces_the_one_before_although_its_copies_are_younger_than_that_image(
    amicopy: Run, world: World, clock: FakeClock, there: There, tmp_path: Path
) -> None:
    """What a copy in another account was made from is a copy, too: its age is not that of the release."""
    first = a_source(world, name="web-1")
    clock.advance(60)
    second = a_source(world, name="web-2")
    clock.advance(DAY)
    manifest = a_manifest(tmp_path, MANIFEST)
    only = a_manifest(tmp_path, MANIFEST.replace("web-*", "web-1"), "first.yaml")
    assert amicopy("sync", only).code == 0
    assert there.parameter(B, WEST) != ""
    ran = amicopy("sync", manifest)
    assert ran.code == 0, ran.err
    [copy] = [one for one in world.images(WEST, B) if one.tags["amicopy:source"].endswith(second.image_id)]
    assert there.parameter(B, WEST) == copy.image_id
    back = amicopy("sync", only, "--output", "json")  # and never back
    assert {one["state"] for one in back.json["parameters"]} == {"newer"}
    assert (there.parameter(B, WEST), first.name) == (copy.image_id, "web-1")


def test_what_one_account_does_not_let_be_written_is_its_own_failure(
    amicopy: Run, world: World, there: There, tmp_path: Path
) -> None:
    a_source(world, name="web-1")
    there.client(B, "ssm", WEST).put_parameter(Name="/amis/web", Value="something else", Type="String")
    ran = amicopy("sync", a_manifest(tmp_path, MANIFEST))
    assert ran.code == 3
    assert f"The parameter /amis/web in {B}/{WEST} does not contain an AMI id" in ran.err
    assert there.parameter(B, WEST) == "something else"
    assert there.parameter(C, WEST) == copy_in(world, C, WEST).image_id


def test_accounts_whose_parameters_may_not_be_read_are_named_before_anything_is_written(
    amicopy: Run, world: World, tmp_path: Path
) -> None:
    a_source(world, name="web-1")
    order(world, f"GetParameter@{WEST}=error:403 AccessDeniedException: You may not.*always")
    ran = amicopy("sync", a_manifest(tmp_path, MANIFEST))
    assert (ran.code, asked(world, "CopyImage"), asked(world, "PutParameter")) == (6, [], [])
    assert all(f"{where} /amis/web: " in ran.err for where in (WEST, f"{B}/{WEST}", f"{C}/{WEST}"))


@pytest.mark.parametrize(
    ("target", "action"),
    [("ssm: /amis/web", "ssm:GetParameter"), ("launch_templates: web", "ec2:DescribeLaunchTemplateVersions")],
)
def test_what_a_role_may_not_read_is_its_own_failure_and_everything_else_is_done(
    amicopy: Run, world: World, there: There, tmp_path: Path, target: str, action: str
) -> None:
    """In the source's region, only another account has a copy."""
    a_source(world, name="web-1")
    for account, region in ((OWN, WEST), (B, HOME), (B, WEST), (C, WEST)):
        there.put_parameter(account, region, "/amis/web", OLD)
        data = {"LaunchTemplateName": "web", "LaunchTemplateData": {"ImageId": OLD}}
        there.client(account, "ec2", region).create_launch_template(**data)
    manifest = a_manifest(tmp_path, MANIFEST.replace("ssm: /amis/web", target))
    code = "AccessDeniedException" if action.startswith("ssm") else "UnauthorizedOperation"
    order(world, f"{action.partition(':')[2]}@{HOME}=error:403 {code}: You may not.*always")
    planned = amicopy("sync", manifest, "--dry-run")
    assert (planned.code, f"! {B}/{HOME}" in " ".join(planned.out.split())) == (3, True), planned.err
    ran = amicopy("sync", manifest, "--output", "json")
    written = [*ran.json["parameters"], *ran.json["launch_templates"]]
    states = {(one.get("account", OWN), one["region"]): one["state"] for one in written}
    assert (ran.code, ran.json["status"]) == (3, "partial"), ran.err
    assert states == {(OWN, WEST): "done", (B, HOME): "failed", (B, WEST): "done", (C, WEST): "done"}
    assert (action in ran.err, f" in {B}/{HOME}" in ran.err) == (True, True)
    assert copy_in(world, B, HOME).state == "available"
    world.clear_faults()
    assert there.parameter(B, HOME) == OLD
    assert amicopy("sync", manifest).code == 0


def test_a_region_whose_parameters_do_not_answer_is_its_own_failure(
    amicopy: Run, world: World, there: There, tmp_path: Path
) -> None:
    a_source(world, name="web-1")
    order(world, f"GetParameter@{WEST}=html:502*always")
    ran = amicopy("sync", a_manifest(tmp_path, MANIFEST), "--output", "json")
    assert ran.code == 3, ran.err
    states = {(one.get("account"), one["region"]): one["state"] for one in ran.json["parameters"]}
    assert states == {(None, WEST): "failed", (B, HOME): "done", (B, WEST): "failed", (C, WEST): "failed"}
    assert there.parameter(B, HOME) == copy_in(world, B, HOME).image_id
    world.clear_faults()
    assert amicopy("sync", str(tmp_path / "amis.yaml")).code == 0
    assert there.parameter(C, WEST) == copy_in(world, C, WEST).image_id


def test_a_launch_template_of_another_account_gets_the_copy_there(
    amicopy: Run, world: World, there: There, tmp_path: Path
) -> None:
    a_source(world, name="web-1")
    ec2 = there.client(B, "ec2", WEST)
    ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData={"ImageId": OLD})
    ran = amicopy("sync", a_manifest(tmp_path, MANIFEST.replace("ssm: /amis/web", "launch_templates: web")))
    assert ran.code == 0, ran.err
    answer = ec2.describe_launch_template_versions(LaunchTemplateName="web", Versions=["$Default"])
    assert answer["LaunchTemplateVersions"][0]["LaunchTemplateData"]["ImageId"] == copy_in(world, B, WEST).image_id
    assert f"{C}/{WEST} launch template web does not exist there; none is created" in " ".join(ran.err.split())


def test_a_unit_s_accounts_are_published_in_and_one_that_it_lacks_is_noted(
    amicopy: Run, sandbox: Sandbox, world: World, there: There, tmp_path: Path
) -> None:
    sandbox.add_account(B, unit="workloads")
    sandbox.add_account(C)
    a_source(world, name="web-1")
    text = MANIFEST.replace(f"- id: '{B}'", f"- ou: {unit_id('workloads')}")
    paths = f"{{path: /a, accounts: [{B}, 444444444444]}}"
    ran = amicopy("sync", a_manifest(tmp_path, text.replace("/amis/web", paths)))
    assert ran.code == 0, ran.err
    assert "note: /a is not published in account 444444444444, which gets no copy" in ran.err
    assert there.parameter(B, HOME, "/a") == copy_in(world, B, HOME).image_id
    assert parameter(WEST, "/a") == ""


def publishing(paths: str) -> str:
    """Return the manifest with what is published."""
    return MANIFEST.replace("/amis/web", paths)


def test_a_unit_stands_for_its_active_accounts_with_those_of_units_in_it(
    amicopy: Run, sandbox: Sandbox, world: World, there: There, tmp_path: Path
) -> None:
    sandbox.add_account(B, unit="workloads/test")
    sandbox.add_account(C, unit="security")
    sandbox.add_account("444444444444", unit="workloads", suspended=True)
    a_source(world, name="web-1")
    theirs = f"[self, {{ou: {unit_id('workloads')}}}]"
    paths = f"[{{path: /a, accounts: {theirs}}}, {{path: /c, accounts: [{{id: '{C}'}}]}}]"
    ran = amicopy("sync", a_manifest(tmp_path, publishing(paths)))
    assert ran.code == 0, ran.err
    assert [there.parameter(B, region, "/a") for region in (HOME, WEST)] == [
        copy_in(world, B, region).image_id for region in (HOME, WEST)
    ]
    assert parameter(WEST, "/a") == copy_in(world, OWN, WEST).image_id
    assert there.parameter(C, WEST, "/c") == copy_in(world, C, WEST).image_id
    assert [there.parameter(C, WEST, "/a"), there.parameter(B, WEST, "/c"), parameter(WEST, "/c")] == ["", "", ""]
    assert "is not published" not in ran.err
    assert len(asked(world, "ListAccountsForParent")) == 2  # the unit and the one in it, once


def test_the_account_of_the_credentials_can_be_in_the_unit_too(
    amicopy: Run, sandbox: Sandbox, world: World, there: There, tmp_path: Path
) -> None:
    """A root has all accounts, its own management account included."""
    sandbox.add_account(B, unit="workloads")
    sandbox.add_account(C)
    a_source(world, name="web-1")
    ran = amicopy("sync", a_manifest(tmp_path, publishing(f"{{path: /a, accounts: [{{ou: {ROOT_ID}}}]}}")))
    assert ran.code == 0, ran.err
    found = [there.parameter(account, WEST, "/a") for account in (OWN, B, C)]
    assert found == [copy_in(world, account, WEST).image_id for account in (OWN, B, C)]


def test_a_unit_s_launch_templates_get_the_copies_and_no_others(
    amicopy: Run, sandbox: Sandbox, world: World, there: There, tmp_path: Path
) -> None:
    sandbox.add_account(B, unit="workloads")
    sandbox.add_account(C, unit="security")
    a_source(world, name="web-1")
    for account in (B, C):
        ec2 = there.client(account, "ec2", WEST)
        ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData={"ImageId": OLD})
    templates = f"launch_templates: {{name: web, accounts: [{{ou: {unit_id('workloads')}}}]}}"
    text = MANIFEST.replace("ssm: /amis/web", templates)
    assert amicopy("sync", a_manifest(tmp_path, text)).code == 0
    images = []
    for account in (B, C):
        ec2 = there.client(account, "ec2", WEST)
        answer = ec2.describe_launch_template_versions(LaunchTemplateName="web", Versions=["$Default"])
        images.append(answer["LaunchTemplateVersions"][0]["LaunchTemplateData"]["ImageId"])
    assert images == [copy_in(world, B, WEST).image_id, OLD]


def test_units_of_the_copies_and_of_publishing_are_listed_once_and_everything_wrong_is_said_together(
    amicopy: Run, sandbox: Sandbox, world: World, tmp_path: Path
) -> None:
    sandbox.add_account(B, unit="workloads")
    sandbox.add_account(C, unit="empty", suspended=True)
    a_source(world, name="web-1")
    units = unit_id("workloads"), unit_id("empty"), "ou-exam-00000000"
    first, second, third = (f"{{ou: {unit}}}" for unit in units)
    paths = f"[{{path: /a, accounts: [{first}, {second}]}}, {{path: /b, accounts: [{third}]}}]"
    text = publishing(paths).replace(f"- id: '{B}'", f"- ou: {units[0]}").replace(f"id: '{C}'", f"ou: {units[1]}")
    ran = amicopy("sync", a_manifest(tmp_path, text))
    assert ran.code == 6
    assert "2 accounts or organizational units cannot be used, so nothing was started." in ran.err
    assert f"{units[1]}: The organizational unit {units[1]} has no active account." in ran.err
    assert f"{units[2]}: The organizational unit {units[2]} cannot be listed." in ran.err
    asked_for = [one.params["ParentId"] for one in asked(world, "ListAccountsForParent")]
    assert sorted(asked_for) == sorted(units)
    assert [one for one in writes(world) if one != "AssumeRole"] == []


def test_a_unit_that_may_not_be_listed_is_exit_6_before_anything_is_written(
    amicopy: Run, sandbox: Sandbox, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.add_account(B, unit="workloads")
    a_source(world, name="web-1", account=B)
    for name, value in sandbox.credentials(B).items():
        monkeypatch.setenv(name.upper(), value)
    text = publishing(f"{{path: /a, accounts: [{{ou: {unit_id('workloads')}}}]}}")
    ran = amicopy("sync", a_manifest(tmp_path, text.replace(f"- id: '{B}'", f"- id: '{OWN}'")))
    assert ran.code == 6, ran.err
    assert f"The accounts of {unit_id('workloads')} cannot be listed." in ran.err
    assert "or list the accounts by id (accounts)" in ran.err
    assert [one for one in writes(world) if one != "AssumeRole"] == []


def test_a_unit_without_any_copy_is_noted(
    amicopy: Run, sandbox: Sandbox, world: World, there: There, tmp_path: Path
) -> None:
    for account, unit in ((B, "workloads"), (C, "workloads"), ("444444444444", "security")):
        sandbox.add_account(account, unit=unit)
    a_source(world, name="web-1")
    ran = amicopy("sync", a_manifest(tmp_path, publishing(f"{{path: /a, accounts: [{{ou: {unit_id('security')}}}]}}")))
    assert ran.code == 0, ran.err
    assert f"note: /a is not published in any account of {unit_id('security')}: none of them gets a copy" in ran.err
    assert [there.parameter(account, WEST, "/a") for account in (OWN, B, C)] == ["", "", ""]


def test_without_a_unit_in_publish_no_unit_is_listed(amicopy: Run, world: World, tmp_path: Path) -> None:
    a_source(world, name="web-1")
    assert amicopy("sync", a_manifest(tmp_path, MANIFEST)).code == 0
    assert asked(world, "ListAccountsForParent") == []


@pytest.mark.parametrize(
    ("accounts", "wrong"),
    [
        ("ou-abcd-12345678", "ou-abcd-12345678 is an organizational unit; write a list with {ou: ou-abcd-12345678}"),
        ("[ou: workloads]", "'workloads' is not a valid id of an organizational unit, such as ou-abcd-12345678"),
        ("[{ou: ou-abcd-12345678, id: '222222222222'}]", "give exactly one of id and ou"),
        ("[{ou: ou-abcd-12345678, role: a}]", "'role' is an unknown key; there are: id, ou"),
        ("[{ou: ou-abcd-12345678}, {ou: ou-abcd-12345678}]", "ou-abcd-12345678 is given twice"),
        ("['222222222222', {id: '222222222222'}]", "222222222222 is given twice"),
        ("'self,self'", "self is given twice"),
        ("12345", "'12345' is not a valid account id"),
        ("own", "'own' is not a valid account id: an account id has 12 digits; self is the account of the credentials"),
        ("444444444444", "444444444444 is not one of the image's accounts"),
    ],
)
def test_an_account_that_cannot_be_published_in_is_said_with_its_place(
    amicopy: Run, world: World, tmp_path: Path, accounts: str, wrong: str
) -> None:
    text = MANIFEST.replace("/amis/web", f"{{path: /amis/web, accounts: {accounts}}}")
    ran = amicopy("sync", a_manifest(tmp_path, text))
    assert (ran.code, world.requests) == (2, [])
    assert wrong in ran.err
    assert "amis.yaml:8:" in ran.err


def test_a_process_that_works_on_one_region_publishes_in_the_accounts_there(
    amicopy: Run, world: World, there: There, tmp_path: Path
) -> None:
    a_source(world, name="web-1")
    manifest = a_manifest(tmp_path, MANIFEST.replace("/amis/web", f"{{path: /amis/web, accounts: '{C}'}}"))
    for region in (HOME, WEST):  # C has copies in one of them only
        ran = amicopy("sync", manifest, "--unit", region)
        assert ran.code == 0, ran.err
    assert there.parameter(C, WEST) == copy_in(world, C, WEST).image_id
    assert [there.parameter(B, HOME), there.parameter(B, WEST), parameter(WEST, "/amis/web")] == ["", "", ""]
