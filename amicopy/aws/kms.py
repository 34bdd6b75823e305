"""KMS in one region: what a key is, before anything is encrypted with it.

Refuses to use a key.
"""

import functools

from amicopy.aws.client import Caller, Calls
from amicopy.aws.session import Session
from amicopy.core.errors import KeyNotFound, RequestRefused
from amicopy.core.kms_key import Key


class Keyring:
    """The keys of one region."""

    def __init__(self, session: Session, region: str, calls: Calls) -> None:
        self._session = session
        self._region = region
        self._calls = calls

    @functools.cached_property
    def _call(self) -> Caller:  # made when a key is looked at, which most runs do not
        return Caller(self._session, "kms", self._region, self._calls)

    def describe_key(self, text: str) -> Key:
        """Return the key that an id, alias or ARN stands for.

        Raises:
            KeyNotFound: there is none in this region.
            AccessDenied: IAM or the key's policy does not let us look.

        AWS: KMS DescribeKey.
        """
        try:
            facts = self._call("DescribeKey", KeyId=text)["KeyMetadata"]
        except RequestRefused as error:
            if error.code == "NotFoundException":
                raise KeyNotFound(f"There is no KMS key {text} in {self._region}.", why=error.why) from error
            raise
        return Key(
            arn=facts.get("Arn", ""),
            state=facts.get("KeyState", ""),
            usage=facts.get("KeyUsage", ""),
            spec=facts.get("KeySpec", facts.get("CustomerMasterKeySpec", "")),
            # AWS keeps the names alias/aws/… for its own keys.
            manager="AWS" if "alias/aws/" in text else facts.get("KeyManager", ""),
        )
