"""Errors that a user can do something about: what happened, why, what to do next."""

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
    ExitCode.USAGE: "bad option or manifest, AWS was not called; or a question and no terminal, nothing was changed",
    ExitCode.PARTIAL: "some destinations done, some not",
    ExitCode.DRIFT: "`verify` found a difference, `scan` a finding; `--dry-run --exit-code` found work to do; "
    "`copy` or `sync` found a copy that is shared with more accounts than requested",
    ExitCode.TIME_OUT: "still copying; rerun the same command to continue",
    ExitCode.ACCESS: "credentials, permissions, or a region that is not enabled",
    ExitCode.BUG: "a bug, with a traceback and where to report it",
    ExitCode.INTERRUPTED: "interrupted (Ctrl-C); EC2 keeps copying, unless `--on-interrupt cancel` is given",
    ExitCode.TERMINATED: "terminated (SIGTERM or SIGHUP); the same",
}
"""What each code means, for the README's table."""


class AmicopyError(Exception):
    """Something that a person has to know: what, why, and the next step, each a sentence or empty.

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


class _FileInvalid(UsageError):
    """A file says what cannot be; each of its faults is a detail."""

    def __init__(self, what: str, *, details: tuple[str, ...], next_step: str = "") -> None:
        super().__init__(what, why=details[0] if len(details) == 1 else "", next_step=next_step)
        self.details = details if len(details) > 1 else ()


class ManifestInvalid(_FileInvalid):
    """A manifest says what cannot be; each of its faults is a detail, with file, line and column."""

    slug = "manifest"


class PricesInvalid(_FileInvalid):
    """A file of prices says what cannot be; each of its faults is a detail, with file and line."""

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
    """The AMI is not in its region, or not visible to these credentials; ``image_ids`` are those looked for."""

    slug = "image-not-found"

    def __init__(self, what: str, *, image_ids: tuple[str, ...] = (), why: str = "", next_step: str = "") -> None:
        super().__init__(what, why=why, next_step=next_step)
        self.image_ids = image_ids


class ImageUnavailable(AmicopyError):
    """EC2 does not let the AMI be used at the moment: it is pending, flapping or deregistered."""

    slug = "image-unavailable"

    @property
    def says_deregistered(self) -> bool:
        """EC2 says that the AMI is gone for good; of one that is pending or new it says something else."""
        return "no longer available" in self.why


class ImageRetired(AmicopyError):
    """The source or a copy was taken back with `retire`: it is not copied, completed or shared until restored."""

    slug = "retired"


class NoRecord(AmicopyError):
    """What `retire` takes from an image cannot be recorded in its tags, or somebody has changed the record."""

    slug = "no-record"


class ParameterNotFound(AmicopyError):
    """None of the regions has the Systems Manager parameter that was named."""

    slug = "parameter-not-found"


class NoReplacement(AmicopyError):
    """A parameter has the id of an image that is to be retired, and never had that of one that is still good."""

    slug = "no-replacement"


class BootRefused(AmicopyError):
    """A copy cannot be launched for a boot test: no instance type, no subnet; known before anything is launched."""

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
    """EBS does not let the data of the snapshot be read: it is public, pending, archived or of AWS Marketplace."""

    slug = "snapshot-unreadable"


class BlockDamaged(AmicopyError):
    """A block of a snapshot does not have the checksum that EBS sent with it, however often it is asked for."""

    slug = "block-damaged"


class BlockTokenExpired(AmicopyError):
    """EBS refuses the token that it gave for a block of a snapshot, even a new one."""

    slug = "block-token-expired"


class KeyNotFound(AmicopyError):
    """There is no such KMS key in the region."""

    slug = "key-not-found"


class KeyUnusable(AmicopyError):
    """The KMS key is there, and EC2 cannot encrypt a copy with it, or read what it encrypts for another account."""

    slug = "key-unusable"


class NotShareable(AmicopyError):
    """The copy cannot be shared as requested: its encryption, a setting or a quota of the account prevents it."""

    slug = "not-shareable"


class TooFast(AmicopyError):
    """A time-based copy asks for more throughput than EC2 gives."""

    slug = "too-fast"


class StorageNotShared(AmicopyError):
    """The AMI is shared with this account, its snapshots are not: EC2 refuses to copy it."""

    slug = "storage-not-shared"


class NotCopyable(AmicopyError):
    """The AMI cannot be copied into another account, or what it would be copied from is refused."""

    slug = "not-copyable"


class NotWindows(AmicopyError):
    """EC2 Fast Launch is requested for an image that does not run Windows."""

    slug = "not-windows"


class CopyFinished(AmicopyError):
    """A copy became available before it could be cancelled, and stays."""

    slug = "copy-finished"


class NoRoomForRecords(AmicopyError):
    """An AMI has so many tags that a temporary permission on it, or a check of it, could not be recorded."""

    slug = "no-room-for-records"


class GrantLeftOpen(AmicopyError):
    """A temporary permission could not be taken away again."""

    slug = "grant-left-open"


class ScanRequired(AmicopyError):
    """The source does not meet ``--require-scan``: it has worse findings, or was not scanned in time."""

    slug = "scan"


class PinnedToRegion(AmicopyError):
    """``--scan=refuse``: files in the source name its region, and would not work in another one."""

    slug = "pinned-to-region"


class ScanIncomplete(AmicopyError):
    """``--scan=refuse``: some of the source could not be read, so it may point to its region."""

    slug = "scan-incomplete"


class SecretsFound(AmicopyError):
    """``--scan``: the source holds secrets, and others would get its copy. ``--allow-secrets`` shares it anyway."""

    slug = "secrets-found"


class CopyFailed(AmicopyError):
    """EC2 gave up on a copy, for a reason that it states."""

    slug = "copy-failed"


class CheckFailed(AmicopyError):
    """A copy did not pass the check of ``--check``: it is kept, and not shared. The details are the check's output."""

    slug = "check-failed"

    def __init__(self, what: str, *, output: tuple[str, ...] = (), why: str = "", next_step: str = "") -> None:
        super().__init__(what, why=why, next_step=next_step)
        self.details = output


class NotChecked(AmicopyError):
    """A copy was made to be checked and has not passed: it is neither used nor shared by a run without a check."""

    slug = "not-checked"


class CopyVanished(AmicopyError):
    """A pending copy no longer exists: someone deregistered it."""

    slug = "copy-vanished"


class NotFaithful(AmicopyError):
    """A copy still differs from its source after everything was written."""

    slug = "not-faithful"


class OperationNotPermitted(AmicopyError):
    """An account setting forbids it: deregistration protection, block public access, a tag policy."""

    slug = "not-permitted"


class TokenMismatch(AmicopyError):
    """EC2 has seen this client token with other parameters: an earlier run started this copy."""

    slug = "client-token-mismatch"


class RequestRefused(AmicopyError):
    """EC2 refuses the request for a reason of its own; ``code`` is EC2's name for it."""

    slug = "request-refused"

    def __init__(self, what: str, *, code: str, why: str = "", next_step: str = "") -> None:
        super().__init__(what, why=why, next_step=next_step)
        self.code = code


class OperationNotImplemented(RequestRefused):
    """What answers in AWS's place, such as moto, does not have the operation, a filter, or fails at it."""

    slug = "not-implemented"

    def __init__(self, what: str, *, why: str = "", next_step: str = "") -> None:
        super().__init__(what, code="NotImplemented", why=why, next_step=next_step)


class NoRoom(AmicopyError):
    """As many copies are in progress as EC2 allows; worth repeating once some have ended."""

    slug = "too-many-copies-in-progress"


class Throttled(AmicopyError):
    """The account's API rate is used up, after botocore's own retries; worth repeating later."""

    slug = "throttled"


class Unreachable(AmicopyError):
    """No proper answer came back: a network fault, a time-out, a 5xx; the call may have taken effect."""

    slug = "unreachable"


class AccessDenied(AmicopyError):
    """IAM forbids one action; ``action`` is the one to allow."""

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
    """Only the AMI's or snapshot's owner may do this, and that is another account."""

    slug = "not-owner"
    exit_code = ExitCode.ACCESS


class CredentialsMissing(AmicopyError):
    """There are no credentials, or their configuration is broken."""

    slug = "no-credentials"
    exit_code = ExitCode.ACCESS


class CredentialsRejected(AmicopyError):
    """AWS does not accept the credentials; in a region that is not enabled it says the same."""

    slug = "credentials-rejected"
    exit_code = ExitCode.ACCESS


class RoleNotAssumed(AmicopyError):
    """The role in another account may not be assumed, does not exist, or requires another external id."""

    slug = "role-not-assumed"
    exit_code = ExitCode.ACCESS


class UnitNotFound(AmicopyError):
    """There is no such organizational unit in the account's organization, or it has no active account."""

    slug = "unit-not-found"
    exit_code = ExitCode.ACCESS


class CredentialsExpired(AmicopyError):
    """The credentials were good and have expired."""

    slug = "credentials-expired"
    exit_code = ExitCode.ACCESS


class RegionNotEnabled(AmicopyError):
    """The region exists and the account has not enabled it."""

    slug = "region-not-enabled"
    exit_code = ExitCode.ACCESS


class TimedOut(AmicopyError):
    """Timed out before anything could be started."""

    slug = "time-out"
    exit_code = ExitCode.TIME_OUT


class SandboxUnavailable(AmicopyError):
    """The sandbox cannot start: moto is not installed, or its port is taken."""

    slug = "sandbox-unavailable"


class OutputFailed(AmicopyError):
    """A result could not be written to its file."""

    slug = "output"


class Bug(AmicopyError):
    """amicopy itself went wrong."""

    slug = "bug"
    exit_code = ExitCode.BUG


class Interrupted(AmicopyError):
    """A signal asked the run to end."""

    slug = "interrupted"
    exit_code = ExitCode.INTERRUPTED
