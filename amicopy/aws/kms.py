"""KMS in one region: what a key is, before anything is encrypted with it, and grants for other accounts."""

import functools
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from amicopy.aws.client import CallCounter, ServiceClient
from amicopy.aws.session import Session
from amicopy.core.errors import AccessDenied, KeyNotFound, RequestRefused
from amicopy.core.kms_key import KeyGrant, KmsKey


class KmsClient:
    """The keys of one region."""

    def __init__(self, session: Session, region: str, calls: CallCounter) -> None:
        self._session = session
        self._region = region
        self._calls = calls

    @functools.cached_property
    def _call(self) -> ServiceClient:  # created on first use: most runs look up no key
        return ServiceClient(self._session, "kms", self._region, self._calls)

    def describe_key(self, text: str) -> KmsKey:
        """Return the key with this id, alias or ARN.

        Raises:
            KeyNotFound: this region has no such key.
            AccessDenied: IAM or the key's policy denies ``kms:DescribeKey``.

        AWS: KMS DescribeKey.
        """
        settings = self._of_key("DescribeKey", text)["KeyMetadata"]
        return KmsKey(
            arn=settings.get("Arn", ""),
            state=settings.get("KeyState", ""),
            usage=settings.get("KeyUsage", ""),
            spec=settings.get("KeySpec", settings.get("CustomerMasterKeySpec", "")),
            # Aliases that begin with alias/aws/ are reserved for keys that AWS manages (KMS CreateAlias).
            manager="AWS" if "alias/aws/" in text else settings.get("KeyManager", ""),
        )

    def _of_key(self, operation: str, text: str, **parameters: str) -> Mapping[str, Any]:
        """Return the answer to a call about a key. Raises KeyNotFound if there is none."""
        try:
            return self._call(operation, KeyId=text, **parameters)
        except RequestRefused as error:
            if error.code == "NotFoundException":
                raise KeyNotFound(f"There is no valid KMS key {text} in {self._region}.", why=error.why) from error
            raise

    def key_policy(self, arn: str) -> str:
        """Return the policy of a key of this account, a JSON document.

        Raises:
            AccessDenied: IAM or the policy itself denies ``kms:GetKeyPolicy``.

        AWS: KMS GetKeyPolicy, of the only policy that a key has: ``default``.
        """
        return str(self._call("GetKeyPolicy", KeyId=arn, PolicyName="default").get("Policy", ""))

    def grants(self, arn: str) -> tuple[KeyGrant, ...]:
        """Return every grant on a key.

        Raises:
            AccessDenied: ``kms:ListGrants`` is denied.
            KeyNotFound: the key is gone.

        AWS: KMS ListGrants.
        """
        return tuple(
            KeyGrant(
                grant_id=str(one.get("GrantId", "")),
                grantee=str(one.get("GranteePrincipal", "")),
                operations=frozenset(map(str, one.get("Operations", ()))),
                name=str(one.get("Name", "")),
            )
            for one in self._pages_of_grants(arn)
        )

    def _pages_of_grants(self, arn: str) -> Iterator[Mapping[str, Any]]:
        more: dict[str, str] = {}
        while True:
            page = self._of_key("ListGrants", arn, **more)
            yield from page.get("Grants", ())
            if not page.get("Truncated") or not page.get("NextMarker"):
                return
            more = {"Marker": page["NextMarker"]}

    def create_grant(self, arn: str, grantee: str, operations: Collection[str], name: str) -> None:
        """Let a principal use a key. Safe to repeat: with the same name and members KMS keeps the same grant.

        Raises:
            AccessDenied: ``kms:CreateGrant`` is denied.
            RequestRefused: the key is disabled, or the principal does not exist.

        AWS: KMS CreateGrant.
        """
        self._call("CreateGrant", **_grant(arn, grantee, operations, name))

    def grant_problem(
        self, arn: str, grantee: str, operations: Collection[str], name: str
    ) -> AccessDenied | KeyNotFound | RequestRefused | None:
        """Return why a grant could not be created, found again, or revoked; None if all of that is allowed.

        AWS: KMS CreateGrant and RevokeGrant with DryRun, ListGrants.
        """
        try:
            self._call_dry("CreateGrant", **_grant(arn, grantee, operations, name))
            self.grants(arn)
            self._call_dry("RevokeGrant", KeyId=arn, GrantId="0" * 64)
        except (AccessDenied, KeyNotFound, RequestRefused) as error:
            return error
        return None

    def _call_dry(self, operation: str, **parameters: Any) -> None:
        """Ask for a call without making it: refused for the question alone, or for what is not there, it is allowed."""
        try:
            self._call(operation, DryRun=True, **parameters)
        except RequestRefused as error:
            if error.code not in {"DryRunOperationException", "NotFoundException"}:
                raise

    def revoke_grant(self, arn: str, grant_id: str) -> None:
        """Revoke a grant; one that is gone already is none.

        Raises:
            AccessDenied: ``kms:RevokeGrant`` is denied.

        AWS: KMS RevokeGrant.
        """
        try:
            self._call("RevokeGrant", KeyId=arn, GrantId=grant_id)
        except RequestRefused as error:
            if error.code != "NotFoundException":
                raise


def _grant(arn: str, grantee: str, operations: Collection[str], name: str) -> dict[str, object]:
    return {"KeyId": arn, "GranteePrincipal": grantee, "Operations": sorted(operations), "Name": name}
