"""What an instance leaves behind in its image, recognized by its path: keys, histories, credentials."""

import re

from amicopy.scan.result import Finding, Severity

# What the path looks like, the rule, how much it matters when the image is shared, what it is, what to do.
_PATHS: tuple[tuple[str, str, Severity, str], ...] = (
    (
        r".*/\.ssh/authorized_keys2?|(?i:/programdata/ssh/administrators_authorized_keys)",
        "left-authorized-keys",
        Severity.HIGH,
        "keys that may log in to every instance",
    ),
    (
        r"/etc/ssh/ssh_host_\w+_key|(?i:/programdata/ssh/ssh_host_\w+_key)",
        *("left-host-key", Severity.MEDIUM, "an SSH host key, the same on every instance"),
    ),
    (r".*/\.ssh/id_(?:rsa|dsa|ecdsa|ed25519)\w*", "left-ssh-key", Severity.HIGH, "a person's private SSH key"),
    (
        r".*/\.(?:bash|zsh|python|mysql|psql|sqlite|rediscli|node_repl)_history|.*/\.(?:histfile|lesshst|viminfo)"
        r"|(?i:.*/psreadline/consolehost_history\.txt)",
        *("left-history", Severity.MEDIUM, "what somebody has typed"),
    ),
    (
        r".*/(?:\.netrc|\.pgpass|\.my\.cnf|\.git-credentials|\.docker/config\.json|\.npmrc|\.pypirc|\.vault-token)",
        *("left-credentials", Severity.HIGH, "a file for credentials"),
    ),
    (r"(?:/var)?/lib/cloud/.*/user-data\.txt.*", "left-user-data", Severity.MEDIUM, "user data of the first instance"),
)
_PATTERNS = tuple((re.compile(path), rule, severity, message) for path, rule, severity, message in _PATHS)
_ADVICE = "remove it before you make the image: cloud-init makes what an instance needs"


def left_behind(path: str) -> Finding | None:
    """Return a finding if a file with this path should not be in an image that others get; its volume is empty."""
    for pattern, rule, severity, message in _PATTERNS:
        if pattern.fullmatch(path) and not path.endswith(".pub"):
            return Finding(
                volume="",
                path=path,
                line=0,
                rule=rule,
                severity=severity,
                message=message,
                excerpt="",
                advice=_ADVICE,
            )
    return None
