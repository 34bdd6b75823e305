"""Where a copy is made: a region of an account."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Destination:
    """A region, and the account in it; without one, the account of the run's own credentials.

    It identifies the rows of a plan, their events and outcomes, lanes and clients.
    """

    region: str
    account: str = ""

    def __str__(self) -> str:
        return f"{self.account}/{self.region}" if self.account else self.region


def at(destination: Destination) -> str:
    """Return the options of a command that is about one destination."""
    return f"--in {destination.region}{in_account(destination.account)}"


def in_account(account: str) -> str:
    """Return the option of a command that is about another account, after a space; empty for the own one."""
    return f" --account {account}" if account else ""


def as_account(account: str) -> str:
    """Return what advice says before a command of the AWS CLI, which your own credentials would run in your account.

    Empty for that one.
    """
    return f", with credentials of account {account}" if account else ""


Key = tuple[str, Destination]
"""A source (``REGION/AMI``) and a destination: the identity of a copy in a run."""
