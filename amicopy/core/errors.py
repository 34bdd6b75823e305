"""Errors that a user can act on: what happened, why, and what to do next."""

from collections.abc import Sequence
from enum import IntEnum
from typing import ClassVar, Self

from amicopy.core.passwords import without_passwords


class ExitCode(IntEnum):
    """The exit code of the process; DRIFT and TIME_OUT are not failures of amicopy."""

    OK = 0
    FAILED = 1
    USAGE = 2
    PARTIAL = 3
    DRIFT = 4
    TIME_OUT = 5
    ACCESS = 6
    BUG = 70
    INTERRUPTED = 130
    TERMINATED = 143

    @classmethod
    def of_signal(cls, number: int) -> "ExitCode":
        """Return the code of a process that a signal has interrupted: SIGINT (2, also 0 for Ctrl-C), or another."""
        return cls.INTERRUPTED if number in {0, 2} else cls.TERMINATED


EXIT_CODES = {
    ExitCode.OK: "every destination is up to date; with `--no-wait`: what can be done now is done",
    ExitCode.FAILED: "nothing succeeded, or the plan was refused and nothing was started",
    ExitCode.USAGE: "invalid option or manifest, AWS was not called; or a question without a terminal, nothing was "
    "changed",
    ExitCode.PARTIAL: "some destinations done, some not",
    ExitCode.DRIFT: "`verify` found a difference, `scan` a finding; `--dry-run --exit-code` found work to do; "
    "`copy` or `sync` found a copy that is shared with more accounts than requested",
    ExitCode.TIME_OUT: "still copying; rerun the same command to continue",
    ExitCode.ACCESS: "credentials, permissions, or a region that is not enabled",
    ExitCode.BUG: "a bug; shows a traceback and where to report it",
    ExitCode.INTERRUPTED: "interrupted (Ctrl-C); EC2 keeps copying, unless `--on-interrupt cancel` is given",
    ExitCode.TERMINATED: "terminated (SIGTERM or SIGHUP); otherwise like 130",
}
"""What each code means, for the README's table."""


class AmicopyError(Exception):
    """An error for the user: what happened, why, and the next step; each is a sentence or empty.

    ``slug`` names the kind for programs and never changes; there is one class per thing that the user
    would do differently, not one per AWS error code.
    """

    slug: ClassVar[str] = "failed"
    exit_code: ExitCode = ExitCode.FAILED
    details: tuple[str, ...] = ()  # where one error has several parts, a line for each
    request_id: str = ""  # AWS's name for the request that it refused, for AWS Support and CloudTrail

    def __init__(self, what: str, *, why: str = "", next_step: str = "") -> None:
        self.what = without_passwords(what)
        super().__init__(self.what)
        self.why = without_passwords(why)
        self.next_step = next_step

    def with_next_step(self, next_step: str) -> Self:
        """Return the same error with another next step."""
        other = self._copy()
        other.next_step = next_step
        return other

    def with_detail(self, detail: str) -> Self:
        """Return the same error with one more detail."""
        other = self._copy()
        other.details = (*self.details, detail)
        return other

    @staticmethod
    def in_one(errors: Sequence["AmicopyError"]) -> "AmicopyError":
        """Return one error for several of the same piece of work: the first, and all of them as its details."""
        if len(errors) == 1:
            return errors[0]
        other = errors[0]._copy()
        other.why, other.details = "", tuple(f"{error.what} {error.why}".rstrip() for error in errors)
        return other

    def _copy(self) -> Self:
        other = type(self).__new__(type(self), *self.args)  # copy.copy() would call __init__ without its keywords
        other.__dict__.update(self.__dict__)
        return other


class UsageError(AmicopyError):
    """The command line or the request is wrong; AWS was not called."""

    slug = "usage"
    exit_code = ExitCode.USAGE
    parts: tuple["UsageError", ...] = ()  # if it stands for several


class _FileInvalid(UsageError):
    """A file is invalid; each problem is a detail."""

    def __init__(self, what: str, *, details: tuple[str, ...], next_step: str = "") -> None:
        super().__init__(what, why=details[0] if len(details) == 1 else "", next_step=next_step)
        self.details = details if len(details) > 1 else ()


class ManifestInvalid(_FileInvalid):
    """A manifest is invalid; each problem is a detail, with file, line and column."""

    slug = "manifest"


class PricesInvalid(_FileInvalid):
    """A price file is invalid; each problem is a detail, with file and line."""

    slug = "prices"


class PlanRefused(AmicopyError):
    """At least one destination is refused, so nothing was started anywhere.

    Its exit code is that of the refusals if they all have the same: all for lack of access, for example.
    """

    slug = "refused"

    def __init__(self, what: str, *, exit_code: ExitCode = ExitCode.FAILED, why: str = "", next_step: str = "") -> None:
        super().__init__(what, why=why, next_step=next_step)
        self.exit_code = exit_code


class ImageNotFound(AmicopyError):
    """The AMI doesn't exist in the region, or isn't visible to these credentials; ``image_ids`` lists the ids."""

    slug = "image-not-found"

    def __init__(self, what: str, *, image_ids: tuple[str, ...] = (), why: str = "", next_step: str = "") -> None:
        super().__init__(what, why=why, next_step=next_step)
        self.image_ids = image_ids


class ImageUnavailable(AmicopyError):
    """The AMI cannot be used at the moment: it is pending, flapping or deregistered."""

    slug = "image-unavailable"

    @property
    def says_deregistered(self) -> bool:
        """EC2 says that the AMI is gone for good; for a pending or new AMI, it says something else."""
        return "no longer available" in self.why


class ImageRetired(AmicopyError):
    """The source or a copy was taken back with `retire`: it is not copied, completed or shared until it is restored."""

    slug = "retired"


class NoRecord(AmicopyError):
    """`retire` cannot record its changes in the image's tags, or somebody has changed the record."""

    slug = "no-record"


class ParameterNotFound(AmicopyError):
    """The given Systems Manager parameter doesn't exist in any of the regions."""

    slug = "parameter-not-found"


class NoReplacement(AmicopyError):
    """A parameter has the id of an image to retire, and never had the id of another image that is still good."""

    slug = "no-replacement"


class BootRefused(AmicopyError):
    """A copy cannot be launched for a boot test: no instance type or no subnet. This is checked before any launch."""

    slug = "boot-refused"


class BootFailed(AmicopyError):
    """A copy was launched and did not pass its boot test."""

    slug = "boot-failed"


class SnapshotInUse(AmicopyError):
    """An AMI still uses the snapshot, so EC2 keeps it."""

    slug = "snapshot-in-use"


class SnapshotNotFound(AmicopyError):
    """The snapshot is gone, or not visible to these credentials."""

    slug = "snapshot-not-found"


class SnapshotUnreadable(AmicopyError):
    """EBS doesn't allow reading the snapshot's data: it is public, pending, archived or from AWS Marketplace."""

    slug = "snapshot-unreadable"


class BlockDamaged(AmicopyError):
    """A block of a snapshot doesn't match the checksum that EBS sent with it, even after retries."""

    slug = "block-damaged"


class BlockTokenExpired(AmicopyError):
    """EBS refuses its own token for a block of a snapshot, even a new one."""

    slug = "block-token-expired"


class KeyNotFound(AmicopyError):
    """The KMS key doesn't exist in the region."""

    slug = "key-not-found"


class KeyUnusable(AmicopyError):
    """The KMS key exists, but EC2 cannot encrypt a copy with it, or decrypt with it what another account copies."""

    slug = "key-unusable"


class NotShareable(AmicopyError):
    """The copy cannot be shared as requested: its encryption, a setting or a quota of the account prevents it."""

    slug = "not-shareable"


class TooFast(AmicopyError):
    """A time-based copy needs more throughput than EC2 gives."""

    slug = "too-fast"


class StorageNotShared(AmicopyError):
    """The AMI is shared with this account, but its snapshots are not, so EC2 refuses to copy it."""

    slug = "storage-not-shared"


class NotCopyable(AmicopyError):
    """The AMI cannot be copied into another account, or the copy that it would be made from is refused."""

    slug = "not-copyable"


class NotWindows(AmicopyError):
    """EC2 Fast Launch is requested for an image that does not run Windows."""

    slug = "not-windows"


class CopyFinished(AmicopyError):
    """A copy became available before it could be cancelled, and stays."""

    slug = "copy-finished"


class NoRoomForRecords(AmicopyError):
    """An AMI has too many tags to record a temporary permission on it, or its check."""

    slug = "no-room-for-records"


class GrantLeftOpen(AmicopyError):
    """A temporary permission could not be removed."""

    slug = "grant-left-open"


class ScanRequired(AmicopyError):
    """The source doesn't meet ``--require-scan``: it has worse findings, or has no recent enough scan."""

    slug = "scan"


class PinnedToRegion(AmicopyError):
    """``--scan=refuse``: files in the source refer to its region, and would not work in another one."""

    slug = "pinned-to-region"


class ScanIncomplete(AmicopyError):
    """``--scan``: some of the source could not be read, and it is to be refused for that, or would go to others."""

    slug = "scan-incomplete"


class SecretsFound(AmicopyError):
    """``--scan``: the source holds secrets, and its copy would go to others. ``--allow-secrets`` shares it anyway."""

    slug = "secrets-found"


class CopyFailed(AmicopyError):
    """A copy failed in EC2; the error has EC2's reason."""

    slug = "copy-failed"


class CheckFailed(AmicopyError):
    """A copy failed its ``--check``. It is kept, but not shared. The details are the check's output."""

    slug = "check-failed"

    def __init__(self, what: str, *, output: tuple[str, ...] = (), why: str = "", next_step: str = "") -> None:
        super().__init__(what, why=why, next_step=next_step)
        self.details = output


class NotChecked(AmicopyError):
    """A copy was made with a check and has not passed it. A run without a check doesn't use or share it."""

    slug = "not-checked"


class CopyVanished(AmicopyError):
    """A pending copy no longer exists: someone deregistered it."""

    slug = "copy-vanished"


class NotFaithful(AmicopyError):
    """A copy still differs from its source after everything was written."""

    slug = "not-faithful"


class OperationNotPermitted(AmicopyError):
    """An account setting doesn't allow it: deregistration protection, block public access, a tag policy."""

    slug = "not-permitted"


class TokenMismatch(AmicopyError):
    """EC2 has seen this client token with other parameters: an earlier run started this copy."""

    slug = "client-token-mismatch"


class RequestRefused(AmicopyError):
    """EC2 refuses the request for another reason; ``code`` is EC2's error code."""

    slug = "request-refused"

    def __init__(self, what: str, *, code: str, why: str = "", next_step: str = "") -> None:
        super().__init__(what, why=why, next_step=next_step)
        self.code = code


class OperationNotImplemented(RequestRefused):
    """A simulated AWS, such as moto, doesn't support the operation or a filter, or fails."""

    slug = "not-implemented"

    def __init__(self, what: str, *, why: str = "", next_step: str = "") -> None:
        super().__init__(what, code="NotImplemented", why=why, next_step=next_step)


class NoRoom(AmicopyError):
    """EC2's limit for copies in progress is reached. Retry when some of them have ended."""

    slug = "too-many-copies-in-progress"


class Throttled(AmicopyError):
    """The account's API rate is used up, even after botocore's own retries. Retry later."""

    slug = "throttled"


class Unreachable(AmicopyError):
    """No valid answer came back: a network error, a timeout, or a 5xx. The call may have taken effect."""

    slug = "unreachable"


class AccessDenied(AmicopyError):
    """IAM doesn't allow an action; ``action`` is the one to allow."""

    slug = "access-denied"
    exit_code = ExitCode.ACCESS

    def __init__(self, what: str, *, action: str, why: str = "", next_step: str = "") -> None:
        super().__init__(what, why=why, next_step=next_step)
        self.action = action

    @property
    def is_explicit(self) -> bool:
        """AWS says that a policy denies the action, rather than that none allows it."""
        return "explicit deny" in self.why

    @property
    def by_organization(self) -> bool:
        """A service control policy denies the action explicitly, which the account itself cannot change."""
        return "explicit deny in a service control policy" in self.why


class NotOwner(AmicopyError):
    """Only the owner of the AMI or snapshot may do this, and the owner is another account."""

    slug = "not-owner"
    exit_code = ExitCode.ACCESS


class CredentialsMissing(AmicopyError):
    """There are no credentials, or their configuration is invalid."""

    slug = "no-credentials"
    exit_code = ExitCode.ACCESS


class CredentialsRejected(AmicopyError):
    """AWS rejects the credentials. It gives the same error in a region that is not enabled."""

    slug = "credentials-rejected"
    exit_code = ExitCode.ACCESS


class RoleNotAssumed(AmicopyError):
    """The role in another account cannot be assumed, doesn't exist, or requires another external id."""

    slug = "role-not-assumed"
    exit_code = ExitCode.ACCESS


class UnitNotFound(AmicopyError):
    """The organizational unit doesn't exist in the account's organization, or has no active account."""

    slug = "unit-not-found"
    exit_code = ExitCode.ACCESS


class CredentialsExpired(AmicopyError):
    """The credentials have expired."""

    slug = "credentials-expired"
    exit_code = ExitCode.ACCESS


class RegionNotEnabled(AmicopyError):
    """The region exists, but the account has not enabled it."""

    slug = "region-not-enabled"
    exit_code = ExitCode.ACCESS


class TimedOut(AmicopyError):
    """The run timed out before anything could be started."""

    slug = "time-out"
    exit_code = ExitCode.TIME_OUT


class SandboxUnavailable(AmicopyError):
    """The sandbox cannot start: moto is not installed, or its port is taken."""

    slug = "sandbox-unavailable"


class OutputFailed(AmicopyError):
    """A result could not be written to its file."""

    slug = "output"


class Bug(AmicopyError):
    """amicopy has a bug."""

    slug = "bug"
    exit_code = ExitCode.BUG


class Interrupted(AmicopyError):
    """A signal ended the run."""

    slug = "interrupted"
    exit_code = ExitCode.INTERRUPTED
