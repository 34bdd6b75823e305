"""The loader of service models: a small EC2 where botocore's own is meant, and botocore's answers everywhere else."""

import json
import os
from pathlib import Path
from typing import Any

import botocore
import botocore.loaders
import pytest

import amicopy.aws.startup.loader
from amicopy.aws.session import Session
from amicopy.aws.startup.ec2_model import OPERATIONS
from amicopy.aws.startup.loader import Loader, shared_loader
from amicopy.core.errors import CredentialsMissing
from tests.support.installed import INSTALLED_OPERATIONS

STOCK = botocore.loaders.Loader()
KINDS = ("service-2", "endpoint-rule-set-1")


def operations(loader: Loader) -> set[str]:
    """Return the names of the operations of EC2 that a loader knows."""
    return set(loader.load_service_model("ec2", "service-2")["operations"])


@pytest.fixture
def cached(tmp_path: Path) -> Path:
    """The file that a first run has left."""
    Loader().load_service_model("ec2", "service-2")
    (path,) = (tmp_path / ".cache" / "amicopy").iterdir()
    return path


def test_ec2_is_cut_to_the_operations_in_use() -> None:
    assert operations(Loader()) == set(INSTALLED_OPERATIONS)


def test_the_endpoint_rules_are_botocores() -> None:
    kind = "endpoint-rule-set-1"
    assert Loader().load_service_model("ec2", kind) == STOCK.load_service_model("ec2", kind)


def test_a_second_run_opens_none_of_botocores_models(cached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = {kind: Loader().load_service_model("ec2", kind) for kind in KINDS}

    def opened(_: Any, path: str) -> None:
        raise AssertionError(path)

    monkeypatch.setattr(amicopy.aws.startup.loader.PlainJson, "load_file", opened)
    assert {kind: Loader().load_service_model("ec2", kind) for kind in KINDS} == first
    cached.unlink()
    with pytest.raises(AssertionError, match="ec2"):
        Loader().load_service_model("ec2", "service-2")


def test_the_cache_is_named_after_botocores_version(cached: Path) -> None:
    assert cached.name.startswith(f"ec2-{botocore.__version__}-")


def test_a_damaged_cache_is_made_again(cached: Path) -> None:
    whole = cached.read_bytes()
    cached.write_bytes(whole[:-1])
    assert operations(Loader()) == set(INSTALLED_OPERATIONS)
    assert cached.read_bytes() == whole


def test_without_a_place_for_the_cache_all_goes_on(tmp_path: Path) -> None:
    (tmp_path / ".cache").write_text("a file")
    assert operations(Loader()) == set(INSTALLED_OPERATIONS)


class Installed(Loader):
    """Reads botocore's EC2 from a directory of the test's."""

    BUILTIN_DATA_PATH = ""

    def __init__(self, directory: Path) -> None:
        self.BUILTIN_DATA_PATH = str(directory)
        super().__init__(extra_search_paths=[str(directory)], include_default_search_paths=False)


def install(directory: Path, **model: Any) -> Loader:
    """Write a model of EC2 and return a loader of it."""
    models = directory / "ec2" / "2016-11-15"
    models.mkdir(parents=True, exist_ok=True)
    (models / "service-2.json").write_text(json.dumps(model))
    (models / "endpoint-rule-set-1.json").write_text("{}")
    return Installed(directory)


def a_model(**metadata: Any) -> dict[str, Any]:
    """Return a model with the operations in use and another one."""
    return {"metadata": metadata, "operations": {name: {} for name in (*OPERATIONS, "RunInstances")}, "shapes": {}}


def test_another_file_of_botocores_makes_another_cache(tmp_path: Path) -> None:
    found = []
    for uid, written in (("a", 1), ("longer", 1), ("edited", 2)):
        loader = install(tmp_path / "data", **a_model(uid=uid))
        os.utime(tmp_path / "data" / "ec2" / "2016-11-15" / "service-2.json", (written, written))
        found.append(loader.load_service_model("ec2", "service-2")["metadata"]["uid"])
    assert found == ["a", "longer", "edited"]
    assert len(list((tmp_path / ".cache" / "amicopy").iterdir())) == 3


@pytest.mark.parametrize("name", ["OPERATIONS", "__version__"])
def test_another_release_of_ours_makes_another_cache(name: str, cached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(amicopy.aws.startup.loader, name, ("CopyImage",))
    Loader().load_service_model("ec2", "service-2")
    assert len(list(cached.parent.iterdir())) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"operations": {"CopyImage": {}}},
        {"operations": {**a_model()["operations"], "CopyImage": {"input": {"shape": "Gone"}}}},
        {"operations": [*OPERATIONS]},
        {"operations": None},
        {"shapes": []},
        {"shapes": {"Text": "string"}},
    ],
)
def test_a_model_that_is_built_otherwise_is_used_as_it_is(change: dict[str, Any], tmp_path: Path) -> None:
    model = {**a_model(), **change}
    assert install(tmp_path / "data", **model).load_service_model("ec2", "service-2") == model
    assert not (tmp_path / ".cache").exists()


def test_a_users_own_model_of_ec2_is_used_as_it_is(tmp_path: Path) -> None:
    mine = tmp_path / "mine" / "ec2" / "2099-01-01"
    mine.mkdir(parents=True)
    own = {"metadata": {"mine": True}, "operations": {"CopyImage": {}}, "shapes": {"Unused": {}}}
    (mine / "service-2.json").write_text(json.dumps(own))
    for path in (str(tmp_path / "mine"), f"/nowhere{os.pathsep}~/mine", f"$HOME/mine{os.pathsep}/nowhere"):
        shared_loader.cache_clear()
        assert shared_loader(path).load_service_model("ec2", "service-2") == own
    shared_loader.cache_clear()


def test_a_users_models_of_other_services_leave_ec2_small(tmp_path: Path) -> None:
    (tmp_path / "mine" / "s3").mkdir(parents=True)
    assert operations(Loader(extra_search_paths=[str(tmp_path / "mine")])) == set(INSTALLED_OPERATIONS)


def test_a_version_that_is_named_is_botocores() -> None:
    version = "2016-11-15"
    asked = ("ec2", "service-2", version)
    assert (
        Loader().load_service_model(*asked)["operations"].keys()
        == STOCK.load_service_model(*asked)["operations"].keys()
    )


@pytest.mark.parametrize("service", ["kms", "ssm", "sts", "sso", "sso-oidc"])
def test_every_other_service_is_botocores(service: str) -> None:
    for kind in KINDS:
        assert Loader().load_service_model(service, kind) == STOCK.load_service_model(service, kind)


@pytest.mark.parametrize("kind", ["paginators-1", "waiters-2"])
def test_what_else_there_is_of_ec2_is_botocores(kind: str) -> None:
    assert Loader().load_service_model("ec2", kind) == STOCK.load_service_model("ec2", kind)


@pytest.mark.parametrize("name", ["endpoints", "partitions", "sdk-default-configuration", "_retry"])
def test_data_of_no_service_are_botocores_in_the_same_order(name: str) -> None:
    assert json.dumps(Loader().load_data(name)) == json.dumps(STOCK.load_data(name))
    assert Loader().load_data_with_path(name)[1] == STOCK.load_data_with_path(name)[1]


def test_what_is_not_there_is_not_found_as_in_botocore() -> None:
    with pytest.raises(botocore.loaders.UnknownServiceError):
        Loader().load_service_model("no-such-service", "service-2")
    with pytest.raises(botocore.loaders.DataNotFoundError):
        Loader().load_data("no-such-data")


def test_a_file_where_a_directory_should_be_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "kms").write_text("a file")
    loader = Loader(extra_search_paths=[str(tmp_path)])
    assert loader.load_data("kms/2014-11-01/service-2") == STOCK.load_data("kms/2014-11-01/service-2")


def test_the_directories_searched_are_botocores(monkeypatch: pytest.MonkeyPatch) -> None:
    given = f"/one{os.pathsep}~/two{os.pathsep}$THREE/data"
    monkeypatch.setenv("THREE", "/three")
    for path in (None, given):
        assert shared_loader(path).search_paths == botocore.loaders.create_loader(path).search_paths
    shared_loader.cache_clear()


def test_sessions_use_it(sandbox: Any) -> None:
    assert "create_vpn_gateway" not in dir(Session().client("ec2", "us-east-1"))


def test_a_broken_configuration_is_still_told_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").write_text("no section")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    with pytest.raises(CredentialsMissing):
        Session()
