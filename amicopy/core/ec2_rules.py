"""EC2's rules for ids, names, descriptions and tags, as far as they can be checked without AWS."""

import re
from collections.abc import Mapping

MAX_TAGS = 50
MAX_TAG_VALUE = 256
"""Tags per resource, ``aws:`` ones not counted (EC2 User Guide, "Tag restrictions")."""

MAX_PRINCIPALS = 1000
"""Accounts, organizations and units that one AMI can be shared with (EC2 User Guide, "AMI quotas")."""

MOST_IN_PROGRESS = 300
"""Copies in progress in one destination region (EC2 User Guide, "How AMI copy works")."""

NAME_LENGTHS = range(3, 129)
MAX_DESCRIPTION = 255

_ID = r"ami-(?:[0-9a-f]{8}|[0-9a-f]{17})"
_IMAGE_ID = re.compile(_ID)
_IMAGE_IN_REGION = re.compile(rf"(?:arn:[\w-]+:ec2:([\w-]+):\d*:image|([\w-]+))/({_ID})")
# CreateImage documents this alphabet, which is wider than the one in EC2's table of error codes.
_NAME = re.compile(r"[A-Za-z0-9()\[\] ./\-'@_]+")


def check_image_id(text: str) -> None:
    """Raise ValueError unless ``text`` is an AMI id: ``ami-`` and 8 or 17 hexadecimal digits."""
    if _IMAGE_ID.fullmatch(text):
        return
    expected = "expected ami- followed by 8 or 17 hex digits, such as ami-0abcdef1234567890"
    if "," in text:
        expected = "give each AMI id by itself, without commas"
    elif match := _IMAGE_IN_REGION.fullmatch(text):
        in_arn, before_slash, image_id = match.groups()
        expected = f"give the id alone, {image_id}, and {in_arn or before_slash} as the source region"
    raise ValueError(f"{text!r} is not a valid AMI id ({expected})")


def name_problem(name: str) -> str:
    """Return why EC2 would refuse ``name`` as an AMI name; empty if it would not."""
    if len(name) not in NAME_LENGTHS:
        return f"an AMI name must have 3 to 128 characters; {name!r} has {len(name)}"
    if not _NAME.fullmatch(name):
        odd = sorted(set(_NAME.sub("", name)))
        allowed = "letters, digits, spaces and ( ) [ ] . / - ' @ _"
        return f"an AMI name cannot contain {', '.join(map(repr, odd))} (allowed: {allowed})"
    return ""


def as_description(text: str) -> str:
    """Return the text as EC2 takes it for a description: 255 characters, with ``?`` for all but printable ASCII."""
    return "".join(char if _is_printable_ascii(char) else "?" for char in text.strip()[:MAX_DESCRIPTION])


def _is_printable_ascii(char: str) -> bool:
    return char.isascii() and char.isprintable()


def description_problem(description: str) -> str:
    """Return why EC2 would refuse ``description``; empty if it would not."""
    if len(description) > MAX_DESCRIPTION:
        return f"a description can have up to 255 characters; this one has {len(description)}"
    if wrong := next((char for char in description if not _is_printable_ascii(char)), ""):
        return f"a description can contain printable ASCII characters only, and this one contains {wrong!r}"
    return ""


def tag_problem(key: str, value: str) -> str:
    """Return why EC2 would refuse this tag; empty if it would not."""
    if not 1 <= len(key) <= 128:
        return f"a tag's key has 1 to 128 characters, and {key[:20]!r}… has {len(key)}" if key else "a tag needs a key"
    if key.lower().startswith("aws:"):
        return f"the tag {key!r} cannot be set: keys that begin with aws: belong to AWS"
    if len(value) > MAX_TAG_VALUE:
        return f"a tag's value has {MAX_TAG_VALUE} characters at most, and that of {key!r} has {len(value)}"
    return ""


def tags_problem(tags: Mapping[str, str]) -> str:
    """Return why EC2 would refuse these tags on one resource; empty if it would not."""
    for key, value in tags.items():
        if problem := tag_problem(key, value):
            return problem
    if len(tags) > MAX_TAGS:
        return f"a resource can have at most {MAX_TAGS} tags, and these are {len(tags)}"
    return ""
