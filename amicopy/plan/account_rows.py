"""Copies in other accounts: which image each is made from, and what EC2 would refuse about that.

The source is copied once to each region, within the account of the credentials; from there to other accounts within
the region, which costs no transfer. The region's copy is taken only if it can be shared.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from amicopy.core.accounts import AT_ONCE, PLACES_AT_ONCE
from amicopy.core.destination import Destination, Key
from amicopy.core.ec2_rules import MAX_TAGS
from amicopy.core.errors import AmicopyError, NoRoomForRecords, NotCopyable, NotShareable
from amicopy.core.grants import Grants, kept_in, room_for_records
from amicopy.core.kms_key import is_arn
from amicopy.core.lineage import is_proven
from amicopy.core.models import Image
from amicopy.core.request import CopyRequest
from amicopy.plan.checks import encrypting_key, will_be_encrypted
from amicopy.plan.findings import Survey
from amicopy.plan.plan import Action, Row


def with_origins(request: CopyRequest, rows: Sequence[Row], survey: Survey) -> tuple[Row, ...]:
    """Return the rows; those of other accounts that start a copy say what from, or are refused."""
    own = {row.key: row for row in rows if not row.destination.account}
    copying: dict[str, set[str]] = {}  # accounts, by what they copy in the end
    for row in rows:
        if row.destination.account and row.action.starts_a_copy:
            copying.setdefault(row.source.reference, set()).add(row.destination.account)
    return tuple(
        _with_origin(request, row, own, survey, copying[row.source.reference])
        if row.destination.account and row.action.starts_a_copy
        else row
        for row in rows
    )


def _with_origin(
    request: CopyRequest, row: Row, own: Mapping[Key, Row], survey: Survey, accounts: Collection[str]
) -> Row:
    source, here = row.source, Destination(row.region)
    relay = own.get((source.reference, here))
    why = "" if row.region == source.region else _why_directly(row, relay, survey)
    if row.region == source.region or relay is None or why:
        origin: Image | None = source
        note = f"it is copied from {source.region}, not from a copy in {row.region}: {why}"
        row = replace(row, notes=(*row.notes, note)) if why else row
    elif relay.action is Action.REFUSE:
        problem = NotCopyable(
            f"The copy in {row.destination} is not made, because the copy in {row.region} is refused.",
            why=f"It would be made from that copy: {relay.reason}",
        )
        return row.refused(problem)
    else:
        is_ready = relay.is_standing and relay.check is None
        origin = relay.copy if is_ready else None
        notes = (*row.notes, *_encryption_note(row, relay, survey))
        row = replace(row, copied_from=origin, waits_for=None if origin else here, notes=notes)
    row = replace(row, origin_keys=_origin_keys(origin, relay, survey))
    problems = list(_problems(request, row, origin, accounts)) if request.preflight else []
    if problems:
        return row.refused(*problems)
    if row.origin_keys and not request.preflight and not request.kms_grant:  # otherwise that is looked into
        return replace(row, notes=(*row.notes, key_note(row)))
    return row


def _why_directly(row: Row, relay: Row | None, survey: Survey) -> str:
    """Return why the region's own copy is not what other accounts copy; empty if it is.

    It has to be shareable, and EC2's own word has to say what it is a copy of: a tag would let whoever may tag pass
    off any image as one. Of a copy that is still pending that is looked at once it is available.
    """
    if relay is None:
        return "there is none"
    if len(row.image_tags) >= MAX_TAGS:
        return f"the copy would have {MAX_TAGS} tags already"
    copy = relay.copy
    if copy is not None and relay.action in {Action.UNCHANGED, Action.UPDATE, Action.JOIN}:
        if relay.action is not Action.JOIN and not is_proven(row.source, copy):
            return f"EC2 does not record {copy.image_id} as a copy of {row.source.image_id}"
        return "that one cannot be shared" if copy.has_aws_managed_key else ""
    settings = survey.destinations[relay.destination].settings
    key = encrypting_key(settings)
    is_managed = will_be_encrypted(relay.desired, settings) and key is not None and key.is_aws_managed
    return "that one cannot be shared" if is_managed else ""


def _encryption_note(row: Row, relay: Row, survey: Survey) -> Iterator[str]:
    """Yield that the row's copy will be encrypted only because the region's own copy is, which it is made from."""
    settings = {one.destination: survey.destinations[one.destination].settings for one in (row, relay)}
    if all(device.encrypted for device in row.source.devices if device.snapshot_id):
        return
    if will_be_encrypted(row.desired, settings[row.destination]):
        return
    stands = relay.copy is not None and any(device.encrypted for device in relay.copy.devices)
    if stands or (not relay.is_standing and will_be_encrypted(relay.desired, settings[relay.destination])):
        yield (
            f"the copy will be encrypted, which {row.source.image_id} is not: it is made from the copy in "
            f"{row.region}, and EC2 makes no unencrypted copy of an encrypted one"
        )


def _problems(
    request: CopyRequest, row: Row, origin: Image | None, accounts: Collection[str]
) -> Iterator[AmicopyError]:
    """Yield what EC2 would refuse, now or in the end, about copying ``origin`` into another account.

    None: it is a copy that is still to be made. ``accounts`` are all that copies of its source are made in.
    """
    source, account = row.source, row.destination.account
    if codes := source.attributes.get("ProductCodes", ""):
        yield NotCopyable(
            f"{source.image_id} cannot be copied into account {account}: it has product codes, {codes}.",
            why="EC2 copies an AMI with product codes only within its owner's account.",
            next_step="Subscribe to the product with that account, launch an instance there and make an AMI of it.",
        )
    if source.is_instance_store:
        yield NotCopyable(
            f"{source.image_id} cannot be copied into account {account}: it is stored in S3 (instance store).",
            why="EC2 copies such an AMI only within its owner's account.",
            next_step="Leave the account out.",
        )
    if origin is not None and origin.has_aws_managed_key:
        yield NotShareable(
            f"{origin.image_id} in {origin.region} cannot be copied into account {account}: the AWS-managed key "
            "encrypts its snapshots.",
            why="Snapshots encrypted with aws/ebs cannot be shared, and EC2 copies only what it can read.",
            next_step="Make a copy with your own key, and copy that one: --kms-key KEY",
        )
    if request.grants is Grants.NONE:
        return
    if origin is source and source.is_foreign:
        yield NotCopyable(
            f"{source.image_id} belongs to account {source.owner_id}, so this account cannot grant permissions on it.",
            why=f"Account {account} needs a permission to copy it.",
            next_step=f"Ask its owner to share it and its snapshots with {account}, then use --grants none.",
        )
    elif room_of(row, origin, of_keys=request.kms_grant) < (needed := _records_needed(request, origin, accounts)):
        subject = origin.image_id if origin else f"the copy in {row.region}"
        what = f"{needed} tags" if needed > 1 else "a tag"
        yield NoRoomForRecords(
            f"There is no room for {what} on {subject}, so the permissions for copying could not be recorded.",
            why=f"A resource can have {MAX_TAGS} tags, and two are kept free."
            + (" With --grants keep each account takes one for good." if request.grants is Grants.KEEP else ""),
            next_step="Remove tags, or share it and its snapshots with the account yourself (--grants none).",
        )


def _records_needed(request: CopyRequest, origin: Image | None, accounts: Collection[str]) -> int:
    """Return for how many accounts at least there has to be room at the same time."""
    if request.grants is Grants.TEMPORARY:
        return 1
    known = kept_in(origin.tags) if origin else {}
    return sum(account not in known for account in accounts)


def accounts_at_once(rows: Iterable[Row], *, of_keys: bool = False) -> int:
    """Return how many accounts can be worked on at a time in each region.

    Each takes memory for as long as its copy takes, so where the regions are few, the accounts can be more. Each takes
    a tag on what is copied, and another run may need as many.
    """
    started = [row for row in rows if row.destination.account and row.action.starts_a_copy]
    regions = {row.region for row in started}
    rooms = (room_of(row, None if row.waits_for else row.origin, of_keys=of_keys) for row in started)
    room = min(rooms, default=AT_ONCE)
    most = max(AT_ONCE, min(room // 2, PLACES_AT_ONCE // max(1, len(regions))))
    return max(1, min(most, room))


def room_of(row: Row, origin: Image | None, *, of_keys: bool = False) -> int:
    """Return for how many accounts there is room for records on what the row is copied from.

    ``of_keys``: grants on KMS keys are recorded, too.
    """
    if origin is not None:
        return room_for_records(origin, of_keys=of_keys)
    tags = (row.desired.tags, *row.desired.snapshot_tags.values())
    as_made = Image(image_id="", region=row.region, tags=max(tags, key=len))
    return room_for_records(as_made, of_keys=of_keys)


def _origin_keys(origin: Image | None, relay: Row | None, survey: Survey) -> tuple[str, ...]:
    """Return the KMS keys of what is copied, by their ARNs; an empty one stands for a key that is not known yet.

    None: it is a copy that ``relay`` is still to make.
    """
    image = origin or (relay.copy if relay and relay.action is Action.JOIN else None)
    if image is not None and any(one.encrypted for one in image.snapshots):
        return tuple(sorted({one.kms_key_id for one in image.snapshots if one.encrypted}))
    if origin is not None or relay is None:
        return ()
    settings = survey.destinations[relay.destination].settings
    if not will_be_encrypted(relay.desired, settings):
        return ()
    key = encrypting_key(settings)
    return (key.arn if key and is_arn(key.arn) else "",)


def key_note(row: Row) -> str:
    """Return what is said of keys that the other account has to be allowed to use, if that is not known."""
    known = [arn for arn in row.origin_keys if arn]
    subject = f"the copy in {row.region}" if row.waits_for else row.origin.image_id
    keys = ", ".join(known) if known else "its key"
    return f"{subject} is encrypted: the policy of {keys} has to let account {row.destination.account} use it"
