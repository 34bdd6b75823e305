"""Accounts that cannot be worked in: one error, with advice for each."""

from amicopy.aws.accounts import problems_in_one
from amicopy.core.errors import AccessDenied, UsageError


def denied(account: str, next_step: str) -> AccessDenied:
    """Return what keeps a run out of an account."""
    return AccessDenied(f"The role in {account} cannot be assumed.", action="sts:AssumeRole", next_step=next_step)


def test_advice_that_differs_names_whom_it_is_for() -> None:
    errors = {
        "111122223333": denied("111122223333", "Create the role."),
        "222222222222": UsageError("It is your own.", next_step="Leave it out."),
        "333333333333": denied("333333333333", "Create the role."),
    }
    advice = problems_in_one(errors).next_step
    assert advice == "111122223333, 333333333333: Create the role. 222222222222: Leave it out."


def test_advice_that_is_the_same_for_all_is_said_once() -> None:
    errors = {account: denied(account, "Create the role.") for account in ("111122223333", "222222222222")}
    assert problems_in_one(errors).next_step == "Create the role."
