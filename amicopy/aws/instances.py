"""EC2 instances in one region: launch one, look at it, terminate it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from amicopy.aws.client import ServiceClient
from amicopy.aws.responses import tags_from
from amicopy.core.errors import AmicopyError, RequestRefused, Unreachable
from amicopy.core.instance import Instance, InstanceChecks
from amicopy.core.write import tag_list

LAUNCH_REFUSALS: Mapping[str, str] = {
    "InsufficientInstanceCapacity": "EC2 has no capacity for this instance type at the moment. Run the command again "
    "later, or use another type: --instance-type.",
    "VcpuLimitExceeded": "The account's quota of vCPUs is used up. Terminate instances, or request a higher quota.",
    "InstanceLimitExceeded": "The account's quota of instances is used up. Terminate instances, or request a higher "
    "quota.",
    "VPCIdNotSpecified": "The account has no default VPC there. Give a subnet: --subnet REGION=SUBNET",
    "MissingInput": "The default VPC has no subnet there. Give one: --subnet REGION=SUBNET",
    "Unsupported": "The instance type cannot launch this image, or is not available there. Use another: "
    "--instance-type.",
    "InvalidParameterValue": "The instance type cannot launch this image. Use another: --instance-type.",
}
"""What to do about the codes of RunInstances (EC2 API reference, "Error codes")."""


class Instances:
    """The instances of one region. In addition to what a method names, it may raise the errors of `Ec2Reads`."""

    def __init__(self, region: str, call: ServiceClient) -> None:
        self.region = region
        self._call = call

    def run(self, parameters: Mapping[str, Any]) -> Instance:
        """Launch one instance and return it; the same client token returns the same instance.

        Raises:
            RequestRefused: EC2 has no capacity, or does not launch this image so; ``code`` is its reason.
            ImageNotFound, ImageUnavailable: the image cannot be launched.

        AWS: EC2 RunInstances.
        """
        try:
            launched = self._call("RunInstances", **parameters).get("Instances", ())
        except RequestRefused as error:
            raise with_advice(error) from error
        if not launched:
            raise Unreachable(f"The answer to RunInstances from {self.region} has no instance.")
        return _instance(launched[0])

    def may_not_run(self, parameters: Mapping[str, Any]) -> AmicopyError | None:
        """Return why EC2 would refuse the launch, as far as it tells before; None if it would not.

        AWS: EC2 RunInstances, with DryRun.
        """
        try:
            self._call("RunInstances", DryRun=True, **parameters)
        except RequestRefused as error:
            return None if error.code == "DryRunOperation" else with_advice(error)
        except AmicopyError as error:
            return error
        return None

    def find(self, tag_key: str, values: Sequence[str] = ("*",)) -> tuple[Instance, ...]:
        """Return the account's instances that have a tag with one of these values, terminated ones included.

        AWS: EC2 DescribeInstances.
        """
        filters = [{"Name": f"tag:{tag_key}", "Values": list(values)}]
        return tuple(self._described(Filters=filters))

    def describe(self, instance_id: str) -> Instance | None:
        """Return one instance; None if EC2 doesn't show it, or not anymore.

        AWS: EC2 DescribeInstances.
        """
        try:
            return next(self._described(InstanceIds=[instance_id]), None)
        except RequestRefused as error:
            if error.code == "InvalidInstanceID.NotFound":
                return None
            raise

    def _described(self, **parameters: Any) -> Iterator[Instance]:
        token = ""
        while True:
            page = self._call("DescribeInstances", **parameters, **({"NextToken": token} if token else {}))
            for reservation in page.get("Reservations", ()):
                yield from map(_instance, reservation.get("Instances", ()))
            if not (token := page.get("NextToken", "")):
                return

    def checks(self, instance_id: str) -> InstanceChecks:
        """Return the status checks of a running instance: both are empty before EC2 has them.

        AWS: EC2 DescribeInstanceStatus.
        """
        try:
            found = self._call("DescribeInstanceStatus", InstanceIds=[instance_id]).get("InstanceStatuses", ())
        except RequestRefused as error:
            if error.code == "InvalidInstanceID.NotFound":  # soon after the launch
                return InstanceChecks()
            raise
        for item in found:
            return InstanceChecks(
                system=item.get("SystemStatus", {}).get("Status", ""),
                instance=item.get("InstanceStatus", {}).get("Status", ""),
            )
        return InstanceChecks()

    def console(self, instance_id: str, *, latest: bool) -> str:
        """Return the console output; with ``latest`` the newest, which instances on Nitro have.

        AWS: EC2 GetConsoleOutput.
        """
        more = {"Latest": True} if latest else {}
        try:
            return str(self._call("GetConsoleOutput", InstanceId=instance_id, **more).get("Output", ""))
        except RequestRefused as error:
            if latest and error.code in {"UnsupportedOperation", "Unsupported"}:
                return self.console(instance_id, latest=False)
            if error.code == "InvalidInstanceID.NotFound":
                return ""
            raise

    def terminate(self, instance_ids: Sequence[str]) -> None:
        """Terminate instances; those that are gone already are no error.

        AWS: EC2 TerminateInstances.
        """
        try:
            self._call("TerminateInstances", InstanceIds=list(instance_ids))
        except RequestRefused as error:
            if error.code != "InvalidInstanceID.NotFound":
                raise

    def tag(self, instance_id: str, tags: Mapping[str, str]) -> None:
        """Tag an instance.

        AWS: EC2 CreateTags.
        """
        self._call("CreateTags", Resources=[instance_id], Tags=tag_list(tags))

    def offered(self, instance_types: Sequence[str]) -> frozenset[str]:
        """Return those of the instance types that the region has.

        AWS: EC2 DescribeInstanceTypeOfferings.
        """
        filters = [{"Name": "instance-type", "Values": list(instance_types)}]
        answer = self._call("DescribeInstanceTypeOfferings", LocationType="region", Filters=filters)
        return frozenset(item["InstanceType"] for item in answer.get("InstanceTypeOfferings", ()))

    def has_subnet(self, subnet_id: str) -> bool:
        """Return whether the subnet is there; without an id, whether the default VPC has one.

        AWS: EC2 DescribeSubnets.
        """
        where: Mapping[str, Any] = (
            {"SubnetIds": [subnet_id]} if subnet_id else {"Filters": [{"Name": "default-for-az", "Values": ["true"]}]}
        )
        try:
            return bool(self._call("DescribeSubnets", **where).get("Subnets", ()))
        except RequestRefused as error:
            if error.code in {"InvalidSubnetID.NotFound", "InvalidSubnetId.NotFound"}:
                return False
            raise


def with_advice(error: RequestRefused) -> RequestRefused:
    """Return EC2's refusal of a launch with what to do about it, where that is known."""
    advice = LAUNCH_REFUSALS.get(error.code, "")
    return error.with_next_step(advice) if advice else error


def _instance(item: Mapping[str, Any]) -> Instance:
    launched_at = item.get("LaunchTime")
    return Instance(
        instance_id=item["InstanceId"],
        image_id=item.get("ImageId", ""),
        instance_type=item.get("InstanceType", ""),
        state=item.get("State", {}).get("Name", ""),
        state_reason=item.get("StateReason", {}).get("Message", "") or item.get("StateTransitionReason", ""),
        launched_at=launched_at if isinstance(launched_at, datetime) else None,
        tags=tags_from(item),
    )
