"""Other accounts that copies go to, as a user names them: an account or an organizational unit, and a role in it."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

DEFAULT_ROLE = "amicopy"
AT_ONCE = 10  # so many accounts are worked on at the same time, in each region: each costs memory
PLACES_AT_ONCE = 200  # and so many accounts times regions, where the regions are few

_ACCOUNT = re.compile(r"[0-9]{12}")
_UNIT = re.compile(r"(?:ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}|r-[0-9a-z]{4,32})")  # Organizations, ListAccountsForParent
_ROLE = re.compile(r"(?:[\w+=,.@-]{1,64}/){0,8}[\w+=,.@-]{1,64}", re.ASCII)  # IAM CreateRole: path and name
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)  # STS AssumeRole


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetAccount:
    """One account that copies go to, or a unit that stands for its accounts, and the role to assume there."""

    account: str = ""
    unit: str = ""  # an organizational unit or a root, by its id; until it is replaced by its accounts
    role: str = DEFAULT_ROLE  # its name, with its path if it has one
    external_id: str = ""
    regions: tuple[str, ...] = ()  # names and patterns; empty: every region of the request
    kms_key: str = ""  # for copies there, unless the request names one for the account by its id

    @property
    def name(self) -> str:
        """The account's id, or the unit's."""
        return self.account or self.unit

    def role_arn(self, partition: str) -> str:
        """Return the ARN of the role."""
        return f"arn:{partition}:iam::{self.account}:role/{self.role}"


def check_account(text: str) -> None:
    """Raise ValueError if ``text`` is not an account id."""
    if not _ACCOUNT.fullmatch(text):
        raise ValueError(f"{text!r} is not a valid account id: an account id has 12 digits")


def is_unit(text: str) -> bool:
    """Return whether ``text`` is the id of an organizational unit or of a root."""
    return bool(_UNIT.fullmatch(text))


def check_unit(text: str) -> None:
    """Raise ValueError if ``text`` is not the id of an organizational unit or of a root."""
    if not is_unit(text):
        raise ValueError(
            f"{text!r} is not a valid id of an organizational unit, such as ou-abcd-12345678, or of a root"
        )


def check_role(text: str) -> None:
    """Raise ValueError if ``text`` is not the name of a role, with or without its path."""
    if not _ROLE.fullmatch(text):
        raise ValueError(f"{text!r} is not a valid role name: give the name, or path/name, not the ARN")


def check_external_id(text: str) -> None:
    """Raise ValueError if ``text`` is not an external id."""
    if not _EXTERNAL_ID.fullmatch(text):
        raise ValueError("an external id has 2 to 1224 letters, digits and characters of +=,.@:/-_")


def account_problems(targets: Iterable[TargetAccount]) -> Iterator[str]:
    """Yield problems with these accounts that can be found without calling AWS."""
    targets = tuple(targets)
    for target in targets:
        for check, text in (
            (check_account, target.account),
            (check_unit, target.unit),
            (check_role, target.role),
            (check_external_id, target.external_id),
        ):
            try:
                if text:
                    check(text)
            except ValueError as error:
                yield str(error)
    named = Counter(target.name for target in targets)
    yield from (f"{name} is given {count} times" for name, count in named.items() if count > 1)
