"""Passwords in URLs, which don't belong into errors, logs and reports."""

import re

_USER_INFO = re.compile(r"(?<=://)[^/?#\s@]+@")


def without_passwords(text: str) -> str:
    """Return the text with the user name and password of every URL in it replaced by ``***``."""
    return _USER_INFO.sub("***@", text)
