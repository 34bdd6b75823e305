"""Files with pins and secrets to be found. The secrets are made up; they are put together so that no scanner takes
them for real ones in this repository.
"""

PINNED: dict[str, str | bytes] = {
    "etc/fstab": "# fs-0a12b34c56d78e90f was mounted by hand\n"
    "fs-0a12b34c56d78e90f.efs.us-east-1.amazonaws.com:/ /data nfs4 _netdev 0 0\n",
    "etc/environment": 'AWS_DEFAULT_REGION="us-east-1"\n',
    "opt/app/database.yml": "production:\n  host: prod.c9akciq32.us-east-1.rds.amazonaws.com\n",
}

_KEY = "AKIA" + "QWERTYUIOPASDFG2"
_SECRET = "mN3bV6cX9zL2kJ5hG8fD1sA4pO7iU0yT" + "rEwQqWeR"
_TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
_RUNNER = "glrt-" + "Qx7mVz2TkL9wRnBc4Y8s"
_HOOK = "T02KQ7ZVX/B05MWN4RBYC/" + "Jd8FgPa1EuKo4QiLx6Zt3Vw0"
_PYPI = "pypi-AgEI" + "cHlwaS5vcmcCJDdlYzE0ZmQ2LTNhOWItNGMxZC04ZTJmLTVhNmI3YzhkOWUw"
_ATLAS = "x7Kq2VzTQ9mWn4" + ".atlasv1." + "RbYc5HsPd8FgJa1EuKo4QiLx6Zt3Vw0NcRb7YjMmP2sDfGhTe9UuXo3iK6tZw5"
_SLACK = "xoxb-" + "123456789012-abcdefABCDEF123456"

# The line, and what must never be shown of it.
SECRETS: tuple[tuple[str, str], ...] = (
    (f"aws_access_key_id = {_KEY}\n", _KEY),
    (f"# aws_secret_access_key = {_SECRET}\n", _SECRET),
    (f'{{"SecretAccessKey": "{_SECRET}"}}\n', _SECRET),
    (f"git clone https://x:{_TOKEN}@github.com/a/b\n", _TOKEN),
    (f"SLACK={_SLACK}\n", _SLACK),
    (f'token = "{_RUNNER}"\n', _RUNNER),
    (f"api_url: https://hooks.slack.com/services/{_HOOK}\n", _HOOK),
    (f"password = {_PYPI}\n", _PYPI),
    (f'"token": "{_ATLAS}"\n', _ATLAS),
    ("url: postgres://app:correcthorse42@db.internal/app\n", "correcthorse42"),
    ("url: postgres://app:correcthorse42@db.us-east-1.rds.amazonaws.com/app\n", "correcthorse42"),
    ("-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEowIBAAKCAQEAx\n", "MIIEowIBAAKCAQEAx"),
)
