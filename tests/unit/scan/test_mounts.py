"""What /etc/fstab mounts from a host of the network keeps an instance from booting where it cannot be reached."""

import pytest

from amicopy.scan.lines import Matcher
from amicopy.scan.mounts import with_boot_findings
from amicopy.scan.result import ScanOptions
from amicopy.scan.rules import rules_for


def found(line: str, path: str = "/etc/fstab", *, of_region: bool = True) -> list[tuple[str, str, str]]:
    """Return rule, severity and excerpt of each finding."""
    content = f"# a table\n{line}\n".encode()
    matches = Matcher(rules_for(ScanOptions(region="us-east-1"))).matches(content, path)
    some = list(with_boot_findings(matches, path, content, of_region=of_region))
    assert {one.line for one in some} <= {2}
    return [(one.rule.name, one.rule.severity.name, one.excerpt) for one in some]


@pytest.mark.parametrize(
    "line",
    [
        "10.0.3.15:/export /data nfs defaults 0 0",
        "nfs.prod.internal:/x /data nfs4 rw,hard 0 0",
        "//fsx.corp.internal/share /data cifs credentials=/etc/cred 0 0",
    ],
)
def test_a_host_without_nofail_is_found(line: str) -> None:
    assert found(line) == [("boot-fstab", "MEDIUM", " ".join(line.split()[:3]))]
    assert found(line, "/etc/fstab.old") == []
    assert found(line, of_region=False) == []
    assert found(f"# {line}") == []


@pytest.mark.parametrize(
    "line",
    [
        "10.0.3.15:/export /data nfs defaults,nofail 0 0",
        "10.0.3.15:/export /data nfs noauto 0 0",
        "localhost:/export /data nfs defaults 0 0",
        "UUID=1c9b7a3e-5d2f-4e86-b0a4-8f6d2c1e3b57 / ext4 defaults 0 1",
        "broken line",
    ],
)
def test_what_does_not_keep_it_from_booting_is_not_found(line: str) -> None:
    assert found(line) == []


def test_what_names_the_region_is_found_once_and_no_password_is_shown() -> None:
    efs = "fs-0a12b34c56d78e90f.efs.us-east-1.amazonaws.com:/ /data nfs4 _netdev 0 0"
    assert [one[:2] for one in found(efs)] == [("boot-fstab", "CRITICAL")]
    [(_, _, shown)] = found("//ops:hunter2@fsx.corp/share /data cifs password=hunter3 0 0")
    assert "hunter" not in shown
