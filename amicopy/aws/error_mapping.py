"""EC2's and botocore's errors as ours. The only module that knows AWS's error codes.

The code decides; EC2's message is only shown, unless the code alone is ambiguous.
"""

import os
import re

import botocore.exceptions
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    MetadataRetrievalError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    RefreshWithMFAUnsupportedError,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError
from botocore.parsers import ResponseParserError

from amicopy.aws.configuration import configuration_error
from amicopy.aws.ebs_errors import ebs_error
from amicopy.aws.emulators import failure_of_emulator, not_implemented, package_of_handler
from amicopy.aws.known_failures import advice_for
from amicopy.core.errors import (
    AccessDenied,
    AmicopyError,
    CredentialsExpired,
    CredentialsMissing,
    CredentialsRejected,
    ImageNotFound,
    ImageUnavailable,
    NoRoom,
    NotOwner,
    OperationNotPermitted,
    RequestRefused,
    SnapshotInUse,
    SnapshotNotFound,
    StorageNotShared,
    Throttled,
    TokenMismatch,
    Unreachable,
)

_THROTTLING = {
    "RequestLimitExceeded",
    "EC2ThrottledException",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",  # the EBS direct APIs: their model, and the spelling of their guide
    "RequestThrottleException",
    "TooManyRequestsException",
    "ConcurrentTagAccess",
}
_DENIED = {"UnauthorizedOperation", "AccessDenied", "AccessDeniedException"}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_REJECTED = {
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "IncompleteSignature",
    "RequestTimeTooSkewed",
    "MissingAuthenticationToken",
    "OptInRequired",
    "Blocked",
    "PendingVerification",
}
_OUR_REGION_OR_KEYS = "AuthFailure"
_NOT_IMPLEMENTED = 501  # LocalStack's answer to what it lacks; EC2's own failures are 500 and 503
_SERVER = {"InternalError", "InternalFailure", "Unavailable", "ServiceUnavailable"}
_NO_CREDENTIALS = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    SSOError,
    TokenRetrievalError,
)
# What botocore raises before a call when it cannot renew credentials: SSO, roles with MFA, `aws login`, processes.
_NOT_RENEWED = (
    CredentialRetrievalError,
    RefreshWithMFAUnsupportedError,
    SSOError,
    TokenRetrievalError,
    getattr(botocore.exceptions, "LoginError", SSOError),  # since botocore 1.41
)
_NAMES = {
    "dynamodb": "DynamoDB",
    "s3": "Amazon S3",
    "sqs": "Amazon SQS",
    "ec2": "EC2",
    "ebs": "EBS",
    "kms": "AWS KMS",
    "ssm": "Systems Manager",
    "service-quotas": "Service Quotas",
    "sts": "AWS STS",
    "organizations": "AWS Organizations",
}
LOOK_BETWEEN = "Check what is between this machine and AWS: proxies, AWS_ENDPOINT_URL, HTTPS_PROXY."
"""The next step after an answer that cannot be AWS's own."""
_LOOPBACK = re.compile(r"https?://(localhost|127\.[0-9.]+|\[::1\])(?=[:/]|$)")
_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])")
_ACTION = re.compile(r"not authorized to perform: ([a-z0-9-]+:[A-Za-z]+)")


def our_error(
    error: Exception,
    operation: str,
    service: str,
    region: str,
    *,
    was_authenticated: bool = False,
    snapshot_id: str = "",
) -> AmicopyError | None:
    """Return our error for one of botocore's; None for what is a bug of ours.

    ``was_authenticated``: AWS has accepted these credentials before, so that a failure to renew them is an expiry.
    ``snapshot_id``: whose blocks the call is about.
    """
    if was_authenticated and isinstance(error, MetadataRetrievalError):
        return Unreachable("The instance metadata service does not renew the credentials.", why=str(error))
    if (was_authenticated and isinstance(error, _NOT_RENEWED)) or is_still_expired(error):
        return _expired(str(error))
    match error:
        case ClientError():
            settings = error.response.get("Error", {})
            metadata = error.response.get("ResponseMetadata", {})
            code, message = str(settings.get("Code") or ""), str(settings.get("Message") or "")
            refusal = None
            if service == "ebs":
                reason = str(error.response.get("Reason") or "")
                refusal = ebs_error(snapshot_id=snapshot_id, region=region, code=code, reason=reason, message=message)
            refusal = refusal or _refusal(
                operation=operation,
                service=service,
                region=region,
                code=code,
                message=message,
                status=int(metadata.get("HTTPStatusCode", 400)),
            )
            refusal.request_id = str(metadata.get("RequestId") or "")
            return refusal
        case ParamValidationError():
            return RequestRefused(f"{operation} in {region} cannot be sent.", code="ParamValidation", why=str(error))
        case ResponseParserError():
            return Unreachable(
                f"The answer to {operation} from {region} is not one of {service_name(service)}.",
                why="It is not valid XML: a proxy's page, or a truncated answer.",
                next_step=LOOK_BETWEEN,
            )
        case HTTPClientError() | BotoConnectionError() | IncompleteReadError():
            return Unreachable(
                f"{service_name(service)} in {region} does not answer.",
                why=str(error),
                next_step=_after_no_answer(error),
            )
        case _ if isinstance(error, _NO_CREDENTIALS):
            return no_credentials(str(error))
        case BotoCoreError():
            return configuration_error(error)
    if failure := failure_of_emulator(error):
        return not_implemented(operation, service_name(service), region, failure)
    if package := package_of_handler(error):
        return RequestRefused(
            f"{operation} in {region} failed in this process.",
            code="EventHandler",
            why=f"An event handler of {package}, registered with botocore, raised {type(error).__name__}: {error}",
        )
    return None


def _after_no_answer(error: Exception) -> str:
    """Return the next step, given what botocore raised when it reached nobody."""
    endpoint = str(getattr(error, "kwargs", {}).get("endpoint_url", ""))
    if _LOOPBACK.match(endpoint):
        return "Start the server on that port. A restarted sandbox has another port: load its sandbox.env again."
    return "Check the network, that endpoint, and the region's health, then run the same command again."


def service_name(service: str) -> str:
    """Return a service's name for errors, given botocore's."""
    return _NAMES.get(service, service)


def no_credentials(why: str) -> CredentialsMissing:
    """Return the error about credentials that aren't there."""
    return CredentialsMissing(
        "There are no usable AWS credentials.",
        why=why,
        next_step="Log in (aws sso login), name a profile with --profile or AWS_PROFILE, or set "
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. To try amicopy without AWS: --sandbox.",
    )


def is_still_expired(error: Exception) -> bool:
    """Return whether botocore has renewed credentials and got expired ones: it raises a plain RuntimeError."""
    return isinstance(error, RuntimeError) and "refreshed credentials are still expired" in str(error)


def _expired(why: str) -> CredentialsExpired:
    return CredentialsExpired(
        "The AWS credentials have expired.",
        why=why,
        next_step="Renew them (aws sso login, or a new role session), then run the same command again. "
        "If they are new, check this machine's clock.",
    )


def _refusal(*, operation: str, service: str, region: str, code: str, message: str, status: int) -> AmicopyError:
    """Return our error for one of AWS's: EC2's own words stay in ``why``.

    Codes: EC2 API reference, "Error codes"; for texts see the issues named at each.
    """
    what = f"{operation} in {region} was refused: {code}."
    if code in _THROTTLING:
        return Throttled(f"The account's API rate in {region} is used up.", why=message)
    if code in _DENIED:
        return _denied(operation, service, region, message)
    if code == _OUR_REGION_OR_KEYS:
        return _auth_failure(operation, region, message)
    if code in _EXPIRED:
        return _expired(message)
    if code == "OptInRequired" and "marketplace" in message.lower():
        return OperationNotPermitted(
            what,
            why=message,
            next_step="Accept the product's terms in AWS Marketplace with this account, then run the command again.",
        )
    if code in _REJECTED:
        return CredentialsRejected(
            f"AWS does not accept the credentials in {region}.",
            why=message,
            next_step="Check them with: aws sts get-caller-identity. Check this machine's clock, too.",
        )
    if status == _NOT_IMPLEMENTED and not code.isdigit():  # a number: a proxy's page, without a code of its own
        return not_implemented(operation, service_name(service), region, f"{code}: {message}")
    if code in _SERVER or status >= 500:
        return Unreachable(
            f"{service_name(service)} in {region} failed to answer {operation}.", why=f"{code}: {message}"
        )
    advice = advice_for(message) or advice_for(_WORDS.sub(" ", code))
    match code:
        case "InvalidAMIID.NotFound" | "InvalidAMIID.Malformed":
            return ImageNotFound(what, why=message)
        case "InvalidAMIID.Unavailable":
            return ImageUnavailable(what, why=message)
        case "InvalidSnapshot.NotFound":
            return SnapshotNotFound(what, why=message)
        case "InvalidSnapshot.InUse":
            return SnapshotInUse(what, why=message)
        case "IdempotentParameterMismatch":
            return TokenMismatch(what, why=message)
        case "ResourceLimitExceeded" if operation == "CopyImage" and _will_pass(message):
            return NoRoom(f"EC2 doesn't accept another copy into {region} at the moment.", why=message)
        case "OperationNotPermitted" | "TagPolicyViolation":
            return OperationNotPermitted(
                what,
                why=message,
                next_step=advice.next_step if advice else "It is a setting of the account; ask its owner.",
            )
        case "InvalidRequest" if "permission to access the storage" in message:
            # hashicorp/packer#3344 and others: the AMI is shared, its snapshots are not.
            return StorageNotShared(what, why=message, next_step=advice.next_step if advice else "")
        case "InvalidRequest" if "storage for the ami is not available" in message:
            return ImageUnavailable(what, why=message)
    return RequestRefused(what, code=code, why=message, next_step=advice.next_step if advice else "")


def _will_pass(message: str) -> bool:
    """Return whether a limit on CopyImage is that of copies in progress, so that waiting helps.

    "Too many snapshot copies in progress" is reported for CopySnapshot, the wording for images is not known. That of
    the quota of AMIs and of throughput is, and nobody frees room under those but the user.
    """
    text = message.lower()
    return "in progress" in text or "concurrent" in text or not ("quota" in text or "throughput" in text)


def _denied(operation: str, service: str, region: str, message: str) -> AccessDenied:
    named = _ACTION.search(message)
    action = named.group(1) if named else f"{service}:{operation}"
    denied = AccessDenied(f"These credentials may not call {action} in {region}.", action=action, why=message)
    return denied.with_next_step(
        f"Have the organization allow {action} in {region}, or exclude that region (--exclude; in a manifest, exclude)."
        if denied.by_organization
        else f"Allow {action} in their IAM policy (or in the service control policy that forbids it)."
    )


def _endpoint_hint() -> str:
    """Return what to look at if an endpoint is configured, which may be that of one region only."""
    variable = next((name for name in ("AWS_ENDPOINT_URL_EC2", "AWS_ENDPOINT_URL") if os.environ.get(name)), "")
    return (
        f" {variable} is used for every region; the endpoint of one region does not serve others." if variable else ""
    )


def _auth_failure(operation: str, region: str, message: str) -> AmicopyError:
    # AuthFailure is two things: "Not authorized for image:ami-…" for what belongs to another account, and "AWS was
    # not able to validate the provided access credentials", which a region that is not enabled answers as well.
    about_keys = "not able to validate" in message
    if message.startswith("Not authorized") or (operation.endswith("Attribute") and not about_keys):
        return NotOwner(f"{operation} in {region} is for the owner only.", why=message)
    return CredentialsRejected(
        f"AWS does not accept the credentials in {region}.",
        why=message,
        next_step="Check that the region is enabled for the account (aws account list-regions), "
        f"the credentials (aws sts get-caller-identity), and this machine's clock.{_endpoint_hint()}",
    )
