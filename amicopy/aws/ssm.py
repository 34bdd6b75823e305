"""Systems Manager parameters in one region: AMI ids, where launch templates and stacks look them up."""

from dataclasses import dataclass

from amicopy.aws.client import CallCounter, ServiceClient
from amicopy.aws.session import Session
from amicopy.core.errors import RequestRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterVersion:
    """One value that a parameter has had."""

    value: str
    data_type: str = ""


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

    def history(self, path: str) -> tuple[ParameterVersion, ...]:
        """Return the values that a parameter of type String has had, the present one first; none if it doesn't exist.

        Systems Manager keeps the last 100.

        AWS: Systems Manager GetParameterHistory.
        """
        found: list[ParameterVersion] = []
        token = ""
        try:
            while True:
                page = self._call("GetParameterHistory", Name=path, **({"NextToken": token} if token else {}))
                found += [
                    ParameterVersion(value=str(item.get("Value", "")), data_type=item.get("DataType", ""))
                    for item in page.get("Parameters", ())
                    if item.get("Type") == "String"
                ]
                token = page.get("NextToken", "")
                if not token:
                    return tuple(reversed(found))
        except RequestRefused as error:
            if error.code == "ParameterNotFound":
                return ()
            raise

    def put(
        self,
        path: str,
        image_id: str,
        *,
        data_type: str = "aws:ec2:image",
        description: str = "",
        overwrite: bool = True,
    ) -> None:
        """Create a parameter with an AMI's id, or ``overwrite`` its value.

        Raises:
            RequestRefused: it exists and may not be overwritten (``ParameterAlreadyExists``).

        Systems Manager checks asynchronously that the id is an AMI in this region; with DataType ``text`` it doesn't.

        AWS: Systems Manager PutParameter.
        """
        self._call(
            "PutParameter",
            Name=path,
            Value=image_id,
            Type="String",
            DataType=data_type,
            Overwrite=overwrite,
            **({"Description": description} if description else {}),
        )
