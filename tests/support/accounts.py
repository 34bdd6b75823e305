"""What tests of several accounts have in common: the accounts, who may use an image, and what is recorded on it."""

from dataclasses import dataclass
from typing import Any

import boto3

from amicopy.core.grants import GRANT_TAG
from amicopy.sandbox.http.server import Sandbox
from amicopy.sandbox.records import DEFAULT_ACCOUNT, Image
from amicopy.sandbox.world import World
from tests.support.scenes import asked

OWN = DEFAULT_ACCOUNT
B, C = "222222222222", "333333333333"


@dataclass(frozen=True, slots=True)
class Standing:
    """Who may use one image or snapshot, and its tags."""

    resource_id: str
    shared_with: frozenset[str]
    tags: tuple[tuple[str, str], ...]


def standing(world: World) -> list[Standing]:
    """Return the permissions and tags of everything in the run's own account."""
    images = (
        Standing(one.image_id, frozenset(one.launch_permissions), _tags(one.tags)) for one in world.images(None, OWN)
    )
    snapshots = (
        Standing(one.snapshot_id, frozenset(one.shared_with), _tags(one.tags)) for one in world.snapshots(None, OWN)
    )
    return [*images, *snapshots]


def _tags(tags: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(tags.items()))


def of(world: World, image: Image) -> list[Standing]:
    """Return the same of one image and its snapshots."""
    ids = {image.image_id, *image.snapshot_ids}
    return [one for one in standing(world) if one.resource_id in ids]


def records(world: World) -> list[str]:
    """Return the keys of all records that are left."""
    return [key for one in standing(world) for key, _ in one.tags if key.startswith(GRANT_TAG)]


def guests(world: World) -> set[str]:
    """Return whom anything of the run's own account is shared with."""
    return {who for one in standing(world) for who in one.shared_with}


def copy_in(world: World, account: str, region: str) -> Image:
    """Return the only image that an account owns in a region."""
    [image] = world.images(region, account)
    return image


def copied_from(world: World, region: str) -> list[str]:
    """Return the regions that copies in a region were asked to be made from, in the order of the requests."""
    return [str(one.params["SourceRegion"]) for one in asked(world, "CopyImage", region)]


class There:
    """What a test looks at in another account, by that account's own credentials."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._clients: list[Any] = []

    def client(self, account: str, service: str, region: str) -> Any:
        """Return a client of an account."""
        session = boto3.Session(**self._sandbox.credentials(account), region_name=region)
        self._clients.append(session.client(service, endpoint_url=self._sandbox.endpoint_url))
        return self._clients[-1]

    def parameter(self, account: str, region: str, path: str = "/amis/web") -> str:
        """Return what a parameter has; empty where there is none."""
        client = self.client(account, "ssm", region)
        try:
            return str(client.get_parameter(Name=path)["Parameter"]["Value"])
        except client.exceptions.ParameterNotFound:
            return ""

    def put_parameter(self, account: str, region: str, path: str, value: str) -> None:
        """Let a parameter have a value, as other tools would."""
        client = self.client(account, "ssm", region)
        client.put_parameter(Name=path, Value=value, Type="String", Overwrite=True)

    def close(self) -> None:
        """End the connections."""
        for client in self._clients:
            client.close()
