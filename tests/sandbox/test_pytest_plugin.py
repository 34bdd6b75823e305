"""The fixture for other people's tests, in a pytest of its own."""

import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

PLUGIN = "amicopy.sandbox.pytest_plugin"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def passes(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> "Passes":
    """Run tests in a process that loads this plugin and no other."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return Passes(pytester)


class Passes:
    """A file of tests, written and run."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self._pytester = pytester

    def __call__(self, source: str, *, passed: int = 1, errors: int = 0) -> str:
        """Run the tests, with every warning an error; return what pytest says."""
        self._pytester.makepyfile(source)
        result = self._pytester.runpytest_subprocess("-p", PLUGIN, "-W", "error", timeout=60)
        result.assert_outcomes(passed=passed, errors=errors)
        return result.stdout.str()


def test_pytest_finds_the_fixture_by_the_entry_point() -> None:
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["pytest11"]
    assert points == {"amicopy": PLUGIN}
    assert "amicopy_sandbox" in import_module(PLUGIN).__all__


def test_loading_the_plugin_loads_nothing_heavy() -> None:
    heavy = {"boto3", "botocore", "click", "flask", "moto", "rich", "werkzeug", "yaml"}
    code = f"import sys, {PLUGIN}; print(sorted({heavy} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_run_under_its_clock_takes_no_time_and_a_second_one_writes_nothing(passes: Passes) -> None:
    passes("""
        import amicopy

        def test_release(amicopy_sandbox):
            amicopy_sandbox.set_copy_seconds(7200)
            source = amicopy_sandbox.register("us-east-1", name="web", tags={"Release": "1"})
            started = amicopy_sandbox.clock.now()
            context = amicopy.Context(session=amicopy.Session(), clock=amicopy_sandbox.clock)
            assert amicopy.copy(source.image_id, to="us-west-2", context=context).exit_code() == 0
            assert (amicopy_sandbox.clock.now() - started).total_seconds() >= 7200
            [copy] = amicopy_sandbox.images("us-west-2")
            assert copy.tags["Release"] == "1"
            written = amicopy_sandbox.writes
            assert "CopyImage" in written
            assert amicopy.copy(source.image_id, to="us-west-2", context=context).exit_code() == 0
            assert amicopy_sandbox.writes == written
    """)


def test_the_test_moves_the_clock(passes: Passes) -> None:
    passes("""
        import boto3

        def test_pending(amicopy_sandbox):
            amicopy_sandbox.set_copy_seconds(600)
            source = amicopy_sandbox.register("us-east-1", name="web")
            ec2 = boto3.client("ec2", "eu-west-1")
            ec2.copy_image(Name="web", SourceImageId=source.image_id, SourceRegion="us-east-1")

            def state():
                [image] = ec2.describe_images(Owners=["self"])["Images"]
                return image["State"]

            amicopy_sandbox.clock.advance(300)
            assert state() == "pending"
            amicopy_sandbox.clock.advance(301)
            assert state() == "available"
            ec2.close()
    """)


def test_injected_faults_fail_the_run(passes: Passes) -> None:
    passes("""
        import amicopy
        import pytest

        def test_failure(amicopy_sandbox):
            source = amicopy_sandbox.register("us-east-1", name="web")
            amicopy_sandbox.inject("copy@eu-west-1=fail", "CopyImage@us-west-2=error:InvalidRequest: Not today.")
            context = amicopy.Context(session=amicopy.Session(), clock=amicopy_sandbox.clock)
            report = amicopy.copy(source.image_id, to="us-west-2,eu-west-1,eu-north-1", context=context)
            assert [str(outcome.state) for outcome in report.outcomes] == ["failed", "failed", "done"]
            with pytest.raises(ValueError, match="not a valid fault"):
                amicopy_sandbox.inject("nonsense")
            with pytest.raises(ValueError, match="Did you mean CopyImage?"):
                amicopy_sandbox.inject("CopyImgae=fail")  # it would never occur
    """)


def test_each_test_has_its_own_ec2_and_the_environment_comes_back(
    passes: Passes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text("[default]\nendpoint_url = http://127.0.0.1:9\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    passes(
        """
        import os
        import boto3
        import pytest

        own = boto3.DEFAULT_SESSION = boto3.Session(profile_name="default", region_name="eu-north-1")

        @pytest.mark.parametrize("number", [1, 2])
        def test_isolated(amicopy_sandbox, number):
            assert amicopy_sandbox.images() == []
            assert "AWS_PROFILE" not in os.environ
            assert os.environ["AWS_ENDPOINT_URL"] == amicopy_sandbox.endpoint_url
            amicopy_sandbox.register("us-east-1", name="web")
            ec2 = boto3.client("ec2")
            assert len(ec2.describe_images(Owners=["self"])["Images"]) == 1
            ec2.close()

        def test_afterwards():
            assert os.environ["AWS_PROFILE"] == "production"
            assert "AWS_ENDPOINT_URL" not in os.environ
            assert boto3.DEFAULT_SESSION is own
    """,
        passed=3,
    )


def test_without_the_extra_it_says_what_to_install(passes: Passes) -> None:
    said = passes(
        """
        import sys

        sys.modules["flask"] = sys.modules["moto"] = sys.modules["werkzeug"] = None

        def test_it(amicopy_sandbox):
            pass
    """,
        passed=0,
        errors=1,
    )
    assert "pip install 'amicopy[sandbox]'" in said


def test_a_test_adds_accounts_and_acts_in_them(passes: Passes) -> None:
    passes("""
        import boto3
        import pytest

        def test_accounts(amicopy_sandbox):
            account = amicopy_sandbox.add_account("111122223333", unit="workloads", external_id="secret")
            sts = boto3.client("sts", "us-east-1")
            with pytest.raises(sts.exceptions.ClientError, match="AccessDenied"):
                sts.assume_role(RoleArn=account.role_arn, RoleSessionName="test")
            sts.assume_role(RoleArn=account.role_arn, RoleSessionName="test", ExternalId="secret")
            sts.close()
            there = boto3.client("ec2", "eu-west-1", **amicopy_sandbox.credentials("111122223333"))
            assert there.describe_images(Owners=["self"])["Images"] == []
            there.close()
    """)
