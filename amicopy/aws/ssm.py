"""Systems Manager parameters in one region: AMI ids, where launch templates and stacks look them up."""

from amicopy.aws.client import CallCounter, ServiceClient
from amicopy.aws.session import Session
from amicopy.core.errors import RequestRefused


class ParameterStore:
    """The parameters of one region.

    In addition to the errors that a method names, it may raise those of `Ec2Reads`.
    """

    def __init__(self, session: Session, region: str, calls: CallCounter) -> None:
        self.region = region
        self._call = ServiceClient(session, "ssm", region, calls)

    def get(self, path: str) -> str:
        """Return the value of a parameter, or ``""`` if it doesn't exist.

        AWS: Systems Manager GetParameter.
        """
        try:
            return str(self._call("GetParameter", Name=path)["Parameter"].get("Value", ""))
        except RequestRefused as error:
            if error.code == "ParameterNotFound":
                return ""
            raise

    def put(self, path: str, image_id: str, *, description: str = "", overwrite: bool = True) -> None:
        """Create a parameter with an AMI's id, or ``overwrite`` its value.

        Raises:
            RequestRefused: it exists and may not be overwritten (``ParameterAlreadyExists``).

        Systems Manager checks asynchronously that the id is an AMI in this region.

        AWS: Systems Manager PutParameter with DataType ``aws:ec2:image``.
        """
        self._call(
            "PutParameter",
            Name=path,
            Value=image_id,
            Type="String",
            DataType="aws:ec2:image",
            Overwrite=overwrite,
            **({"Description": description} if description else {}),
        )
