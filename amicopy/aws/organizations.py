"""AWS Organizations: the accounts of an organizational unit. Reads only."""

from collections.abc import Iterator
from typing import Any

from amicopy.aws.client import CallCounter, ServiceClient
from amicopy.aws.session import Session
from amicopy.core.errors import RequestRefused, UnitNotFound, Unreachable

_ACTIVE = "ACTIVE"


class Organization:
    """The organization of the run's own account, as its management account or a delegated administrator may see it."""

    def __init__(self, session: Session, region: str, calls: CallCounter) -> None:
        self._call = ServiceClient(session, "organizations", region, calls)

    def accounts_in(self, unit: str) -> tuple[str, ...]:
        """Return the active accounts in a unit or a root and in all units under it, each once.

        Raises:
            UnitNotFound: there is no such unit, it has no active account, or the run's own account is in no
                organization.
            AccessDenied: only the management account and delegated administrators may ask.

        AWS: Organizations ListAccountsForParent, ListOrganizationalUnitsForParent.
        """
        try:
            found = tuple(dict.fromkeys(self._accounts(unit)))
        except RequestRefused as error:
            raise UnitNotFound(
                f"The organizational unit {unit} cannot be listed.",
                why=error.why or error.what,
                next_step="Check its id: aws organizations list-organizational-units-for-parent --parent-id r-…",
            ) from error
        if not found:  # to do nothing there would look as if all was well
            raise UnitNotFound(
                f"The organizational unit {unit} has no active account.",
                why="Its child units don't have one, either.",
                next_step="Check its id, or leave it out.",
            )
        return found

    def _accounts(self, unit: str) -> Iterator[str]:
        for account in self._pages("ListAccountsForParent", "Accounts", unit):
            if account.get("State", account.get("Status")) == _ACTIVE:
                yield str(account["Id"])
        for nested in self._pages("ListOrganizationalUnitsForParent", "OrganizationalUnits", unit):
            yield from self._accounts(str(nested["Id"]))

    def _pages(self, operation: str, member: str, unit: str) -> Iterator[Any]:
        """Yield every item; a page can be empty and all the same not the last (AWS: "even when … empty")."""
        token, seen = "", set[str]()
        while True:
            page = self._call(operation, ParentId=unit, **({"NextToken": token} if token else {}))
            yield from page.get(member, ())
            token = str(page.get("NextToken") or "")
            if not token:
                return
            if token in seen:
                raise Unreachable(
                    f"Organizations doesn't finish its response to {operation}.", why="It repeats a NextToken."
                )
            seen.add(token)
