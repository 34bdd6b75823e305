"""Amazon S3: reading one object."""

from amicopy.aws.client import CallCounter, ServiceClient
from amicopy.aws.session import Session


class ObjectStore:
    """Objects in S3, read through one region."""

    def __init__(self, session: Session, region: str, calls: CallCounter) -> None:
        self._call = ServiceClient(session, "s3", region, calls)

    def get(self, bucket: str, key: str) -> bytes:
        """Return an object's content.

        Raises:
            AccessDenied: ``s3:GetObject`` is denied; without ``s3:ListBucket``, S3 says so of a missing object, too.
            RequestRefused: there is no such bucket or object.

        AWS: S3 GetObject.
        """
        content: bytes = self._call("GetObject", Bucket=bucket, Key=key)["Body"]
        return content
