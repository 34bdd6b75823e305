"""What a request's signature says of its caller."""

from dataclasses import dataclass

from amicopy.sandbox.accounts import RoleSession
from amicopy.sandbox.ec2.errors import Ec2Error
from amicopy.sandbox.http.iam import Authorizer
from amicopy.sandbox.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequest:
    """The caller of a request, the service and the region that it is for, and the world that answers it."""

    world: World
    authorizer: Authorizer | None
    region: str
    account: str
    access_key: str
    service: str = "ec2"
    session: RoleSession | None = None  # that of a role
    refused: Ec2Error | None = None  # why the credentials aren't accepted
