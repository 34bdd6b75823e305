"""EC2's error codes to our errors: one class per thing to do, EC2's own words kept, nothing of botocore's let out."""

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    MetadataRetrievalError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProxyConnectionError,
    ReadTimeoutError,
    RefreshWithMFAUnsupportedError,
    SSLError,
    SSOTokenLoadError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
from botocore.parsers import ResponseParserError

from amicopy.aws.error_mapping import our_error
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
    OperationNotImplemented,
    OperationNotPermitted,
    RequestRefused,
    SnapshotInUse,
    SnapshotNotFound,
    StorageNotShared,
    Throttled,
    TokenMismatch,
    Unreachable,
)

REGION = "eu-west-1"
BAD_KEYS = "AWS was not able to validate the provided access credentials"


def refused(operation: str, code: str, message: str = "EC2's own words.", status: int = 400) -> AmicopyError:
    """Return our error for one that EC2 answers with."""
    response = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    ours = our_error(ClientError(response, operation), operation, "ec2", REGION)
    assert ours is not None
    return ours


# Texts as EC2 was seen to write them.
SEEN: list[tuple[str, str, str, int, type[AmicopyError]]] = [
    ("DescribeImages", "InvalidAMIID.NotFound", "The image id '[ami-abcd1234]' does not exist", 400, ImageNotFound),
    ("DescribeImages", "InvalidAMIID.NotFound", "The image ids '[ami-a, ami-b]' do not exist", 400, ImageNotFound),
    ("CopyImage", "InvalidAMIID.Malformed", 'Invalid id: "x" (expecting "ami-...")', 400, ImageNotFound),
    (
        "CopyImage",
        "OptInRequired",
        "In order to use this AWS Marketplace product you need to accept terms and subscribe.",
        401,
        OperationNotPermitted,
    ),
    ("DescribeImages", "RequestTimeTooSkewed", "The clocks differ too much.", 403, CredentialsRejected),
    (
        "ModifyImageAttribute",
        "InvalidAMIID.Unavailable",
        "The AMI ID 'ami-1' is currently pending and may not be used for this operation",
        400,
        ImageUnavailable,
    ),
    (
        "DeregisterImage",
        "InvalidAMIID.Unavailable",
        "The image ID 'ami-1' is no longer available",
        400,
        ImageUnavailable,
    ),
    (
        "CopyImage",
        "InvalidRequest",
        "You do not have permission to access the storage of this ami",
        400,
        StorageNotShared,
    ),
    (
        "CopyImage",
        "InvalidRequest",
        "The storage for the ami is not available in the source region.",
        400,
        ImageUnavailable,
    ),
    (
        "CopyImage",
        "InvalidRequest",
        "Snapshot snap-1 is encrypted. Creating unencrypted copy from an encrypted snapshot is not supported.",
        400,
        RequestRefused,
    ),
    (
        "CopyImage",
        "InvalidParameterDependency",
        "The parameter KmsKeyId requires the parameter Encrypted to be set.",
        400,
        RequestRefused,
    ),
    (
        "ModifyImageAttribute",
        "InvalidParameter",
        "Snapshots encrypted with the AWS Managed CMK can’t be shared. Specify another snapshot",
        400,
        RequestRefused,
    ),
    (
        "CopyImage",
        "IdempotentParameterMismatch",
        "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
        400,
        TokenMismatch,
    ),
    ("DescribeImages", "AuthFailure", BAD_KEYS, 401, CredentialsRejected),
    ("CopyImage", "AuthFailure", BAD_KEYS, 401, CredentialsRejected),
    ("DescribeImageAttribute", "AuthFailure", "Not authorized for image:ami-1", 401, NotOwner),
    ("DeregisterImage", "AuthFailure", "Not authorized for image:ami-1", 400, NotOwner),
    (
        "DescribeImageAttribute",
        "AuthFailure",
        "Unauthorized attempt to access restricted resource",
        401,
        NotOwner,
    ),
    (
        "CopyImage",
        "UnauthorizedOperation",
        "You are not authorized to perform this operation. User: arn:aws:iam::1:user/x is not authorized to perform: "
        "ec2:CreateTags on resource: arn:aws:ec2:eu-west-1::image/* because no identity-based policy allows it.",
        403,
        AccessDenied,
    ),
    ("CopyImage", "UnauthorizedOperation", "You are not authorized to perform this operation.", 403, AccessDenied),
    ("DescribeImages", "OptInRequired", "You are not subscribed to this service.", 401, CredentialsRejected),
    (
        "ModifyImageAttribute",
        "OperationNotPermitted",
        "You can’t publicly share this image because block public access for AMIs is enabled for this account.",
        400,
        OperationNotPermitted,
    ),
    (
        "CopyImage",
        "TagPolicyViolation",
        "The resource is missing the tag key(s) 'RequiredTag'",
        400,
        OperationNotPermitted,
    ),
    (
        "CopyImage",
        "ResourceLimitExceeded",
        "Too many snapshot copies in progress. The limit is 5 for this destination region.",
        400,
        NoRoom,
    ),
    ("CopyImage", "ResourceLimitExceeded", "Limit exceeded.", 400, NoRoom),
    ("CopyImage", "ResourceLimitExceeded", "Your quota of 100 concurrent copies is reached.", 400, NoRoom),
    (
        "CopyImage",
        "ResourceLimitExceeded",
        "You have reached your quota of 50000 for the number of AMIs allowed in this Region.",
        400,
        RequestRefused,
    ),
    (
        "ModifyImageAttribute",
        "ResourceLimitExceeded",
        "You have reached your quota of 5 for the number of public images allowed in this Region.",
        400,
        RequestRefused,
    ),
    ("CopyImage", "RequestLimitExceeded", "Request limit exceeded.", 503, Throttled),
    ("DescribeImages", "Throttling", "Rate exceeded", 400, Throttled),
    ("CreateTags", "ConcurrentTagAccess", "", 400, Throttled),
    ("DeleteSnapshot", "InvalidSnapshot.NotFound", "The snapshot 'snap-1' does not exist.", 400, SnapshotNotFound),
    ("DeleteSnapshot", "InvalidSnapshot.InUse", "The snapshot snap-1 is currently in use by ami-1", 400, SnapshotInUse),
    (
        "ModifyImageAttribute",
        "InvalidAMIAttributeItemValue",
        'Invalid attribute item value "12345678901" for userId item type.',
        400,
        RequestRefused,
    ),
    ("CreateTags", "TagLimitExceeded", "The maximum number of tags is 50", 400, RequestRefused),
    ("DescribeImages", "RequestExpired", "Request has expired.", 400, CredentialsExpired),
    (
        "DescribeImages",
        "ExpiredToken",
        "The security token included in the request is expired",
        403,
        CredentialsExpired,
    ),
    ("DescribeImages", "InvalidClientTokenId", "The security token is invalid", 403, CredentialsRejected),
    ("DescribeImages", "SignatureDoesNotMatch", "The request signature does not match", 403, CredentialsRejected),
    ("CopyImage", "InternalError", "An internal error has occurred", 500, Unreachable),
    ("CopyImage", "Unavailable", "The server is overloaded", 503, Unreachable),
    ("CopyImage", "502", "Bad Gateway", 502, Unreachable),
    ("DescribeImages", "501", "Not Implemented", 501, Unreachable),
    # LocalStack
    ("GetEbsDefaultKmsKeyId", "InternalFailure", "API action not yet implemented", 501, OperationNotImplemented),
    ("CopyImage", "SomethingNew", "Never seen before.", 400, RequestRefused),
]


@pytest.mark.parametrize(("operation", "code", "message", "status", "kind"), SEEN)
def test_each_of_ec2s_codes_is_one_of_our_errors_with_ec2s_words(
    operation: str, code: str, message: str, status: int, kind: type[AmicopyError]
) -> None:
    ours = refused(operation, code, message, status)
    assert type(ours) is kind
    assert message in ours.why


@pytest.mark.parametrize(("operation", "code", "message", "status", "kind"), SEEN)
def test_every_error_says_where_or_what_in_one_line(
    operation: str, code: str, message: str, status: int, kind: type[AmicopyError]
) -> None:
    ours = refused(operation, code, message, status)
    assert REGION in ours.what or "credentials" in ours.what
    assert "\n" not in ours.what
    assert "botocore" not in f"{ours.what}{ours.next_step}".lower()


@pytest.mark.parametrize("operation", ["DescribeImageAttribute", "DescribeSnapshotAttribute", "ModifyImageAttribute"])
def test_credentials_that_aws_does_not_know_are_no_matter_of_ownership(operation: str) -> None:
    assert type(refused(operation, "AuthFailure", BAD_KEYS, 401)) is CredentialsRejected


@pytest.mark.parametrize("message", ["", None])
def test_where_ec2_says_nothing_nothing_is_quoted(message: str | None) -> None:
    # An empty <Message/> comes from botocore as None.
    response = {"Error": {"Code": "InvalidSnapshot.NotFound", "Message": message}}
    ours = our_error(ClientError(response, "DeleteSnapshot"), "DeleteSnapshot", "ec2", REGION)
    assert ours is not None
    assert ours.why == ""


def test_what_to_allow_is_taken_from_ec2s_words_where_they_name_it() -> None:
    named = refused("CopyImage", "UnauthorizedOperation", "User: x is not authorized to perform: ec2:CreateTags on y")
    assert isinstance(named, AccessDenied)
    assert (named.action, named.what) == (
        "ec2:CreateTags",
        "These credentials may not call ec2:CreateTags in eu-west-1.",
    )


def test_what_to_allow_is_the_operation_where_ec2_names_nothing() -> None:
    unnamed = refused("CopyImage", "UnauthorizedOperation", "You are not authorized to perform this operation.")
    assert isinstance(unnamed, AccessDenied)
    assert unnamed.action == "ec2:CopyImage"


def test_what_ec2_calls_it_is_kept_where_we_know_nothing_better() -> None:
    unknown = refused("CopyImage", "SomethingNew")
    assert isinstance(unknown, RequestRefused)
    assert unknown.code == "SomethingNew"


def test_an_error_without_anything_is_still_an_error_of_ours() -> None:
    assert type(our_error(ClientError({}, "CopyImage"), "CopyImage", "ec2", REGION)) is RequestRefused


ENDPOINT = "https://ec2.eu-west-1.amazonaws.com/"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (EndpointConnectionError(endpoint_url=ENDPOINT), Unreachable),
        (ConnectTimeoutError(endpoint_url=ENDPOINT), Unreachable),
        (ReadTimeoutError(endpoint_url=ENDPOINT), Unreachable),
        (ProxyConnectionError(proxy_url="http://proxy"), Unreachable),
        (SSLError(endpoint_url=ENDPOINT, error="certificate verify failed"), Unreachable),
        (ResponseParserError("Unable to parse response, invalid XML received: <html>"), Unreachable),
        (NoCredentialsError(), CredentialsMissing),
        (PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"), CredentialsMissing),
        (SSOTokenLoadError(error_msg="no token"), CredentialsMissing),
        (UnauthorizedSSOTokenError(), CredentialsMissing),
        (TokenRetrievalError(provider="sso", error_msg="expired"), CredentialsMissing),
        (NoRegionError(), CredentialsMissing),
        (ParamValidationError(report="Invalid length for parameter Name, value: 2"), RequestRefused),
    ],
)
def test_what_botocore_raises_itself_is_one_of_our_errors(error: Exception, kind: type[AmicopyError]) -> None:
    ours = our_error(error, "CopyImage", "ec2", REGION)
    assert type(ours) is kind
    assert ours.why


def test_what_is_none_of_botocores_is_a_bug() -> None:
    assert our_error(KeyError("ImageId"), "CopyImage", "ec2", REGION) is None


def ours_of(error: Exception, *, was_authenticated: bool) -> AmicopyError | None:
    """Return our error for one that botocore raises before a call."""
    return our_error(error, "DescribeImages", "ec2", "us-west-2", was_authenticated=was_authenticated)


NOT_RENEWED = [
    UnauthorizedSSOTokenError(),
    TokenRetrievalError(provider="sso", error_msg="Token has expired and refresh failed"),
    RefreshWithMFAUnsupportedError(),
    CredentialRetrievalError(provider="custom-process", error_msg="exit 1"),
]


@pytest.mark.parametrize("error", NOT_RENEWED, ids=lambda error: type(error).__name__)
def test_credentials_that_cannot_be_renewed_in_a_run_have_expired(error: Exception) -> None:
    assert isinstance(ours_of(error, was_authenticated=True), CredentialsExpired)
    assert not isinstance(ours_of(error, was_authenticated=False), CredentialsExpired)


def test_credentials_that_are_renewed_and_still_expired_have_expired() -> None:
    error = RuntimeError("Credentials were refreshed, but the refreshed credentials are still expired.")
    assert isinstance(ours_of(error, was_authenticated=True), CredentialsExpired)
    assert ours_of(RuntimeError("another"), was_authenticated=True) is None


def test_a_metadata_service_that_fails_in_a_run_is_unreachable_for_now() -> None:
    error = MetadataRetrievalError(error_msg="timed out")
    assert isinstance(ours_of(error, was_authenticated=True), Unreachable)


def test_a_code_alone_is_enough_for_advice() -> None:
    ours = refused("CopyImage", "SnapshotLimitExceeded", "No.")
    assert ours.next_step.startswith("Delete some")


@pytest.mark.parametrize("code", ["RequestExpired", "AuthFailure", "RequestTimeTooSkewed"])
def test_a_wrong_clock_is_named_where_ec2_only_doubts_the_credentials(code: str) -> None:
    assert "this machine's clock" in refused("DescribeImages", code, BAD_KEYS, 401).next_step


def test_an_endpoint_that_is_used_for_every_region_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    said = refused("DescribeImages", "AuthFailure", BAD_KEYS, 401).next_step
    assert "AWS_ENDPOINT_URL" not in said
    monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", "https://vpce-1.ec2.us-east-1.vpce.amazonaws.com")
    said = refused("DescribeImages", "AuthFailure", BAD_KEYS, 401).next_step
    assert "AWS_ENDPOINT_URL_EC2 is used for every region" in said


def test_the_password_of_an_endpoint_is_in_no_error() -> None:
    ours = our_error(EndpointConnectionError(endpoint_url="http://me:hunter2@host:1/"), "CopyImage", "ec2", REGION)
    assert ours is not None
    assert "http://***@host:1/" in ours.why
    assert "hunter2" not in f"{ours.what} {ours.why} {ours.next_step}"


@pytest.mark.parametrize(
    ("endpoint", "is_local"),
    [
        ("http://127.0.0.1:5000/", True),
        ("http://localhost:5000", True),
        ("http://[::1]:5000/", True),
        ("https://ec2.eu-west-1.amazonaws.com/", False),
        ("http://localhost.example.com/", False),
    ],
)
def test_a_server_on_this_machine_that_does_not_run_is_to_be_started(endpoint: str, *, is_local: bool) -> None:
    raised = EndpointConnectionError(endpoint_url=endpoint)
    said = our_error(raised, operation="DescribeImages", service="ec2", region="eu-west-1")
    assert said is not None
    assert ("sandbox.env" in said.next_step) is is_local
