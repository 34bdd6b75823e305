"""The names under which a region appears in files: its own, its short code, its zones, the SDKs' constants."""

import re

ANY_REGION = re.compile(
    r"(?<![A-Za-z0-9])(?:us|eu|ap|sa|ca|me|af|il|mx|cn)(?:-gov|-isob?)?"
    r"-(?:central|north|south|east|west|northeast|northwest|southeast|southwest)-[1-9](?![0-9])"
)
"""A name that has the form of a region's."""

_SHORT = {
    "north": "n",
    "south": "s",
    "east": "e",
    "west": "w",
    "central": "c",
    "northeast": "ne",
    "northwest": "nw",
    "southeast": "se",
    "southwest": "sw",
}


def is_region(name: str) -> bool:
    """Return whether a text has the form of a region's name."""
    return re.fullmatch(r"[a-z]{2,4}(-[a-z]+){1,3}-[1-9][0-9]?", name) is not None


def short_code(region: str) -> str:
    """Return the code in zone ids and ElastiCache endpoints: ``use1``, ``apse2``, ``usgw1``."""
    start, *middle, number = region.split("-")
    return start + "".join(_SHORT.get(word, word[:1]) for word in middle) + number


def constants(region: str) -> tuple[str, ...]:
    """Return the names in AWS's SDKs: ``US_EAST_1`` (Java, CDK), ``USEast1`` (.NET, Swift), ``UsEast1`` (Rust, Go)."""
    words = region.split("-")
    upper, title = "_".join(words).upper(), "".join(word.title() for word in words)
    return upper, words[0].upper() + title[len(words[0]) :], title, f"{title}RegionID"


# Endpoints whose name is the service and the region alone; others have an id in them that another region does not have.
_SERVICE_HOST = r"(?:https?://)?(?:[a-z0-9-]+(?:-fips)?)\.{region}\.(?:amazonaws\.com(?:\.cn)?|api\.aws)"


def named_in(text: str, region: str, other: str) -> str:
    """Return what the endpoint of a service is called in another region; empty if that cannot be derived."""
    if re.fullmatch(_SERVICE_HOST.replace("{region}", re.escape(region)), text):
        return text.replace(region, other)
    return ""
