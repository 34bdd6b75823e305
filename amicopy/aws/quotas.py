"""Service Quotas in one region: how many AMIs may be public. Reads only."""

from amicopy.aws.client import CallCounter, ServiceClient
from amicopy.aws.session import Session
from amicopy.core.errors import RequestRefused

_PUBLIC_IMAGES = "L-0E3CBAB9"  # EC2 User Guide, "AMI quotas"


class ServiceQuotas:
    """The account's quotas in one region.

    In addition to the errors that a method names, it may raise those of `Ec2Reads`.
    """

    def __init__(self, session: Session, region: str, calls: CallCounter) -> None:
        self._session = session
        self._region = region
        self._calls = calls

    def public_images(self) -> int | None:
        """Return how many AMIs may be public; None if AWS has not changed the default for this account.

        AWS: Service Quotas GetServiceQuota.
        """
        call = ServiceClient(self._session, "service-quotas", self._region, self._calls)
        try:
            answer = call("GetServiceQuota", ServiceCode="ec2", QuotaCode=_PUBLIC_IMAGES)
        except RequestRefused as error:
            if error.code == "NoSuchResourceException":
                return None
            raise
        value = answer.get("Quota", {}).get("Value")
        return None if value is None else int(value)
