"""Requests that no front end accepts: one table for the command line, the manifest and Python."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

ACCOUNT = "111122223333"
KEY = "alias/web"
ARN = f"arn:aws:kms:eu-west-3:{ACCOUNT}:key/12345678-1234-1234-1234-123456789012"
TAGS = {f"k{number}": "" for number in range(51)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """One faulty request as each front end writes it, and what every one of them says about it."""

    options: Sequence[str]
    manifest: str  # lines of an entry
    python: Mapping[str, Any] = field(default_factory=dict)
    says: str


CONTRADICTIONS = {
    "an unknown field in a name": Contradiction(
        options=["--name", "{nme}"], manifest="name: '{nme}'", python={"name": "{nme}"}, says="{nme} in '{nme}' is an"
    ),
    "a name that EC2 refuses": Contradiction(
        options=["--name", "a!b"], manifest="name: 'a!b'", python={"name": "a!b"}, says="cannot contain '!'"
    ),
    "a description that is too long": Contradiction(
        options=["--description", "x" * 256],
        manifest=f"description: {'x' * 256}",
        python={"description": "x" * 256},
        says="can have up to 255 characters",
    ),
    "shared and private": Contradiction(
        options=["--share", ACCOUNT, "--no-permissions"],
        manifest=f"share: ['{ACCOUNT}']\n    carry_permissions: false",
        python={"share": ACCOUNT, "carry_permissions": False},
        says="cannot be used together",
    ),
    "deprecated and never deprecated": Contradiction(
        options=["--deprecate-after", "90d", "--no-deprecation"],
        manifest="deprecate_after: 90d\n    carry_deprecation: false",
        python={"deprecate_after": timedelta(days=90), "carry_deprecation": False},
        says="cannot be used together",
    ),
    "public and deprecated in three years": Contradiction(
        options=["--share", "public", "--deprecate-after", "1095d"],
        manifest="share: [public]\n    deprecate_after: 1095d",
        python={"share": "public", "deprecate_after": timedelta(days=1095)},
        says="a public AMI is deprecated within 2 years (730d) of its creation",
    ),
    "public and encrypted": Contradiction(
        options=["--share", "public", "--encrypt"],
        manifest="share: [public]\n    encrypt: true",
        python={"share": "public", "encrypt": True},
        says="an encrypted AMI cannot be public",
    ),
    "public and encrypted with a key": Contradiction(
        options=["--share", "public", "--kms-key", KEY],
        manifest=f"share: [public]\n    kms_key: {KEY}",
        python={"share": "public", "kms_keys": {"": KEY}},
        says="an encrypted AMI cannot be public",
    ),
    "copied within 30 seconds": Contradiction(
        options=["--complete-within", "30s"],
        manifest="complete_within: 30s",
        python={"complete_within": timedelta(seconds=30)},
        says="use 15m to 48h in steps of 15 minutes",
    ),
    "deprecated after eleven years": Contradiction(
        options=["--deprecate-after", "4015d"],
        manifest="deprecate_after: 4015d",
        python={"deprecate_after": timedelta(days=4015)},
        says="is longer than EC2's limit of 10 years",
    ),
    "a principal that is none": Contradiction(
        options=["--share", "somebody"],
        manifest="share: [somebody]",
        python={"share": "somebody"},
        says="'somebody' is not a valid principal",
    ),
    "a KMS key that is none": Contradiction(
        options=["--kms-key", "web"],
        manifest="kms_key: web",
        python={"kms_keys": {"": "web"}},
        says="not a valid KMS key",
    ),
    "amicopy's own tag": Contradiction(
        options=["--tag", "amicopy:source=x"],
        manifest="tags: {'amicopy:source': x}",
        python={"tags": {"amicopy:source": "x"}},
        says="to record where a copy comes from",
    ),
    "AWS's own tag": Contradiction(
        options=["--tag", "aws:a=b"], manifest="tags: {'aws:a': b}", python={"tags": {"aws:a": "b"}}, says="'aws:a'"
    ),
    "more tags than EC2 allows": Contradiction(
        options=[part for key in TAGS for part in ("--tag", f"{key}=")],
        manifest=f"tags: {{{', '.join(f'{key}: x' for key in TAGS)}}}",
        python={"tags": TAGS},
        says="a resource can have at most 50 tags, and these are 51",
    ),
    "an unknown region": Contradiction(
        options=["--exclude", "us-wset-1"],
        manifest="exclude: us-wset-1",
        python={"exclude": "us-wset-1"},
        says="us-wset-1",
    ),
    "a key of another region": Contradiction(
        options=["--kms-key", ARN], manifest=f"kms_key: {ARN}", python={"kms_keys": {"": ARN}}, says="eu-west-3"
    ),
    "a best-effort region that is not a destination": Contradiction(
        options=["--best-effort", "eu-west-3"],
        manifest="best_effort: eu-west-3",
        python={"best_effort": "eu-west-3"},
        says="is not a destination",
    ),
}
