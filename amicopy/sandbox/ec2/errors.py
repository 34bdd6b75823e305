"""The errors of EC2 and of the EBS direct APIs, with their own codes and messages."""


class Ec2Error(Exception):
    """An error response from EC2: its code, message and HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


class EbsError(Ec2Error):
    """An error of the EBS direct APIs, which has a reason beside code and message."""

    def __init__(self, code: str, reason: str, message: str, status: int = 400) -> None:
        super().__init__(code, message, status)
        self.reason = reason


def token_refused(operation: str) -> EbsError:
    """Return the error for the token of a block or of a page that has expired, or was never issued."""
    what = "block" if operation == "GetSnapshotBlock" else "page"
    message = f"The {what} token is not valid or has expired."
    return EbsError("ValidationException", f"INVALID_{what.upper()}_TOKEN", message)


def image_not_found(*image_ids: str) -> Ec2Error:
    """Return the error for unknown image ids. Like EC2's, it names all of them."""
    if len(image_ids) == 1:
        return Ec2Error("InvalidAMIID.NotFound", f"The image id '[{image_ids[0]}]' does not exist")
    return Ec2Error("InvalidAMIID.NotFound", f"The image ids '[{', '.join(image_ids)}]' do not exist")


def image_malformed(image_id: str) -> Ec2Error:
    """Return the error for text that is not a valid AMI id."""
    hint = "" if image_id.startswith("ami-") else ' (expecting "ami-...")'
    return Ec2Error("InvalidAMIID.Malformed", f'Invalid id: "{image_id}"{hint}')


def image_unavailable(image_id: str, state: str) -> Ec2Error:
    """Return the error for an image in a state that the operation doesn't accept."""
    return Ec2Error(
        "InvalidAMIID.Unavailable",
        f"The AMI ID '{image_id}' is currently {state} and may not be used for this operation",
    )


def image_deregistered(image_id: str) -> Ec2Error:
    """Return the error for the id of a deregistered image."""
    return Ec2Error("InvalidAMIID.Unavailable", f"The image ID '{image_id}' is no longer available")


def not_authorized_for_image(image_id: str) -> Ec2Error:
    """Return the error for a caller who doesn't own the image."""
    return Ec2Error("AuthFailure", f"Not authorized for image:{image_id}")


def storage_denied() -> Ec2Error:
    """Return the error for a caller who can see an image but can't read its snapshots."""
    return Ec2Error("InvalidRequest", "You do not have permission to access the storage of this ami")


def storage_not_ready() -> Ec2Error:
    """Return the error for copying a source that is still pending."""
    return Ec2Error("InvalidRequest", "The storage for the ami is not available in the source region.")


def snapshot_not_found(snapshot_id: str) -> Ec2Error:
    """Return the error for an unknown snapshot id."""
    return Ec2Error("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist.")


def snapshot_malformed(snapshot_id: str) -> Ec2Error:
    """Return the error for text that is not a valid snapshot id."""
    return Ec2Error("InvalidSnapshotID.Malformed", f'Invalid id: "{snapshot_id}" (expecting "snap-...")')


def volume_not_found(volume_id: str) -> Ec2Error:
    """Return the error for an unknown volume id."""
    return Ec2Error("InvalidVolume.NotFound", f"The volume '{volume_id}' does not exist.")


def missing_parameter(parameter: str) -> Ec2Error:
    """Return the error for a request without this parameter."""
    return Ec2Error("MissingParameter", f"The request must contain the parameter {parameter}")


def invalid_value(value: object, parameter: str, reason: str = "") -> Ec2Error:
    """Return the error for a value that the parameter doesn't accept."""
    text = f"Value ({value}) for parameter {parameter} is invalid."
    return Ec2Error("InvalidParameterValue", f"{text} {reason}".rstrip())


def invalid_combination(message: str) -> Ec2Error:
    """Return the error for parameters that can't be used together."""
    return Ec2Error("InvalidParameterCombination", message)


def not_validated() -> Ec2Error:
    """Return the error of a region that doesn't accept the credentials, because the account hasn't enabled it."""
    return Ec2Error("AuthFailure", "AWS was not able to validate the provided access credentials", status=401)


def throttled() -> Ec2Error:
    """Return the error for a call above the rate limit."""
    return Ec2Error("RequestLimitExceeded", "Request limit exceeded.", status=503)


def dry_run() -> Ec2Error:
    """Return the error that reports a successful dry run."""
    return Ec2Error("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", status=412)
