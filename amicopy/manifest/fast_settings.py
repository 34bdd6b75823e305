"""Fast snapshot restore and EC2 Fast Launch in a manifest: what is switched on for the copies in which regions."""

from collections.abc import Mapping, Sequence
from typing import Any

from amicopy.core.fast_launch import PARALLEL_LAUNCHES, TARGET_RESOURCES, FastLaunchSettings, is_template_id
from amicopy.core.fast_restore import is_zone_of
from amicopy.core.regions import names_region, split_names
from amicopy.core.request import CopyRequest
from amicopy.manifest.notes import Notes, listed
from amicopy.manifest.yaml_tree import Path as TreePath


def fast_restore_from(
    noted: Notes, merged: Mapping[str, Any], places: Mapping[str, TreePath], requests: Sequence[CopyRequest]
) -> dict[str, tuple[str, ...]]:
    """Return the zones by region; note what is no zone of its region, and what is no destination of the image."""
    said: Mapping[str, Any] = merged.get("fast_restore", {})
    place = places.get("fast_restore", ())
    named = [name for request in requests for name in request.to]
    found: dict[str, tuple[str, ...]] = {}
    for region, named_zones in said.items():
        at = (*place, region)
        noted.check_regions(at, region)
        is_destination = names_region(named, region)
        if not is_destination and place[0] != "defaults":
            noted.tree.blame(at, f"{region} is not a destination")
        zones = split_names(listed(named_zones))
        for zone in zones:
            if not is_zone_of(region, zone):
                noted.tree.blame(at, f"{zone!r} is not an Availability Zone of {region}, such as {region}a")
        if is_destination:
            found[region] = zones
    return found


def fast_launch_from(
    noted: Notes, merged: Mapping[str, Any], places: Mapping[str, TreePath], requests: Sequence[CopyRequest]
) -> dict[str, FastLaunchSettings | None]:
    """Return the settings by region; note what is no destination of the image, and templates named twice."""
    said: Any = merged.get("fast_launch", {})
    place = places.get("fast_launch", ())
    by_region = said if isinstance(said, dict) else dict.fromkeys(split_names(listed(said)), True)
    named = [name for request in requests for name in request.to]
    found: dict[str, FastLaunchSettings | None] = {}
    for region, switch in by_region.items():
        at = (*place, region) if isinstance(said, dict) else place
        noted.check_regions(at, region)
        is_destination = names_region(named, region)
        if not is_destination and place[0] != "defaults":
            noted.tree.blame(at, f"{region} is not a destination")
        settings = _settings(noted, at, switch if isinstance(switch, dict) else {})
        if is_destination:
            found[region] = None if switch is False else settings
    return found


def _settings(noted: Notes, at: TreePath, said: Mapping[str, Any]) -> FastLaunchSettings:
    template: Mapping[str, Any] = said.get("launch_template", {})
    name, template_id = template.get("name", ""), template.get("id", "")
    if template and bool(name) is bool(template_id):
        noted.tree.blame((*at, "launch_template"), "give either the name or the id of the launch template")
    if is_template_id(name):
        noted.tree.blame((*at, "launch_template", "name"), f"{name} is an id; write id: {name}")
    if template_id and not is_template_id(template_id):
        noted.tree.blame((*at, "launch_template", "id"), f"{template_id!r} is not a launch template's id: lt-…")
    return FastLaunchSettings(
        target_resource_count=said.get("target_resource_count", TARGET_RESOURCES),
        max_parallel_launches=said.get("max_parallel_launches", PARALLEL_LAUNCHES),
        launch_template=name or template_id,
        version=template.get("version", 0),
    )
