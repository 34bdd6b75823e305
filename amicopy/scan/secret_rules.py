"""Rules for secrets: a handful that matter when an image is shared, and hardly ever mistake anything for one."""

import re
from collections.abc import Sequence

from amicopy.scan.result import Severity
from amicopy.scan.rule import Rule

_ROTATE = "remove it from the image and revoke it; give instances a role instead"
_CHANGE = "remove it from the image and change it; fetch it at start from Secrets Manager"

# In these files a value of this form is a password, whatever it looks like: path, what a line looks like, literals.
_CREDENTIALS = (
    (r"/\.pgpass$|/pgpass\.conf$", r"^[^#:\s][^:]*(?::[^:]*){3}:([^\s:][^:]{2,127})$", (":",)),
    (
        r"/\.?my\.cnf$|/\.mylogin\.cnf$|/\.pypirc$|/etc/[^/]*(?:cifs|smb)[^/]*cred[^/]*$|/\.smbcredentials$",
        *(r"^\s*(?:password|passwd)\s*=\s*[\"']?([^\s\"'#]{3,128})", ("password", "passwd")),
    ),
    (r"/\.netrc$|/_netrc$", r"(?:^|\s)password\s+(\S{3,128})", ("password",)),
    (r"/\.docker/config\.json$|/\.dockercfg$", r"\"auth\"\s*:\s*\"([A-Za-z0-9+/=]{8,})\"", ('"auth"',)),
    (r"/\.m2/settings\.xml$", r"<(?:password|passphrase)>([^<{}$]{3,128})</", ("<pass",)),
    (r"/wp-config\.php$", r"[\"']DB_PASSWORD[\"']\s*,\s*[\"']([^\"']{3,128})[\"']", ("DB_PASSWORD",)),
    (r"/etc/wireguard/[^/]+\.conf$", r"^\s*(?:PrivateKey|PresharedKey)\s*=\s*([A-Za-z0-9+/]{43}=)", ("Key",)),
    (r"(?i:unattend\.xml)$", r"(?i:<value>)([^<*]{3,256})(?i:</value>)", ("alue>", "ALUE>")),
)


def secret_rules() -> Sequence[Rule]:
    """Return the rules for what nobody should get with an image."""
    return (
        Rule(
            "secret-aws-key",
            "secrets",
            Severity.CRITICAL,
            "an AWS access key",
            _ROTATE,
            re.compile(r"(?<![A-Za-z0-9/+])((?:AKIA|ASIA)[A-Z2-7]{16})(?![A-Za-z0-9/+])"),
            ("AKIA", "ASIA"),
            secret=1,
            in_lists=True,
            in_comments=True,
        ),
        Rule(
            "secret-aws-secret",
            "secrets",
            Severity.CRITICAL,
            "an AWS secret access key",
            _ROTATE,
            re.compile(
                r"(?i:aws[_.-]?(?:secret|session)[\w.-]{0,20}|secret[_.-]?access[_.-]?key|secretkey)[\"']?\s{0,5}[:=>,]{0,2}\s{0,5}[\"']?"
                r"(?<![A-Za-z0-9/+])([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])"
            ),
            ("secret", "SECRET", "Secret"),
            secret=1,
            in_lists=True,
            in_comments=True,
        ),
        Rule(
            "secret-private-key",
            "secrets",
            Severity.CRITICAL,
            "a private key",
            "remove it from the image and make a new one; fetch it at start from Secrets Manager",
            re.compile(r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"),
            ("PRIVATE KEY",),
            in_lists=True,
            in_comments=True,
        ),
        Rule(
            "secret-token",
            "secrets",
            Severity.CRITICAL,
            "an access token",
            "remove it from the image and revoke it; fetch it at start from Secrets Manager",
            re.compile(
                r"(?<![A-Za-z0-9_])((?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,}|glpat-[\w-]{20,}"
                r"|xox[abeprs]-[A-Za-z0-9-]{20,}|[sr]k_live_[A-Za-z0-9]{20,}|npm_[A-Za-z0-9]{36}|SG\.[\w-]{22}\.[\w-]{43}"
                r"|hvs\.[\w-]{24,}|dckr_pat_[\w-]{20,}|glrt-[\w-]{20,}|pypi-AgEI[\w-]{50,}|[A-Za-z0-9]{14}\.atlasv1\.[\w-]{60,}"
                r"|sk-(?:ant-api\d\d|proj)-[\w-]{40,}|glsa_[A-Za-z0-9]{32}_[0-9a-f]{8}|dop_v1_[0-9a-f]{64}"
                r"|(?<=hooks\.slack\.com/services/)T[A-Z0-9]{8,}/B[A-Z0-9]{8,}/[A-Za-z0-9]{20,}))(?![A-Za-z0-9])"
            ),
            (
                "ghp_",
                "gho_",
                "ghu_",
                "ghs_",
                "ghr_",
                "github_pat_",
                "glpat-",
                "xox",
                "k_live_",
                "npm_",
                "SG.",
                "hvs.",
                "dckr_pat_",
                "glrt-",
                "pypi-AgEI",
                ".atlasv1.",
                "sk-ant-api",
                "sk-proj-",
                "glsa_",
                "dop_v1_",
                "hooks.slack.com",
            ),
            secret=1,
            in_lists=True,
            in_comments=True,
        ),
        Rule(
            "secret-password",
            "secrets",
            Severity.HIGH,
            "a password in a URL",
            _CHANGE,
            re.compile(
                r"(?<![A-Za-z0-9])[a-z][a-z0-9+]{1,15}://[^\s:/@\"'<>{}$]{0,64}:([^\s/@\"'<>{}$*]{3,128})@(?=[A-Za-z0-9\[])"
            ),
            ("://",),
            secret=1,
            in_lists=True,
            accepts=_is_a_password,
        ),
        *_passwords(),
    )


def _passwords() -> Sequence[Rule]:
    return [
        Rule(
            "secret-password",
            "secrets",
            Severity.HIGH,
            "a password in a file for credentials",
            _CHANGE,
            re.compile(pattern),
            literals,
            secret=1,
            in_lists=True,
            accepts=_is_a_password,
            paths=re.compile(path),
        )
        for path, pattern, literals in _CREDENTIALS
    ]


def _is_a_password(match: re.Match[str]) -> bool:
    word = match[1].lower()
    examples = (
        "password",
        "passwd",
        "pass",
        "pwd",
        "secret",
        "changeme",
        "example",
        "xxx",
        "user",
        "port",
        "foo",
        "bar",
    )
    return not word.isdigit() and word not in examples and not set(word) <= {"x", "*", "."} and "%(" not in word
