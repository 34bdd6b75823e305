"""Sessions in other accounts: a role is assumed in each, from the run's own credentials, and again before they expire.

One STS call for an account, whatever is called there. Nothing is called before a client needs credentials.
"""

from collections.abc import Mapping
from typing import Any

from botocore.credentials import DeferredRefreshableCredentials

from amicopy.aws.client import CallCounter, ServiceClient
from amicopy.aws.session import Session
from amicopy.core.accounts import TargetAccount
from amicopy.core.clock import Clock
from amicopy.core.errors import (
    AccessDenied,
    AmicopyError,
    CredentialsExpired,
    RequestRefused,
    RoleNotAssumed,
    UsageError,
)

# Where the run's own credentials are a role's, STS allows no more, whatever MaxSessionDuration says (IAM User Guide,
# "Role chaining"): "exceeds the 1 hour session limit for roles assumed by role chaining".
_SECONDS = 3600


class Sts:
    """STS in one region: who calls, and roles in other accounts."""

    def __init__(self, session: Session, region: str, calls: CallCounter, clock: Clock) -> None:
        self._session = session
        self._clock = clock
        self._call = ServiceClient(session, "sts", region, calls)
        self._partition = session.partitions.get(region, "aws")
        self._name = f"amicopy-{clock.now():%Y%m%dT%H%M%SZ}"  # what CloudTrail in the other account shows

    def caller(self) -> str:
        """Return the account of the run's own credentials.

        AWS: STS GetCallerIdentity, which needs no permission.
        """
        return str(self._call("GetCallerIdentity").get("Account", ""))

    def role_arn(self, target: TargetAccount) -> str:
        """Return the ARN of the role in an account."""
        return target.role_arn(self._partition)

    def session_in(self, target: TargetAccount) -> Session:
        """Return a session in another account, having assumed the role there.

        Raises:
            RoleNotAssumed: STS refuses, or the session is one of another account.
            CredentialsExpired, Throttled, Unreachable: the run's own credentials have expired, or STS doesn't answer.

        AWS: STS AssumeRole.
        """
        credentials = DeferredRefreshableCredentials(
            lambda: self._assume(target), method="assume-role", time_fetcher=self._clock.now
        )
        credentials.get_frozen_credentials()
        return self._session.with_credentials(credentials)

    def _assume(self, target: TargetAccount) -> Mapping[str, Any]:
        """Return credentials as botocore takes them; it asks for new ones some minutes before these expire."""
        arn = self.role_arn(target)
        external_id = {"ExternalId": target.external_id} if target.external_id else {}
        try:
            answer = self._call(
                "AssumeRole", RoleArn=arn, RoleSessionName=self._name, DurationSeconds=_SECONDS, **external_id
            )
        except (AccessDenied, RequestRefused) as error:
            raise _not_assumed(target, arn, error) from error
        assumed = str(answer.get("AssumedRoleUser", {}).get("Arn", ""))
        if assumed.split(":")[4:5] != [target.account]:
            raise RoleNotAssumed(
                f"The session for account {target.account} is one of another account: {assumed or 'STS names none'}.",
                why=f"The endpoint that answers for STS doesn't return a session for {arn}.",
                next_step="Check what is between this machine and AWS: proxies, AWS_ENDPOINT_URL.",
            )
        keys = answer["Credentials"]
        return {
            "access_key": keys["AccessKeyId"],
            "secret_key": keys["SecretAccessKey"],
            "token": keys["SessionToken"],
            "expiry_time": keys["Expiration"].isoformat(),
        }


def _not_assumed(target: TargetAccount, arn: str, error: AmicopyError) -> RoleNotAssumed:
    """Return the error for a role that STS does not give; it says the same whatever the reason is."""
    given = "is not the one given" if target.external_id else "is missing (--external-id)"
    return RoleNotAssumed(
        f"The role {arn} cannot be assumed.",
        why=f"{error.why.rstrip('.')}. It doesn't exist, its trust policy doesn't admit these credentials, their own "
        f"policy doesn't allow sts:AssumeRole on it, or the external id that it requires {given}.",
        next_step="Create it, or correct its trust policy: `amicopy iam-policy copy --account-role` prints both "
        "policies. Another name: --role-name",
    )


def problems_in_one(errors: Mapping[str, AmicopyError]) -> AmicopyError:
    """Return one error for all accounts and units that cannot be worked in, with a line for each.

    A single one is returned as it is. ``errors`` has them by the account's or the unit's id.
    """
    found = list(errors.values())
    expired = next((error for error in found if isinstance(error, CredentialsExpired)), None)
    if expired or len(found) == 1:
        return expired or found[0]
    kind = UsageError if all(isinstance(error, UsageError) for error in found) else RoleNotAssumed
    which = "accounts" if all(name.isdigit() for name in errors) else "accounts or organizational units"
    more: AmicopyError = kind(
        f"{len(found)} {which} cannot be used, so nothing was started.",
        next_step=_advice(errors),
    )
    for name, error in errors.items():
        more = more.with_detail(f"{name}: {error.what} {error.why}".rstrip())
    return more


def _advice(errors: Mapping[str, AmicopyError]) -> str:
    """Return each next step once, after the accounts that it is for unless it is for all."""
    by_step: dict[str, list[str]] = {}
    for name, error in errors.items():
        by_step.setdefault(error.next_step, []).append(name)
    if len(by_step) == 1:
        return next(iter(by_step))
    return " ".join(f"{', '.join(names)}: {step}" for step, names in by_step.items() if step)
