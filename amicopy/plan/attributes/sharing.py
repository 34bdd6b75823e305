"""What launch permissions and snapshot permissions have in common."""

from abc import abstractmethod
from dataclasses import dataclass, replace

from amicopy.core.models import Principal
from amicopy.core.write import Write
from amicopy.plan.attributes.base import Difference, Extra

NOBODY = [{"UserId": "000000000000"}]
"""A principal for dry runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingSharing(Difference):
    """Principals that the image or one snapshot is not shared with."""

    missing: tuple[Principal, ...]
    is_possible: bool = True  # False: the AWS-managed key encrypts it, so that only a new copy can be shared
    is_sharing = True

    @property
    def writes(self) -> tuple[Write, ...]:
        """Others keep their permission."""
        return self._adding() if self.is_possible else ()

    @abstractmethod
    def _adding(self) -> tuple[Write, ...]:
        """Return the calls that share it."""

    @property
    def parts(self) -> tuple[Difference, ...]:
        """One per principal: an account that was closed, or a typing error, makes EC2 refuse all of them."""
        return tuple(replace(self, missing=(principal,)) for principal in self.missing)

    @property
    def done(self) -> str:
        """The new principals."""
        return f"shared {self.subject} with {', '.join(map(str, self.missing))}"

    def __str__(self) -> str:
        names = ", ".join(map(str, self.missing))
        if not self.is_possible:
            return f"{self.subject} cannot be shared with {names}: it is encrypted with the AWS-managed key"
        if self.is_known:
            return f"{self.subject} is not shared with {names}"
        return f"amicopy cannot read whom {self.subject} is shared with, so it is shared again with {names}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraSharing(Extra):
    """Principals that the copy is not to be shared with: more people can use it than requested."""

    principals: tuple[Principal, ...]
    is_wider = True

    def __str__(self) -> str:
        return f"{self.subject} is shared with {', '.join(map(str, self.principals))}, more than requested"
