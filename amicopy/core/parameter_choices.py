"""The command line's choices for the Systems Manager parameters of a retired release."""

import fnmatch
from dataclasses import dataclass

from amicopy.core.ec2_rules import check_image_id


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterChoices:
    """The user's choices for Systems Manager parameters with the id of an image to retire."""

    names: tuple[str, ...] = ()  # to look at, beside those that EC2 names
    replacements: tuple[tuple[str, str], ...] = ()  # a name and the AMI that it gets, in the region that has the AMI
    left: tuple[str, ...] = ()  # names and patterns of those that keep the image's id
    restored: frozenset[str] = frozenset()  # retired AMIs that are good again by then

    def leaves(self, path: str) -> bool:
        """Return whether a parameter keeps the image's id."""
        return any(fnmatch.fnmatchcase(path, pattern) for pattern in self.left)

    def replacements_of(self, path: str) -> tuple[str, ...]:
        """Return the AMIs that the operator has chosen for a parameter; each is in one region."""
        return tuple(image_id for name, image_id in self.replacements if name == path)

    @property
    def looked_at(self) -> tuple[str, ...]:
        """Every name to read in addition to those that EC2 finds."""
        return tuple(dict.fromkeys((*self.names, *(name for name, _ in self.replacements))))


def parameter_choice(text: str) -> tuple[str, str]:
    """Return name and AMI of ``NAME=AMI``, or name and nothing of ``NAME``.

    Raises:
        ValueError: the name is empty, or what follows is not an AMI id.
    """
    name, sign, image_id = text.partition("=")
    if not name:
        raise ValueError(f"{text!r} has no parameter name: write NAME or NAME=AMI")
    if sign:
        check_image_id(image_id)
    return name, image_id
