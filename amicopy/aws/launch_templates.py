"""EC2 launch templates in one region: which AMI the default version has, and a new default version with another one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from amicopy.aws.client import ServiceClient
from amicopy.core.errors import RequestRefused, Unreachable

_DEFAULT, _LATEST = "$Default", "$Latest"
_NOT_FOUND = {"InvalidLaunchTemplateName.NotFoundException", "InvalidLaunchTemplateName.NotFound"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateVersion:
    """One version of a launch template."""

    number: int
    image_id: str = ""  # an AMI's id, ``resolve:ssm:…``, or nothing
    description: str = ""


class LaunchTemplates:
    """The launch templates of one region. In addition to what a method names, it may raise the errors of `Ec2Reads`."""

    def __init__(self, region: str, call: ServiceClient) -> None:
        self.region = region
        self._call = call

    def default_and_latest(self, name: str) -> tuple[TemplateVersion, TemplateVersion] | None:
        """Return the default version and the latest one of a template; None if the template does not exist.

        AWS: EC2 DescribeLaunchTemplateVersions.
        """
        found = []
        for version in (_DEFAULT, _LATEST):  # each by itself: EC2 shows a version that is both only once
            try:
                answer = self._call("DescribeLaunchTemplateVersions", LaunchTemplateName=name, Versions=[version])
            except RequestRefused as error:
                if error.code in _NOT_FOUND:
                    return None
                raise
            items = answer.get("LaunchTemplateVersions", ())
            if not items:
                raise Unreachable(f"The answer to DescribeLaunchTemplateVersions from {self.region} has no version.")
            found.append(_version(items[0]))
        return found[0], found[1]

    def create_version(
        self, name: str, image_id: str, *, like: TemplateVersion, description: str, client_token: str
    ) -> int:
        """Create a version that has another AMI and is otherwise ``like`` one that exists; return its number.

        Safe to repeat: the same client token makes no second version.

        AWS: EC2 CreateLaunchTemplateVersion.
        """
        answer = self._call(
            "CreateLaunchTemplateVersion",
            LaunchTemplateName=name,
            SourceVersion=str(like.number),
            LaunchTemplateData={"ImageId": image_id},
            ClientToken=client_token,
            **({"VersionDescription": description} if description else {}),
        )
        number = answer.get("LaunchTemplateVersion", {}).get("VersionNumber")
        if not number:
            raise Unreachable(f"The answer to CreateLaunchTemplateVersion from {self.region} has no number.")
        return int(number)

    def set_default(self, name: str, number: int) -> None:
        """Let what names no version get this one.

        AWS: EC2 ModifyLaunchTemplate.
        """
        self._call("ModifyLaunchTemplate", LaunchTemplateName=name, DefaultVersion=str(number))


def _version(item: Mapping[str, Any]) -> TemplateVersion:
    return TemplateVersion(
        number=int(item["VersionNumber"]),
        image_id=item.get("LaunchTemplateData", {}).get("ImageId", ""),
        description=item.get("VersionDescription", ""),
    )
