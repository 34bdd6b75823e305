"""Print the section of CHANGELOG.md for a tag: python packaging/release_notes.py v1.2.3

Fails if the tag is not the package's version or has no section, so that nothing is released by mistake.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def release_notes(tag: str, changelog: str, version: str) -> str:
    """Return what has changed with the version of a tag.

    Raises:
        ValueError: the tag names another version, or the changelog has nothing about it.
    """
    if tag != f"v{version}":
        raise ValueError(f"the tag {tag} is not that of version {version}")
    found = re.search(rf"^## \[{re.escape(version)}\][^\n]*\n(.*?)(?=^## \[|\Z)", changelog, re.MULTILINE | re.DOTALL)
    if not found or not found[1].strip():
        raise ValueError(f"CHANGELOG.md has no section for {version}")
    return found[1].strip() + "\n"


if __name__ == "__main__":
    text = (ROOT / "amicopy" / "core" / "version.py").read_text()
    sys.stdout.write(
        release_notes(sys.argv[1], (ROOT / "CHANGELOG.md").read_text(), re.findall(r'"([^"]+)"$', text, re.M)[0])
    )
