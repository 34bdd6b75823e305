"""EC2's known reasons for refusing or failing a copy, and what to do about each. EC2's own message is always shown."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What is behind a reason, and the next step."""

    why: str
    next_step: str


# Part of EC2's text, in lower case; the first that is found counts. Sources: the issues named, AWS's documentation.
_KNOWN = (
    (
        "key id is not accessible",  # snapshot StateMessage, EBS user guide
        Advice(
            why="The KMS key of a snapshot cannot be used: it is missing, disabled, of another region, or its policy "
            "does not let these credentials use it.",
            next_step="Check the key and its policy (kms:DescribeKey, CreateGrant, Decrypt, ReEncrypt*, "
            "GenerateDataKeyWithoutPlaintext), then run the same command again.",
        ),
    ),
    (
        "copy image failed with an internal error",  # hashicorp/packer#6599, #6737: a bad key ends like this
        Advice(
            why="A KMS key that is missing, disabled or not usable by these credentials makes a copy fail this way; so "
            "does a fault inside EC2.",
            next_step="Check the region's default EBS key and the key of the source's snapshots, then run the same "
            "command again.",
        ),
    ),
    (
        "permission to access the storage",
        Advice(
            why="The AMI is shared with this account, but its snapshots are not.",
            next_step="Ask its owner to share each of its snapshots with this account (aws ec2 "
            "modify-snapshot-attribute), and the key of encrypted ones.",
        ),
    ),
    (
        "failed to find matching ak",  # AKI or ARI: EC2 User Guide, "How AMI copy works", Limitations
        Advice(
            why="The image is paravirtual, and the destination has no matching kernel (AKI) or RAM disk (ARI).",
            next_step="Boot it with PV-GRUB, or convert it to HVM, and copy that image.",
        ),
    ),
    (
        "invalid attribute item value",  # hashicorp/packer#1196: one bad account fails the whole list
        Advice(
            why="An account that was closed, or that does not exist.",
            next_step="Remove it from the source's launch permissions, or from --share. All other accounts have their "
            "permission.",
        ),
    ),
    (
        "invalid user id",
        Advice(
            why="An account that was closed, or that does not exist.",
            next_step="Remove it from the permissions of the source's snapshots. All other accounts have their "
            "permission.",
        ),
    ),
    (
        "maximum number of tags",
        Advice(
            why="A resource can have 50 tags.",
            next_step="Remove a tag of the copy that its source does not have: `verify` lists them, `verify --repair "
            "--prune` removes them.",
        ),
    ),
    (
        "block public access",
        Advice(
            why="Block public access for AMIs is on in this region; amicopy never switches it off.",
            next_step="Leave the copy private (--no-permissions, --share ACCOUNT), or switch it off yourself, "
            "with credentials of the copy's account: aws ec2 disable-image-block-public-access",
        ),
    ),
    (
        "quota",
        Advice(
            why="A quota of the account in this region is used up.",
            next_step="Remove what is no longer needed, or request a higher quota (Service Quotas), then run the same "
            "command again.",
        ),
    ),
    (
        "snapshot limit",  # hashicorp/packer#5887: a copy fails when the account's snapshot limit is hit
        Advice(
            why="The account has reached its limit of snapshots in this region.",
            next_step="Delete some, or request a higher quota (Service Quotas), then run the same command again.",
        ),
    ),
    (
        "missing the tag key",  # hashicorp/packer-plugin-amazon#591
        Advice(
            why="A tag policy requires tags that the source does not have.",
            next_step="Give them with --tag KEY=VALUE, then run the same command again.",
        ),
    ),
    (
        "throughput",  # EBS user guide, "Time-based copies"
        Advice(
            why="The region's time-based copies together need more throughput than the quota allows.",
            next_step="Request a longer time, or let other copies finish first.",
        ),
    ),
    (
        "managed cmk",  # hashicorp/packer#7410, #8135
        Advice(
            why="Snapshots that are encrypted with the AWS-managed key cannot be shared.",
            next_step="Leave the copy private with --no-permissions, or make the region encrypt with a customer "
            "managed key.",
        ),
    ),
)


def advice_for(reason: str) -> Advice | None:
    """Return what is known about a reason of EC2's; None where nothing is."""
    text = reason.lower().replace("’", "'")
    return next((advice for part, advice in _KNOWN if part in text), None)


def known_reasons() -> tuple[tuple[str, Advice], ...]:
    """Return every part of a text that is known, with what is behind it."""
    return _KNOWN
