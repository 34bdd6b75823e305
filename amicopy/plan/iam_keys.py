"""The IAM statements about KMS keys: what EC2 does with them in the caller's name, and looking at them.

Source: EBS User Guide, "Amazon EBS encryption requirements".
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from amicopy.core.grants import KEY_GRANT_OPERATIONS
from amicopy.core.kms_key import key_in_region
from amicopy.plan.iam_needs import ANYWHERE, Needs

_WITH_SOURCE_KEYS = ("kms:Decrypt", "kms:ReEncrypt*")
_WITH_KEYS_OF_COPIES = ("kms:Decrypt", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncrypt*")

Statement = dict[str, Any]


def key_statements(needs: Needs) -> Iterator[Statement]:
    """Yield what EC2 does with KMS keys in the caller's name: for a named key, a default key, an encrypted source.

    Limited to the keys of the regions, to the named ones where keys are named, and to calls that EC2 makes.
    """
    named, by_alias = _keys_of_copies(needs)
    regions = dict.fromkeys([*needs.sources, *(needs.destinations if needs.relays else ())])
    of_sources = [_key_arn(needs.partition, region, "*") for region in regions] if needs.copies else []
    aliases = _aliases(by_alias)
    read = list(dict.fromkeys([*of_sources, *named]))
    if read:
        yield statement("AmicopyKmsDescribeKeys", ["kms:DescribeKey"], read)
    if by_alias:
        yield statement("AmicopyKmsDescribeKeysByAlias", ["kms:DescribeKey"], list(by_alias), aliases)
    if not needs.copies:
        return
    via = {"StringLike": {"kms:ViaService": _services(needs)}}
    grants = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    yield statement("AmicopyKmsReadSources", _WITH_SOURCE_KEYS, of_sources, via)
    if named:
        yield statement("AmicopyKmsEncryptCopies", _WITH_KEYS_OF_COPIES, named, via)
    if by_alias:
        yield statement("AmicopyKmsEncryptCopiesByAlias", _WITH_KEYS_OF_COPIES, list(by_alias), via | aliases)
    yield statement("AmicopyKmsGrantToEC2", ["kms:CreateGrant"], read, via | grants)
    if needs.accounts and read:
        yield from _of_accounts(needs, read)
    if by_alias:
        yield statement("AmicopyKmsGrantToEC2ByAlias", ["kms:CreateGrant"], list(by_alias), via | grants | aliases)


def _of_accounts(needs: Needs, keys: Sequence[str]) -> Iterator[Statement]:
    """Yield what is done with the keys of what other accounts copy: looking at them, and grants."""
    yield statement("AmicopyKmsReadPolicies", ["kms:GetKeyPolicy", "kms:ListGrants"], keys)
    if needs.kms_grant:
        roles = [f"arn:{needs.partition}:iam::{account}:role/{needs.role}" for account in needs.accounts]
        to_roles = {
            "StringLike": {"kms:GranteePrincipal": roles},
            "ForAllValues:StringEquals": {"kms:GrantOperations": sorted(KEY_GRANT_OPERATIONS)},
        }
        yield statement("AmicopyKmsGrantAccounts", ["kms:CreateGrant"], keys, to_roles)
        yield statement("AmicopyKmsRevokeGrants", ["kms:RevokeGrant"], keys)


def block_key_statement(needs: Needs) -> Statement:
    """Return what reading the blocks of encrypted snapshots needs.

    EBS encrypts each data key with the encryption context ``aws:ebs:id`` (EBS User Guide, "How Amazon EBS encryption
    works"), without which KMS doesn't decrypt it: so this limits the permission to EBS, whichever service calls.
    """
    places = needs.places_of_blocks
    regions = [ANYWHERE] if ANYWHERE in places else list(places)
    context = {"ForAnyValue:StringEquals": {"kms:EncryptionContextKeys": ["aws:ebs:id"]}}
    keys = [_key_arn(needs.partition, region, "*") for region in regions]
    return statement("AmicopyKmsReadBlocks", ["kms:Decrypt"], keys, context)


def _keys_of_copies(needs: Needs) -> tuple[list[str], Mapping[str, list[str]]]:
    """Return the ARNs of the copies' keys, and those that a key with one of these aliases can have."""
    named: dict[str, None] = {}
    by_alias: dict[str, list[str]] = {}
    for region in needs.destinations:
        for key in sorted(needs.keys.get(region, needs.keys.get(ANYWHERE, frozenset()))):
            if not key and needs.command == "verify":
                continue  # it looks at named keys only
            arn, alias = _named_key(needs.partition, region, key)
            if alias:
                by_alias.setdefault(arn, []).append(alias)
            else:
                named[arn] = None
    return list(named), by_alias


def _named_key(partition: str, region: str, key: str) -> tuple[str, str]:
    """Return the ARN of a key, and its alias where the ARN does not say which key it is."""
    if not key:
        return _key_arn(partition, region, "*"), ""
    account = "*"
    if key.startswith("arn:"):
        if region != ANYWHERE:
            key = key_in_region(key, region)
        _, partition, _, region, account, key = key.split(":", 5)
        key = key.removeprefix("key/")
    if key.startswith("alias/"):
        return _key_arn(partition, region, "*", account), key
    return _key_arn(partition, region, key, account), ""


def _key_arn(partition: str, region: str, key_id: str, account: str = "*") -> str:
    return f"arn:{partition}:kms:{region}:{account}:key/{key_id}"


def _aliases(by_alias: Mapping[str, Iterable[str]]) -> dict[str, Any]:
    names = sorted({alias for aliases in by_alias.values() for alias in aliases})
    return {"ForAnyValue:StringEquals": {"kms:ResourceAliases": names}}


def _services(needs: Needs) -> list[str]:
    regions = dict.fromkeys([*needs.sources, *needs.destinations])
    names = [ANYWHERE] if ANYWHERE in regions else list(regions)
    domain = "amazonaws.com" if needs.partition in {"aws", "aws-us-gov"} else "*"  # .com.cn in China, others elsewhere
    return [f"ec2.{region}.{domain}" for region in names]


def statement(
    sid: str, actions: Iterable[str], resources: Sequence[str], condition: Mapping[str, Any] | None = None
) -> Statement:
    """Return one statement that allows these actions."""
    allowed: Statement = {"Sid": sid, "Effect": "Allow", "Action": sorted(actions), "Resource": list(resources)}
    return allowed | ({"Condition": dict(condition)} if condition else {})
