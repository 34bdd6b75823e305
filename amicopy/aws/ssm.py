"""Systems Manager's parameters in one region: the ids of AMIs, where launch templates and stacks look for them.

Refuses to know which id belongs there.
"""

from amicopy.aws.client import CallCounter, ServiceClient
from amicopy.aws.session import Session
from amicopy.core.errors import RequestRefused


class ParameterStore:
    """The parameters of one region.

    Every method may raise, beside what it names, what the reader's may.
    """

    def __init__(self, session: Session, region: str, calls: CallCounter) -> None:
        self.region = region
        self._call = ServiceClient(session, "ssm", region, calls)

    def get(self, path: str) -> str:
        """Return the value of a parameter; empty where there is none.

        AWS: Systems Manager GetParameter.
        """
        try:
            return str(self._call("GetParameter", Name=path)["Parameter"].get("Value", ""))
        except RequestRefused as error:
            if error.code == "ParameterNotFound":
                return ""
            raise

    def put(self, path: str, image_id: str) -> None:
        """Let a parameter hold an AMI's id, made or changed.

        Systems Manager looks at the id afterwards, by itself: it has to be an AMI in this region by then.

        AWS: Systems Manager PutParameter with DataType ``aws:ec2:image``.
        """
        self._call("PutParameter", Name=path, Value=image_id, Type="String", DataType="aws:ec2:image", Overwrite=True)
