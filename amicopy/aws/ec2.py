"""EC2 in one region: what `Ec2Reads` reads, and the writing calls. Errors are ours, never botocore's."""

import contextlib
import threading
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from amicopy.aws.client import CallCounter
from amicopy.aws.ec2_reads import Ec2Reads
from amicopy.aws.error_mapping import LOOK_BETWEEN
from amicopy.aws.kms import KmsClient
from amicopy.aws.quotas import ServiceQuotas
from amicopy.aws.session import Session
from amicopy.aws.ssm import ParameterStore
from amicopy.core.clock import Clock
from amicopy.core.destination import Destination
from amicopy.core.errors import AccessDenied, AmicopyError, Unreachable
from amicopy.core.models import Image
from amicopy.core.write import Write, tag_list

if TYPE_CHECKING:  # few commands use them
    from amicopy.aws.ebs import EbsClient
    from amicopy.aws.fast_launches import FastLaunches
    from amicopy.aws.fast_restores import FastRestores
    from amicopy.aws.instances import Instances
    from amicopy.aws.launch_templates import LaunchTemplates


class Ec2(Ec2Reads):
    """EC2 in one region, for one set of credentials; methods can raise what those of `Ec2Reads` can."""

    @cached_property
    def instances(self) -> "Instances":
        """The region's instances."""
        from amicopy.aws.instances import Instances

        return Instances(self.region, self._call)

    @cached_property
    def fast_launches(self) -> "FastLaunches":
        """EC2 Fast Launch in the region."""
        from amicopy.aws.fast_launches import FastLaunches

        return FastLaunches(self._pages)

    @cached_property
    def fast_restores(self) -> "FastRestores":
        """Fast snapshot restore in the region."""
        from amicopy.aws.fast_restores import FastRestores

        return FastRestores(self.region, self._call, self._pages)

    @cached_property
    def launch_templates(self) -> "LaunchTemplates":
        """The region's launch templates."""
        from amicopy.aws.launch_templates import LaunchTemplates

        return LaunchTemplates(self.region, self._call)

    def copy_image(
        self,
        source: Image,
        *,
        name: str,
        description: str,
        image_tags: Mapping[str, str],
        snapshot_tags: Mapping[str, str],
        client_token: str,
        encrypt: bool = False,
        key: str = "",
        minutes: int | None = None,
    ) -> str:
        """Start copying ``source`` into this region; return the new image's id at once.

        The copy itself runs inside AWS for minutes to hours. Safe to repeat: with the same token a second call
        returns the first call's image, not a twin, even when that image has been deregistered meanwhile.

        Raises:
            ImageNotFound: the source is not in its region, or not shared with us.
            ImageUnavailable: the source's storage is not ready yet.
            StorageNotShared: its snapshots are not shared with us.
            TokenMismatch: this token was used with other parameters.
            NoRoom: too many copies are in progress; worth repeating later.
            Unreachable: the answer names no image; worth repeating, as any call without a proper answer.

        AWS: EC2 CopyImage, called in the destination region.
        """
        specifications = [
            {"ResourceType": kind, "Tags": tag_list(tags)}
            for kind, tags in (("image", image_tags), ("snapshot", snapshot_tags))
            if tags
        ]
        parameters: dict[str, Any] = {
            "SourceRegion": source.region,
            "SourceImageId": source.image_id,
            "Name": name,
            "ClientToken": client_token,
        }
        if description:
            parameters["Description"] = description
        if specifications:
            parameters["TagSpecifications"] = specifications
        if encrypt:  # never False: on an encrypted source EC2 refuses that, and on a plain one it means nothing
            parameters["Encrypted"] = True
        if key:
            parameters["KmsKeyId"] = key
        if minutes:
            parameters["SnapshotCopyCompletionDurationMinutes"] = minutes
        image_id: str = self._call("CopyImage", **parameters).get("ImageId", "")
        if not image_id:
            raise Unreachable(
                f"The answer to CopyImage from {self.region} has no ImageId.",
                why="EC2 may have started the copy all the same.",
                next_step=LOOK_BETWEEN,
            )
        return image_id

    def seconds_until(self, write: Write) -> float:
        """Return in how many seconds EC2's rate allows this writing call; whoever asks has to make it."""
        pace = self._paces.get(str(write.operation))
        return pace.reserve() if pace else 0.0

    def write(self, write: Write) -> None:
        """Make a writing call that answers nothing of interest.

        Raises:
            ImageUnavailable: the image is pending, or EC2 shows it as pending for a moment; worth repeating.
            OperationNotPermitted: a setting of the account forbids it, such as block public access.

        AWS: the EC2 operation that ``write`` names.
        """
        self._call(str(write.operation), **write.parameters)

    def forbidden(self, write: Write) -> AccessDenied | None:
        """Return IAM's refusal of a writing call in this region; None if it is allowed, or if EC2 does not say.

        AWS: the EC2 operation in question, with DryRun.
        """
        try:
            self._call(str(write.operation), DryRun=True, **write.parameters)
        except AccessDenied as error:
            return error
        except AmicopyError:  # DryRunOperation is EC2's yes; any other error says nothing about permissions
            return None
        return None

    def deregister_image(self, image_id: str) -> dict[str, str]:
        """Deregister the AMI, which also stops a copy, and delete the snapshots that EC2 lists as its own.

        Returns EC2's verdict by snapshot: success, skipped (in use by another AMI), missing-permissions, …; the
        AMI is gone whatever became of them.

        Raises:
            ImageNotFound, ImageUnavailable: it is not there, or gone already.
            OperationNotPermitted: deregistration protection is on.

        AWS: EC2 DeregisterImage with DeleteAssociatedSnapshots.
        """
        answer = self._call("DeregisterImage", ImageId=image_id, DeleteAssociatedSnapshots=True)
        return {item["SnapshotId"]: item.get("ReturnCode", "") for item in answer.get("DeleteSnapshotResults", ())}

    def delete_snapshot(self, snapshot_id: str) -> None:
        """Delete a snapshot, a pending one included.

        Raises:
            SnapshotInUse: an AMI still uses it.
            SnapshotNotFound: it is gone already.

        AWS: EC2 DeleteSnapshot.
        """
        self._call("DeleteSnapshot", SnapshotId=snapshot_id)


class Clients:
    """The clients of one run, created when they are first needed; safe to use from several threads.

    A region alone means the account of the run's own credentials.
    """

    def __init__(self, session: Session, calls: CallCounter, clock: Clock | None = None) -> None:
        self._clock = clock
        self._sessions = {"": session}  # by account; "": the run's own credentials
        self._roles: dict[str, str] = {}  # by account: the ARN of the role that its session is of
        self._calls = calls
        self._lock = threading.Lock()
        self._created: dict[Destination, Ec2] = {}
        self._ebs: dict[Destination, EbsClient] = {}

    def add_account(self, account: str, session: Session, role_arn: str = "") -> None:
        """Let destinations in another account be asked for."""
        self._sessions[account] = session
        self._roles[account] = role_arn

    def role_arn(self, account: str) -> str:
        """Return the ARN of the role that is assumed in another account."""
        return self._roles[account]

    def __contains__(self, account: str) -> bool:
        return account in self._sessions

    def __getitem__(self, place: Destination | str) -> Ec2:
        destination = place if isinstance(place, Destination) else Destination(place)
        with self._lock:
            if destination not in self._created:
                session = self._sessions[destination.account]
                self._created[destination] = Ec2(session, destination.region, self._calls, self._clock)
            return self._created[destination]

    def environment(self, destination: Destination) -> dict[str, str | None]:
        """Return the variables that make a program act in a destination's account: `Session.environment_now`."""
        return self._sessions[destination.account].environment_now()

    @contextlib.contextmanager
    def borrowed(self, destination: Destination) -> Iterator[Ec2]:
        """Yield the client of a destination, and release it afterwards."""
        try:
            yield self[destination]
        finally:
            self.release(destination)

    def release(self, destination: Destination) -> None:
        """Drop what was created for a destination in another account: there can be thousands."""
        if destination.account in self._sessions and destination.account:
            with self._lock:
                self._created.pop(destination, None)
                self._ebs.pop(destination, None)
            self._sessions[destination.account].forget_clients(destination.region)

    def ebs(self, destination: Destination) -> "EbsClient":
        """Return the blocks of the snapshots in that destination; the same client for all of them."""
        from amicopy.aws.ebs import EbsClient

        with self._lock:
            if destination not in self._ebs:
                self._ebs[destination] = EbsClient(self._sessions[destination.account], destination.region, self._calls)
            return self._ebs[destination]

    def kms(self, destination: Destination) -> KmsClient:
        """Return KMS in that destination."""
        return KmsClient(self._sessions[destination.account], destination.region, self._calls)

    def quotas(self, destination: Destination) -> ServiceQuotas:
        """Return Service Quotas in that destination."""
        return ServiceQuotas(self._sessions[destination.account], destination.region, self._calls)

    def parameters(self, destination: Destination) -> ParameterStore:
        """Return Systems Manager's parameters in that destination."""
        return ParameterStore(self._sessions[destination.account], destination.region, self._calls)
