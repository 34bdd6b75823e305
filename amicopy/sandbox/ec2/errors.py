"""EC2's refusals, with its own codes and words.

Refuses to decide when one is due: the operations do.
"""


class Ec2Error(Exception):
    """What EC2 answers instead of a result."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def image_not_found(*image_ids: str) -> Ec2Error:
    """Return the refusal that names every unknown id, as EC2 does."""
    if len(image_ids) == 1:
        return Ec2Error("InvalidAMIID.NotFound", f"The image id '[{image_ids[0]}]' does not exist")
    return Ec2Error("InvalidAMIID.NotFound", f"The image ids '[{', '.join(image_ids)}]' do not exist")


def image_malformed(image_id: str) -> Ec2Error:
    """Return the refusal of something that is no AMI id."""
    hint = "" if image_id.startswith("ami-") else ' (expecting "ami-...")'
    return Ec2Error("InvalidAMIID.Malformed", f'Invalid id: "{image_id}"{hint}')


def image_unavailable(image_id: str, state: str) -> Ec2Error:
    """Return the refusal to work on an image in this state."""
    return Ec2Error(
        "InvalidAMIID.Unavailable",
        f"The AMI ID '{image_id}' is currently {state} and may not be used for this operation",
    )


def image_gone(image_id: str) -> Ec2Error:
    """Return the refusal to work on a deregistered image."""
    return Ec2Error("InvalidAMIID.Unavailable", f"The image ID '{image_id}' is no longer available")


def not_authorized_for_image(image_id: str) -> Ec2Error:
    """Return what someone gets who is not the image's owner."""
    return Ec2Error("AuthFailure", f"Not authorized for image:{image_id}")


def storage_denied() -> Ec2Error:
    """Return what a reader of an image gets who may not read its snapshots."""
    return Ec2Error("InvalidRequest", "You do not have permission to access the storage of this ami")


def storage_not_ready() -> Ec2Error:
    """Return what copying a source that is itself still being made gets."""
    return Ec2Error("InvalidRequest", "The storage for the ami is not available in the source region.")


def snapshot_not_found(snapshot_id: str) -> Ec2Error:
    """Return the refusal of an unknown snapshot."""
    return Ec2Error("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist.")


def snapshot_malformed(snapshot_id: str) -> Ec2Error:
    """Return the refusal of something that is no snapshot id."""
    return Ec2Error("InvalidSnapshotID.Malformed", f'Invalid id: "{snapshot_id}" (expecting "snap-...")')


def missing(parameter: str) -> Ec2Error:
    """Return the refusal of a request without this parameter."""
    return Ec2Error("MissingParameter", f"The request must contain the parameter {parameter}")


def invalid_value(value: object, parameter: str, reason: str = "") -> Ec2Error:
    """Return the refusal of a parameter's value."""
    text = f"Value ({value}) for parameter {parameter} is invalid."
    return Ec2Error("InvalidParameterValue", f"{text} {reason}".rstrip())


def combination(message: str) -> Ec2Error:
    """Return the refusal of parameters that exclude each other."""
    return Ec2Error("InvalidParameterCombination", message)


def not_validated() -> Ec2Error:
    """Return what a region answers that the account has not enabled."""
    return Ec2Error("AuthFailure", "AWS was not able to validate the provided access credentials", status=401)


def throttled() -> Ec2Error:
    """Return what a caller gets who called too often."""
    return Ec2Error("RequestLimitExceeded", "Request limit exceeded.", status=503)


def dry_run() -> Ec2Error:
    """Return the error that says that a dry run went well."""
    return Ec2Error("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", status=412)
