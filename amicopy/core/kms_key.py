"""KMS keys: how a user can specify one, and what KMS reports about it."""

import re
from dataclasses import dataclass

AWS_MANAGED_ALIAS = "alias/aws/ebs"
"""How EC2 and KMS name AWS's own key for EBS."""

_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_MULTI_REGION = rf"mrk-(?:[0-9a-f]{{32}}|{_UUID})"  # AWS writes 32 digits, KMS stand-ins a UUID
_ALIAS = r"alias/[A-Za-z0-9/_-]{1,250}"
_ARN = re.compile(
    rf"arn:(?P<partition>aws[a-z-]*):kms:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{{12}}):"
    rf"(?P<what>key/(?:{_UUID}|{_MULTI_REGION})|{_ALIAS})"
)
_BARE = re.compile(rf"{_UUID}|{_MULTI_REGION}|{_ALIAS}")


@dataclass(frozen=True, slots=True, kw_only=True)
class KmsKey:
    """One KMS key as DescribeKey shows it; members that IAM does not let us read are empty."""

    arn: str
    state: str = ""
    usage: str = ""
    spec: str = ""
    manager: str = ""

    @property
    def is_aws_managed(self) -> bool:
        """Whether it is the AWS-managed key (aws/ebs), which makes what it encrypts impossible to share."""
        return self.manager == "AWS"

    def problem(self) -> str:
        """Return why EC2 cannot encrypt a copy with it, or nothing (EBS User Guide, "Amazon EBS encryption")."""
        if self.state not in {"", "Enabled"}:
            return f"it is in the state {self.state}; EC2 needs an enabled one"
        if self.usage not in {"", "ENCRYPT_DECRYPT"} or self.spec not in {"", "SYMMETRIC_DEFAULT"}:
            return f"it is of the kind {self.spec}, for {self.usage}; EC2 needs a symmetric encryption key"
        return ""

    def fix(self) -> str:
        """Return how the key's state can be fixed; empty if it cannot."""
        if self.state == "Disabled":
            return f"Enable it (aws kms enable-key --key-id {self.arn})."
        if self.state == "PendingDeletion":
            return f"Cancel its deletion and enable it (aws kms cancel-key-deletion --key-id {self.arn})."
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyGrant:
    """One grant on a KMS key, as ListGrants shows it."""

    grant_id: str
    grantee: str  # an ARN
    operations: frozenset[str]
    name: str = ""


def is_arn(text: str) -> bool:
    """Return whether ``text`` is the ARN of one key."""
    found = _ARN.fullmatch(text)
    return found is not None and found["what"].startswith("key/")


def account_of_key(arn: str) -> str:
    """Return the account that a key belongs to, by its ARN; empty if that is not one."""
    found = _ARN.fullmatch(arn)
    return found["account"] if found else ""


def check_key(text: str) -> None:
    """Raise ValueError unless ``text`` is a key id, an alias, or the ARN of either, as CopyImage takes them."""
    if not (_BARE.fullmatch(text) or _ARN.fullmatch(text)):
        raise ValueError(
            f"{text!r} is not a valid KMS key: use a key id (1234abcd-12ab-34cd-56ef-1234567890ab or mrk-…), an alias "
            "(alias/name), or the ARN of either"
        )


def key_in_region(text: str, region: str) -> str:
    """Return how the key is named in ``region``: a multi-Region key has the same id everywhere, an alias the same name.

    Raises:
        ValueError: it is the ARN of a key of another region, which EC2 cannot use there.
    """
    arn = _ARN.fullmatch(text)
    if arn is None or arn["region"] == region:
        return text
    if arn["what"].startswith("key/mrk-"):
        return f"arn:{arn['partition']}:kms:{region}:{arn['account']}:{arn['what']}"
    raise ValueError(f"{text} is a key of {arn['region']}, and {region} needs one of its own")
