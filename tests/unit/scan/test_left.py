"""What an instance leaves behind is recognized by its path, on Linux and on Windows."""

import pytest

from amicopy.scan.left import left_behind


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("/root/.ssh/authorized_keys", "left-authorized-keys"),
        ("/ProgramData/ssh/administrators_authorized_keys", "left-authorized-keys"),
        ("/etc/ssh/ssh_host_ed25519_key", "left-host-key"),
        ("/ProgramData/ssh/ssh_host_rsa_key", "left-host-key"),
        ("/Users/Administrator/.ssh/id_ed25519", "left-ssh-key"),
        ("/home/a/.bash_history", "left-history"),
        (
            "/Users/A/AppData/Roaming/Microsoft/Windows/PowerShell/PSReadLine/ConsoleHost_history.txt",
            "left-history",
        ),
        ("/home/a/.netrc", "left-credentials"),
        ("/var/lib/cloud/instances/i-1/user-data.txt", "left-user-data"),
    ],
)
def test_what_is_left_behind_is_recognized(path: str, rule: str) -> None:
    found = left_behind(path)
    assert found is not None
    assert found.rule == rule


@pytest.mark.parametrize(
    "path",
    [
        "/etc/ssh/ssh_host_rsa_key.pub",
        "/etc/ssh/sshd_config",
        "/home/a/history.txt",
        "/ProgramData/ssh/sshd_config",
        "/x",
    ],
)
def test_other_files_are_not(path: str) -> None:
    assert left_behind(path) is None
