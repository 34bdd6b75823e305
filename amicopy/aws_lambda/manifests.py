"""Where a function's manifest is: in its bundle, in S3, or in a Systems Manager parameter."""

from amicopy.aws.client import CallCounter
from amicopy.aws.s3 import ObjectStore
from amicopy.aws.ssm import ParameterStore
from amicopy.aws_lambda.settings import Settings, session, session_of_functions
from amicopy.core.errors import AmicopyError, UsageError
from amicopy.core.files import read_bounded
from amicopy.manifest.model import Entry
from amicopy.manifest.read import read_manifest


def read_content(settings: Settings, calls: CallCounter) -> bytes:
    """Return the manifest's bytes.

    Raises:
        UsageError: it is not there, or cannot be read; the error says where it was looked for.
    """
    location = settings.manifest
    try:
        if location.startswith("s3://"):
            bucket, _, key = location.removeprefix("s3://").partition("/")
            return ObjectStore(session_of_functions(), settings.region, calls).get(bucket, key)
        if location.startswith("ssm:"):
            path = location.removeprefix("ssm:")
            return _present(ParameterStore(session(), settings.region, calls).get(path)).encode()
        return read_bounded(settings.folder / location)
    except (AmicopyError, OSError, ValueError) as error:
        reason = f"{error.what} {error.why}".strip() if isinstance(error, AmicopyError) else f"{error}."
        raise UsageError(
            f"The manifest {location} cannot be read, so nothing was done.",
            why=reason,
            next_step="Check AMICOPY_MANIFEST (a path in the bundle, s3://BUCKET/KEY or ssm:PARAMETER) and the "
            "function's role: amicopy iam-policy --for lambda prints what it needs.",
        ) from error


def entries_of(settings: Settings, content: bytes) -> tuple[Entry, ...]:
    """Return the manifest's entries.

    Raises:
        ManifestInvalid: with everything that is wrong, each with line and column.
    """
    return read_manifest(settings.manifest, content, regions=session().partitions.keys())


def _present(value: str) -> str:
    """Return a parameter's value.

    Raises:
        ValueError: there is none.
    """
    if not value:
        raise ValueError("there is no such parameter")
    return value
