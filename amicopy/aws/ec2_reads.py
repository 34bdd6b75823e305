"""The reading calls of EC2 in one region. Answers are our models, errors are ours, never botocore's."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from itertools import islice
from types import MappingProxyType
from typing import Any, TypeVar

from amicopy.aws.client import CallCounter, ServiceClient
from amicopy.aws.error_mapping import LOOK_BETWEEN
from amicopy.aws.responses import (
    NEWER_MEMBERS,
    image_from,
    principals_from,
    region_from,
    snapshot_from,
    with_source_of_tag,
)
from amicopy.aws.session import Session
from amicopy.core.clock import Clock, SystemClock
from amicopy.core.errors import ImageNotFound, OperationNotImplemented, RequestRefused, SnapshotNotFound, Unreachable
from amicopy.core.models import SOURCE_TAG, Image, ImageState, Principal, Region, Snapshot
from amicopy.core.progress import destination_of
from amicopy.core.rate_limit import RATES, Pace

_Item = TypeVar("_Item")

_FILTER_VALUES = 200  # a filter takes no more (EC2 API reference, DescribeImages)
_PAGE = 1000
_IDS_PER_CALL = 200
_REFERENCES_PER_CALL = 10  # EC2 API reference, DescribeImageReferences
_ALL_REFERENCES: Mapping[str, Any] = {
    "IncludeAllResourceTypes": True,
    "ResourceTypes": [
        {
            "ResourceType": "ec2:LaunchTemplate",
            "ResourceTypeOptions": [{"OptionName": "version-depth", "OptionValues": ["10000"]}],
        }
    ],
}


_CLOCKS_AGREE = timedelta(seconds=2)


class Ec2Reads:
    """EC2 in one region, for one set of credentials, to look at.

    Every method may raise, beside what it names: AccessDenied, CredentialsMissing, CredentialsRejected,
    CredentialsExpired, Throttled, Unreachable, RequestRefused.
    """

    def __init__(self, session: Session, region: str, calls: CallCounter, clock: Clock | None = None) -> None:
        self.region = region
        self.records_lineage = True  # until EC2 there says that it does not know the filter
        used = clock or SystemClock()
        self._session = session
        self._call = ServiceClient(session, "ec2", region, calls, used)
        self._paces = {operation: Pace(used, rate) for operation, rate in RATES.items()}

    def server_time(self, moment: datetime) -> datetime:
        """Return a moment of this machine's clock by EC2's, from the Date header of its last answer.

        That has whole seconds: a difference of less than two is none.
        """
        ahead = self._call.server_ahead
        return moment + ahead if abs(ahead) > _CLOCKS_AGREE else moment

    def describe_images(self, image_ids: Sequence[str]) -> dict[str, Image]:
        """Return those of the AMIs that these credentials may see, by id; an unknown one is absent, no error.

        Asked by id: a filter without an owner makes EC2 go through every public AMI. One unknown id fails the whole
        call, which is then made for each half.

        AWS: EC2 DescribeImages.
        """
        answers = self._by_id(
            "DescribeImages", "Images", "ImageIds", image_ids, IncludeDeprecated=True, IncludeDisabled=True
        )
        return self._images_from(answers)

    def describe_own_images(self, image_ids: Sequence[str]) -> dict[str, Image]:
        """Return those of the AMIs that this account owns, by id, disabled ones included; for polling.

        AWS: EC2 DescribeImages.
        """
        return self._images("image-id", image_ids, Owners=["self"])

    def own_image(self, image_id: str, *, why: str = "Somebody deregistered it.") -> Image:
        """Return one of the AMIs that this account owns, as it is now; ``why`` is said if it is gone.

        Raises:
            ImageNotFound: it is gone.

        AWS: EC2 DescribeImages.
        """
        image = self.describe_own_images([image_id]).get(image_id)
        if image is None:
            raise ImageNotFound(f"{image_id} is not in {self.region} anymore.", image_ids=(image_id,), why=why)
        return image

    def find_tagged_copies(self, references: Sequence[str]) -> dict[str, Image]:
        """Return this account's AMIs that have our tag with one of these sources (``REGION/AMI``).

        AWS: EC2 DescribeImages.
        """
        return self._images(f"tag:{SOURCE_TAG}", references, Owners=["self"])

    def find_all_pending_copies(self) -> dict[str, Image]:
        """Return this account's AMIs that have our tag, whatever their source, and that EC2 is still copying.

        AWS: EC2 DescribeImages.
        """
        state = {"Name": "state", "Values": ["pending"]}
        return self._images("tag-key", [SOURCE_TAG], also=[state], Owners=["self"])

    def tagged_image(self) -> str:
        """Return the id of one of this account's AMIs that has our tag, or an empty string.

        AWS: EC2 DescribeImages.
        """
        answers = self._described("DescribeImages", "Images", "tag-key", [SOURCE_TAG], Owners=["self"])
        return next((str(item["ImageId"]) for item in answers), "")

    def find_lineage_copies(self, source_region: str, image_ids: Sequence[str]) -> dict[str, Image]:
        """Return this account's AMIs that EC2 says were made from these sources, by whatever tool.

        EC2 records it since November 2024 (botocore 1.35.60); older copies have no lineage. Some partitions do not
        know the filter, and moto does not implement it: nothing is found there, and from then on the source in our
        tag is taken for the one that EC2 records.

        AWS: EC2 DescribeImages.
        """
        place = {"Name": "source-image-region", "Values": [source_region]}
        try:
            return self._images("source-image-id", image_ids, also=[place], Owners=["self"])
        except OperationNotImplemented:
            self.records_lineage = False
        except RequestRefused as error:
            if error.code != "InvalidParameterValue" or "source-image" not in error.why:
                raise
            self.records_lineage = False
        return {}

    def find_named_images(
        self,
        pattern: str,
        owner: str,
        *,
        architecture: str = "",
        tags: Mapping[str, str] = MappingProxyType({}),
        states: Sequence[ImageState] = (ImageState.AVAILABLE,),
    ) -> dict[str, Image]:
        """Return the AMIs of an owner in these states whose name matches: ``*`` and ``?`` are EC2's own wildcards.

        ``owner`` is ``self``, an account, ``amazon`` or ``aws-marketplace``. Deprecated ones are left out, but for the
        account's own: those EC2 lists always.

        AWS: EC2 DescribeImages.
        """
        also = [{"Name": "state", "Values": [str(state) for state in states]}]
        if architecture:
            also.append({"Name": "architecture", "Values": [architecture]})
        also += [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]
        more = {"IncludeDisabled": True} if ImageState.DISABLED in states else {}
        answers = self._described("DescribeImages", "Images", "name", [pattern], also, Owners=[owner], **more)
        return self._images_from(answers)

    def find_own_images_tagged(self, key: str, value: str) -> dict[str, Image]:
        """Return this account's AMIs that have a tag with this value.

        AWS: EC2 DescribeImages.
        """
        return self._images(f"tag:{key}", [value], Owners=["self"])

    def images_in_recycle_bin(self) -> frozenset[str]:
        """Return the ids of the AMIs in this region's Recycle Bin, which can be restored.

        AWS: EC2 ListImagesInRecycleBin.
        """
        pages = self._pages("ListImagesInRecycleBin", MaxResults=_PAGE)
        return frozenset(image["ImageId"] for page in pages for image in page.get("Images", ()))

    def image_references(self, image_ids: Sequence[str]) -> dict[str, list[str]]:
        """Return, by AMI id, the ARNs of the account's instances, templates, parameters and recipes that use it.

        AWS: EC2 DescribeImageReferences with IncludeAllResourceTypes; of launch templates all versions, not only the
        latest ten, since the one in use may be older.
        """
        found: dict[str, list[str]] = {}
        for some in chunks(image_ids, _REFERENCES_PER_CALL):
            for page in self._pages("DescribeImageReferences", ImageIds=some, **_ALL_REFERENCES):
                for reference in page.get("ImageReferences", ()):
                    found.setdefault(reference["ImageId"], []).append(reference.get("Arn", ""))
        return found

    def _images(
        self, name: str, values: Sequence[str], also: Sequence[Mapping[str, Any]] = (), **parameters: Any
    ) -> dict[str, Image]:
        answers = self._described(
            "DescribeImages", "Images", name, values, also, IncludeDeprecated=True, IncludeDisabled=True, **parameters
        )
        return self._images_from(answers)

    def _images_from(self, answers: Iterable[Mapping[str, Any]]) -> dict[str, Image]:
        images = [image_from(answer, self.region, self._unknown) for answer in answers]
        if not self.records_lineage:
            images = [with_source_of_tag(image) for image in images]
        return {image.image_id: image for image in images}

    @cached_property
    def _unknown(self) -> frozenset[str]:
        """The newer members of an image that the installed botocore does not know."""
        return NEWER_MEMBERS - self._call.members("Image")

    def describe_snapshots(self, snapshot_ids: Sequence[str]) -> dict[str, Snapshot]:
        """Return those of the snapshots that these credentials may see, by id; requested as AMIs are.

        AWS: EC2 DescribeSnapshots.
        """
        answers = self._by_id("DescribeSnapshots", "Snapshots", "SnapshotIds", snapshot_ids)
        return {one.snapshot_id: one for one in (snapshot_from(answer, self.region) for answer in answers)}

    def find_tagged_snapshots(self, references: Sequence[str]) -> dict[str, Snapshot]:
        """Return this account's snapshots that have our tag with one of these sources (``REGION/AMI``).

        AWS: EC2 DescribeSnapshots.
        """
        return self._snapshots(f"tag:{SOURCE_TAG}", references, OwnerIds=["self"])

    def find_all_tagged_snapshots(self) -> dict[str, Snapshot]:
        """Return this account's snapshots that have our tag, whatever their source.

        AWS: EC2 DescribeSnapshots.
        """
        return self._snapshots("tag-key", [SOURCE_TAG], OwnerIds=["self"])

    def tagged_snapshot(self) -> str:
        """Return the id of one of this account's snapshots that has our tag, or an empty string.

        AWS: EC2 DescribeSnapshots.
        """
        answers = self._described("DescribeSnapshots", "Snapshots", "tag-key", [SOURCE_TAG], OwnerIds=["self"])
        return next((str(item["SnapshotId"]) for item in answers), "")

    def find_snapshots_of_copies(self, image_ids: Sequence[str]) -> dict[str, Snapshot]:
        """Return the snapshots that EC2 describes as made for these AMIs, while the AMI itself may not list them.

        The description is not a documented contract (flatcar/mantle relies on it since 2017): good for finding more,
        never for concluding that there is nothing.

        AWS: EC2 DescribeSnapshots.
        """
        texts = [f"Copied for DestinationAmi {image_id}*" for image_id in image_ids]
        found = self._snapshots("description", texts, OwnerIds=["self"])  # an old, short id is the start of others
        wanted = frozenset(image_ids)
        return {name: snapshot for name, snapshot in found.items() if destination_of(snapshot) in wanted}

    def _snapshots(self, name: str, values: Sequence[str], **parameters: Any) -> dict[str, Snapshot]:
        answers = self._described("DescribeSnapshots", "Snapshots", name, values, **parameters)
        return {
            snapshot.snapshot_id: snapshot for snapshot in (snapshot_from(answer, self.region) for answer in answers)
        }

    def describe_regions(self) -> dict[str, Region]:
        """Return every region of this partition, by name, and whether the account has it enabled.

        AWS: EC2 DescribeRegions with AllRegions; moto lists other partitions, too.
        """
        answer = self._call("DescribeRegions", AllRegions=True)
        regions = (region_from(item) for item in answer.get("Regions", ()))
        partitions = self._session.partitions
        own = partitions.get(self.region)
        return {region.name: region for region in regions if partitions.get(region.name, own) == own}

    def launch_permissions(self, image_id: str) -> frozenset[Principal]:
        """Return who may launch the AMI.

        Raises:
            NotOwner: only its owner may ask.
            ImageNotFound, ImageUnavailable: it is not there, or not anymore.

        AWS: EC2 DescribeImageAttribute.
        """
        answer = self._paced("DescribeImageAttribute", ImageId=image_id, Attribute="launchPermission")
        return principals_from(answer.get("LaunchPermissions", ()))

    def uefi_data(self, image_id: str) -> str:
        """Return the AMI's UEFI variables as EC2 gives them, in base64; empty if it has none.

        Raises:
            NotOwner: only its owner may ask.
            ImageNotFound, ImageUnavailable: it is not there, or not anymore.

        AWS: EC2 DescribeImageAttribute.
        """
        answer = self._paced("DescribeImageAttribute", ImageId=image_id, Attribute="uefiData")
        data: str = answer.get("UefiData", {}).get("Value", "")
        return data

    def volume_permissions(self, snapshot_id: str) -> frozenset[Principal]:
        """Return who may create volumes from the snapshot.

        Raises:
            NotOwner: only its owner may ask.
            SnapshotNotFound: it is not there.

        AWS: EC2 DescribeSnapshotAttribute.
        """
        answer = self._paced("DescribeSnapshotAttribute", SnapshotId=snapshot_id, Attribute="createVolumePermission")
        return principals_from(answer.get("CreateVolumePermissions", ()))

    def encryption_by_default(self) -> bool:
        """Tell whether the account encrypts every new EBS volume and snapshot copy in this region.

        AWS: EC2 GetEbsEncryptionByDefault.
        """
        return bool(self._call("GetEbsEncryptionByDefault").get("EbsEncryptionByDefault"))

    def default_key(self) -> str:
        """Return the key that EBS uses where none is named: ``alias/aws/ebs``, AWS's own, or an ARN.

        AWS: EC2 GetEbsDefaultKmsKeyId.
        """
        return str(self._call("GetEbsDefaultKmsKeyId").get("KmsKeyId", ""))

    def images_blocked(self) -> bool:
        """Tell whether the account's AMIs are blocked from becoming public in this region.

        AWS: EC2 GetImageBlockPublicAccessState.
        """
        state = self._call("GetImageBlockPublicAccessState").get("ImageBlockPublicAccessState", "")
        return bool(state != "unblocked")

    def snapshots_blocked(self) -> bool:
        """Tell whether the account's snapshots are blocked from becoming public in this region.

        AWS: EC2 GetSnapshotBlockPublicAccessState.
        """
        return bool(self._call("GetSnapshotBlockPublicAccessState").get("State", "") != "unblocked")

    def find_public_images(self) -> dict[str, Image]:
        """Return this account's public AMIs in this region.

        AWS: EC2 DescribeImages.
        """
        return self._images("is-public", ["true"], Owners=["self"])

    def _by_id(
        self, operation: str, member: str, parameter: str, ids: Sequence[str], **parameters: Any
    ) -> Iterator[Mapping[str, Any]]:
        """Yield the items that these ids name; those that do not exist are left out."""
        for some in chunks(ids, _IDS_PER_CALL):
            try:
                page = self._call(operation, **{parameter: some}, **parameters)
            except (ImageNotFound, SnapshotNotFound):
                half = len(some) // 2
                if half:
                    yield from self._by_id(operation, member, parameter, some[:half], **parameters)
                    yield from self._by_id(operation, member, parameter, some[half:], **parameters)
            else:
                yield from page.get(member, ())

    def _described(
        self,
        operation: str,
        member: str,
        name: str,
        values: Sequence[str],
        also: Sequence[Mapping[str, Any]] = (),
        **parameters: Any,
    ) -> Iterator[Mapping[str, Any]]:
        """Yield every item that a filter finds, over as many pages and calls as that takes."""
        for some in chunks(values, _FILTER_VALUES):
            filters = [{"Name": name, "Values": list(some)}, *also]
            for page in self._pages(operation, Filters=filters, MaxResults=_PAGE, **parameters):
                yield from page.get(member, ())

    def _paced(self, operation: str, **parameters: Any) -> Mapping[str, Any]:
        """Return the answer to a call that EC2 limits by itself, as soon as that limit allows it."""
        self._paces[operation].wait()
        return self._call(operation, **parameters)

    def _pages(self, operation: str, **parameters: Any) -> Iterator[Mapping[str, Any]]:
        """Yield every page of an answer.

        Raises:
            Unreachable: a token comes for the second time, so that the pages would never end.
        """
        page = self._call(operation, **parameters)
        yield page
        seen = set()
        while token := page.get("NextToken"):
            if token in seen:
                raise Unreachable(
                    f"EC2 in {self.region} doesn't finish its response to {operation}.",
                    why="It has returned the same NextToken twice.",
                    next_step=LOOK_BETWEEN,
                )
            seen.add(token)
            page = self._call(operation, NextToken=token, **parameters)
            yield page


def chunks(values: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    """Yield the values in lists of at most ``size``."""
    rest = iter(values)
    while some := list(islice(rest, size)):
        yield some
