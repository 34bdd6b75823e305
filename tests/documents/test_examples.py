"""Every example is run, or read by what reads it in earnest."""

import configparser
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from amicopy.sandbox.http.server import Sandbox
from amicopy.sandbox.records import Image
from amicopy.sandbox.samples import populate, sample_accounts
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.clock import FakeClock

EXAMPLES = Path(__file__).parents[2] / "examples"
AMI = "ami-0a11ce5a3b1e00001"
FLOCK = shutil.which("flock") or ""
SYSTEMD = shutil.which("systemd-analyze") or ""


@pytest.fixture
def here(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with the examples in it, beside an EC2 with the samples, and a key and a template in two regions."""
    populate(world)
    shutil.copytree(EXAMPLES, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("RELEASE", "2026.11")
    for region in ("us-west-2", "eu-west-1"):
        kms: Any = boto3.client("kms", region)
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.create_alias(AliasName="alias/images", TargetKeyId=key)
        kms.close()
        ec2: Any = boto3.client("ec2", region)
        ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData={"InstanceType": "t4g.micro"})
        ec2.close()
    return tmp_path / "here"


def shell(line: str, directory: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a line as a shell does, with this environment's amicopy."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["sh", "-c", line], cwd=directory, env=os.environ | {"PATH": path} | variables, capture_output=True, text=True
    )


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.yaml")))
def test_every_manifest_is_planned_then_made_true_and_stays_so(amicopy: Run, here: Path, name: str) -> None:
    planned = amicopy("sync", name, "--dry-run", "--exit-code")
    assert planned.code == 4, planned.err
    assert planned.out.startswith("+")
    made = amicopy("sync", name)
    assert made.code == 0, made.err
    again = amicopy("sync", name, "--dry-run", "--exit-code")
    assert again.code == 0, again.out
    assert again.out.startswith("nothing to do")


def test_the_accounts_of_the_example_are_those_of_the_sandbox(amicopy: Run, here: Path, sandbox: Sandbox) -> None:
    """As ``amicopy sandbox --accounts 2`` has them: only roles that exist can be assumed."""
    for sample in sample_accounts(2):
        sandbox.add_account(sample.account_id, name=sample.name, unit=sample.unit, suspended=sample.suspended)
    ran = amicopy("sync", "accounts.yaml", "--output", "text")
    assert ran.code == 0, ran.err
    assert sum(line.startswith("111122223333/") for line in ran.out.splitlines()) == 2
    assert amicopy("sync", "accounts.yaml", "--dry-run", "--exit-code").code == 0


def test_a_release_is_published_in_every_region_and_in_its_own(amicopy: Run, here: Path, world: World) -> None:
    assert amicopy("sync", "release.yaml").code == 0
    held = {}
    for region in ("us-east-1", "us-west-2", "eu-west-1", "ap-southeast-2"):
        ssm: Any = boto3.client("ssm", region)
        held[region] = ssm.get_parameter(Name="/images/web-server/latest")["Parameter"]["Value"]
        ssm.close()
    assert held.pop("us-east-1") == AMI
    for region, image_id in held.items():
        [copy] = world.images(region)
        assert copy.image_id == image_id
        assert copy.tags["Release"] == "2026.11"


def steps(name: str) -> Iterator[str]:
    """Yield the lines that a workflow runs."""
    document = yaml.safe_load((EXAMPLES / name).read_text())
    jobs = document.get("jobs") or {key: job for key, job in document.items() if isinstance(job, dict)}
    for job in jobs.values():
        for step in job.get("steps", []):
            yield from step.get("run", "").splitlines()
        yield from job.get("script", [])


@pytest.mark.parametrize("name", ["github-workflow.yml", "gitlab-ci.yml"])
def test_what_a_workflow_runs_of_amicopy_runs(
    amicopy: Run, here: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
        monkeypatch.setenv(variable, str(here / variable))
    ran = [amicopy(*shlex.split(line)[1:]) for line in steps(name) if line.startswith("amicopy ")]
    assert ran
    assert [one.code for one in ran] == [0] * len(ran), [one.err for one in ran]


def test_the_github_steps_hand_on_ids_and_files(amicopy: Run, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    test_what_a_workflow_runs_of_amicopy_runs(amicopy, here, "github-workflow.yml", monkeypatch)
    document = yaml.safe_load((EXAMPLES / "github-workflow.yml").read_text())
    output = document["jobs"]["sync"]["outputs"]["amis"]
    assert output == "${{ steps.sync.outputs.amis }}"
    assert "\namis<<" in (here / "GITHUB_OUTPUT").read_text()
    kept = document["jobs"]["sync"]["steps"][-1]["with"]["path"].split()
    assert all((here / path).is_file() for path in kept)


def test_the_gitlab_job_hands_on_variables_and_nothing_that_gitlab_refuses(amicopy: Run, here: Path) -> None:
    job = yaml.safe_load((EXAMPLES / "gitlab-ci.yml").read_text())["amis"]
    for line in job["script"]:
        if line.startswith("amicopy "):
            assert amicopy(*shlex.split(line)[1:]).code == 0
        else:
            assert shell(line, here).returncode == 0
    lines = (here / job["artifacts"]["reports"]["dotenv"]).read_text().splitlines()
    assert lines
    assert all(re.fullmatch(r"AMI_[A-Z0-9_]+=ami-[0-9a-f]{17}", line) for line in lines)
    assert [line.partition("=")[0] for line in lines if "EU_WEST_1" in line] == ["AMI_EU_WEST_1"]
    assert (here / "amis.html").is_file()


def test_the_shell_scripts_can_be_read_by_a_shell() -> None:
    for path in EXAMPLES.glob("*.sh"):
        subprocess.run(["sh", "-n", str(path)], check=True)


def test_the_script_that_was_a_loop_runs(amicopy: Run, here: Path) -> None:
    amicopy("copy", AMI, "--from", "us-east-1", "--to", "us-west-2,eu-west-1")  # so that the script need not wait
    ran = shell(f"sh move-from-a-loop.sh {AMI}", here)
    assert ran.returncode == 0, ran.stderr
    assert re.search(r"us-west-2 has ami-[0-9a-f]{17}$", ran.stdout.strip())


@pytest.mark.skipif(not FLOCK, reason="there is no flock")
def test_the_crontabs_command_runs_and_says_nothing(here: Path, world: World) -> None:
    [line] = [one for one in (EXAMPLES / "crontab").read_text().splitlines() if one.startswith("*")]
    command = line.split(maxsplit=5)[5]
    assert "%" not in command  # which cron takes for the end of the line
    ran = shell(command, here, HOME=str(here))
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert all(world.images(region) for region in ("us-west-2", "eu-west-1", "ap-southeast-2"))


def unit(name: str) -> configparser.ConfigParser:
    """Return a systemd unit's sections."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(EXAMPLES / name)
    return parser


def test_the_services_command_runs(amicopy: Run, here: Path) -> None:
    command = shlex.split(unit("amicopy-sync.service")["Service"]["ExecStart"])
    assert Path(command[0]).name == "amicopy"
    arguments = [Path(word).name if word.endswith(".yaml") else word for word in command[1:]]
    ran = amicopy(*arguments)
    assert ran.code == 0, ran.err
    assert unit("amicopy-sync.timer")["Timer"]["OnCalendar"] == "hourly"


@pytest.mark.skipif(not SYSTEMD, reason="there is no systemd")
def test_systemd_takes_the_units(here: Path) -> None:
    for path in here.glob("amicopy-sync.*"):
        path.write_text(
            path.read_text().replace("/usr/local/bin/amicopy", str(Path(sys.executable).parent / "amicopy"))
        )
    units = sorted(map(str, here.glob("amicopy-sync.*")))
    ran = subprocess.run([SYSTEMD, "verify", "--man=no", *units], capture_output=True, text=True)
    ours = [line for line in ran.stderr.splitlines() if "amicopy-sync" in line]
    assert (ran.returncode, ours) == (0, [])


def test_the_policy_is_what_the_command_prints(amicopy: Run) -> None:
    named = ("--from", "us-east-1", "--to", "us-west-2,eu-west-1,ap-southeast-2")
    assert amicopy("iam-policy", "sync", *named).out == (EXAMPLES / "iam-policy.json").read_text()


class CloudFormation(yaml.SafeLoader):  # type: ignore[misc]
    """Reads templates, in which the functions are tags."""


CloudFormation.add_multi_constructor(
    "!",
    lambda loader, tag, node: {
        tag: loader.construct_sequence(node, deep=True)
        if isinstance(node, yaml.SequenceNode)
        else loader.construct_scalar(node)
    },
)


def test_the_template_has_the_policies_that_the_command_prints(amicopy: Run) -> None:
    template = yaml.load((EXAMPLES / "other-accounts-role.yml").read_text(), CloudFormation)
    role = template["Resources"]["Role"]["Properties"]
    argv = ("copy", "--from", "us-east-1", "--to", "us-east-1,us-west-2,eu-west-1", "--external-id", "x1")
    printed = json.loads(amicopy("iam-policy", *argv, "--account-role", "arn:aws:iam::111122223333:role/release").out)
    assert role["Policies"][0]["PolicyDocument"] == printed["Policy"]
    [trust], [expected] = (one["Statement"] for one in (role["AssumeRolePolicyDocument"], printed["TrustPolicy"]))
    assert trust["Principal"] == {"AWS": {"Ref": "TrustedPrincipal"}}
    assert trust["Condition"]["StringLike"] == expected["Condition"]["StringLike"]
    assert trust["Condition"]["StringEquals"]["If"][1] == {"sts:ExternalId": {"Ref": "ExternalId"}}
    assert expected["Condition"]["StringEquals"] == {"sts:ExternalId": "x1"}


def test_every_example_is_on_a_page() -> None:
    pages = "".join(path.read_text() for path in (EXAMPLES.parent / "docs").rglob("*.md"))
    examples = {path.relative_to(EXAMPLES).as_posix() for path in EXAMPLES.rglob("*") if path.is_file()}
    assert {name for name in examples - {"demo.sh", "simple.yaml"} if f"examples/{name}" not in pages} == set()


def test_the_release_pipeline_tests_shares_publishes_retires_and_takes_back(
    amicopy: Run, here: Path, world: World, clock: FakeClock
) -> None:
    """From the build on, line by line as its script has them."""
    regions = ("us-west-2", "eu-west-1", "ap-southeast-2")
    ec2: Any = boto3.client("ec2", "us-east-1")
    [instance] = ec2.run_instances(ImageId=AMI, MinCount=1, MaxCount=1, InstanceType="t3.micro")["Instances"]
    clock.advance(60)

    def build(line: str) -> str:
        """Do what the script asks the AWS CLI for; return what that prints."""
        words = shlex.split(line)
        if "describe-images" in words:
            key, value = words[words.index("--filters") + 1].removeprefix("Name=").split(",Values=")
            found = ec2.describe_images(Owners=["self"], Filters=[{"Name": key, "Values": [value]}])["Images"]
            return str(found[0]["ImageId"]) if found else "None"
        if "create-image" not in words:
            clock.advance(60)
            return ""
        instance_id, name = (words[words.index(option) + 1] for option in ("--instance-id", "--name"))
        return str(ec2.create_image(InstanceId=instance_id, Name=name)["ImageId"])

    def run_script(name: str, *arguments: str) -> str:
        """Run a script's lines; return the id that it builds."""
        image_id = ""
        for line in (here / name).read_text().splitlines():
            guard, _, unless = line.rpartition(" || ")
            if guard and shell(f"image={image_id}; {guard}", here).returncode == 0:
                continue
            command = unless.removeprefix("image=$(").removesuffix(")").replace("$image", image_id)
            for number, argument in enumerate(arguments, 1):
                command = command.replace(f"${number}", argument)
            if command.startswith("aws "):
                image_id = build(command) or image_id
            elif command.startswith("amicopy "):
                ran = amicopy(*shlex.split(command)[1:])
                assert ran.code == 0, ran.err
        return image_id

    def published(path: str) -> set[str]:
        """Return what a parameter holds in the regions of the copies."""
        found = set()
        for region in regions:
            ssm: Any = boto3.client("ssm", region)
            found.add(ssm.get_parameter(Name=path)["Parameter"]["Value"])
            ssm.close()
        return found

    def copies(source: str) -> dict[str, Image]:
        """Return the copies of a release by their ids."""
        every = [image for region in regions for image in world.images(region)]
        return {image.image_id: image for image in every if image.tags["amicopy:source"].endswith(source)}

    def booted() -> dict[str, int]:
        """Return how many instances were launched in each region of the copies; none runs anymore."""
        counts = {}
        for region in regions:
            client: Any = boto3.client("ec2", region)
            found = [one for some in client.describe_instances()["Reservations"] for one in some["Instances"]]
            assert {one["State"]["Name"] for one in found} <= {"shutting-down", "terminated"}
            counts[region] = len(found)
            client.close()
        return counts

    first = run_script("release-pipeline.sh", instance["InstanceId"], "2026.12")
    assert published("/images/web/latest") == published("/images/web/web-server-2026.12") == set(copies(first))
    assert booted() == dict.fromkeys(regions, 1)
    assert all(re.fullmatch("[0-9a-f]{32}", image.tags["amicopy:checked"]) for image in copies(first).values())
    assert all(image.launch_permissions == {"111122223333"} for image in copies(first).values())
    assert run_script("release-pipeline.sh", instance["InstanceId"], "2026.12") == first
    assert booted() == dict.fromkeys(regions, 1)
    clock.advance(8 * 86400)
    second = run_script("release-pipeline.sh", instance["InstanceId"], "2027.01")
    assert published("/images/web/latest") == set(copies(second))
    assert published("/images/web/web-server-2026.12") == set(copies(first))
    assert booted() == dict.fromkeys(regions, 2)
    assert {image.state for image in copies(first).values()} == {"disabled"}
    assert not any(image.launch_permissions for image in copies(first).values())
    assert re.search(r"^### amicopy: 3 to copy", (here / "plan.md").read_text())
    assert '"web" = {' in (here / "amis.auto.tfvars").read_text()
    assert json.loads((here / "notified.json").read_text())["status"] == "ok"
    run_script("take-back.sh", second, first)
    assert published("/images/web/latest") == set(copies(first))
    assert {image.state for image in copies(second).values()} == {"disabled"}
    assert {image.state for image in copies(first).values()} == {"available"}
    assert all(image.launch_permissions == {"111122223333"} for image in copies(first).values())
    ec2.close()


def test_old_releases_are_retired_by_the_lines_of_the_page(
    amicopy: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manifest of the page reads a variable, without which it is refused."""
    monkeypatch.delenv("RELEASE")
    page = (EXAMPLES.parent / "docs" / "howto" / "take-back.md").read_text()
    [block] = [one for one in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) if "--manifest" in one]
    for line in block.splitlines():
        words = shlex.split(line, comments=True)
        if words[0] == "export":
            monkeypatch.setenv(*words[1].split("="))
        else:
            ran = amicopy(*words[1:])
            assert ran.code == 0, ran.err


def test_a_copy_that_is_not_as_it_should_be_keeps_the_release_from_everyone(
    amicopy: Run, here: Path, world: World
) -> None:
    world.image("us-east-1", AMI).imds = ""
    regions = "us-west-2,eu-west-1"
    ran = amicopy(
        "copy", AMI, "--to", regions, "--share", "111122223333", "--check", "./smoke-test", "--share-when", "all"
    )
    assert ran.code == 1
    assert "does not require IMDSv2" in ran.err
    assert not any(image.launch_permissions for region in ("us-west-2", "eu-west-1") for image in world.images(region))
