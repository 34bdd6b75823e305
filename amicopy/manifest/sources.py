"""`source` in a manifest: the image that an entry is about, or where its id is found."""

from pathlib import Path
from typing import Any

from amicopy.core.ec2_rules import check_image_id
from amicopy.core.files import read_bounded
from amicopy.manifest.model import ById, ByName, ByParameter, Sought
from amicopy.manifest.notes import Notes
from amicopy.manifest.packer import packer_artifacts
from amicopy.manifest.yaml_tree import Path as TreePath


def source_from(noted: Notes, path: TreePath, said: Any, source_region: str) -> Sought | None:
    """Return what the source is or how it is found; None, once its problems are noted."""
    if isinstance(said, str):
        said = {"id": said}
    ways = [way for way in ("id", "name", "ssm", "packer") if way in said]
    if len(ways) != 1:
        noted.tree.blame(path, "give exactly one of id, name, ssm and packer")
        return None
    more = [key for key in said if key in {"owner", "architecture", "tags"}]
    if more and ways != ["name"]:
        noted.tree.blame((*path, more[0]), f"{more[0]!r} can only be used with name")
    match ways[0]:
        case "id":
            noted.checked(path, check_image_id, said["id"])
            return ById(region=source_region, image_id=said["id"])
        case "name":
            return ByName(
                region=source_region,
                pattern=said["name"],
                owner=str(said.get("owner", "self")),
                architecture=said.get("architecture", ""),
                tags={key: str(value) for key, value in said.get("tags", {}).items()},
            )
        case "ssm":
            return ByParameter(region=source_region, path=said["ssm"])
    return _packed(noted, (*path, "packer"), said["packer"], source_region)


def _packed(noted: Notes, path: TreePath, said: str, source_region: str) -> ById | None:
    file = Path(noted.path).parent / said
    try:
        artifacts = packer_artifacts(read_bounded(file))
    except OSError as error:
        noted.tree.blame(path, f"{file} cannot be read: {error.strerror}")
        return None
    except ValueError as error:
        noted.tree.blame(path, f"{file}: {error}")
        return None
    if not source_region and len(artifacts) > 1:
        noted.tree.blame(path, f"{file} has AMIs in several regions, set from to one of: {', '.join(artifacts)}")
        return None
    region = source_region or next(iter(artifacts))
    if region not in artifacts:
        noted.tree.blame(path, f"{file} has no AMI in {region}, it has: {', '.join(artifacts)}")
        return None
    return ById(region=region, image_id=artifacts[region])
