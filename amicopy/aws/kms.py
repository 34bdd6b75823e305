"""KMS in one region: what a key is, before anything is encrypted with it. Reads only."""

import functools

from amicopy.aws.client import CallCounter, ServiceClient
from amicopy.aws.session import Session
from amicopy.core.errors import KeyNotFound, RequestRefused
from amicopy.core.kms_key import KmsKey


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
        try:
            settings = self._call("DescribeKey", KeyId=text)["KeyMetadata"]
        except RequestRefused as error:
            if error.code == "NotFoundException":
                raise KeyNotFound(f"There is not a valid KMS key {text} in {self._region}.", why=error.why) from error
            raise
        return KmsKey(
            arn=settings.get("Arn", ""),
            state=settings.get("KeyState", ""),
            usage=settings.get("KeyUsage", ""),
            spec=settings.get("KeySpec", settings.get("CustomerMasterKeySpec", "")),
            # Aliases that begin with alias/aws/ are reserved for keys that AWS manages (KMS CreateAlias).
            manager="AWS" if "alias/aws/" in text else settings.get("KeyManager", ""),
        )
