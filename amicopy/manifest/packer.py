"""The AMIs of packer's last run, from its manifest post-processor; other artifacts are ignored."""

import json
import re

_ARTIFACT = re.compile(r"([a-z]{2,}(?:-[a-z]+)+-\d+):(ami-[0-9a-f]+)")


def packer_artifacts(content: bytes) -> dict[str, str]:
    """Return the AMI ids of packer's last run by region, in the order in which packer named them.

    packer.io, manifest post-processor: ``builds[].artifact_id`` is ``REGION:AMI,…``, ``last_run_uuid`` the run.

    Raises:
        ValueError: it is not a packer manifest, or its last run made no AMI or several for one region.
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not a Packer manifest: invalid JSON: {error}") from error
    try:
        builds = [build for build in document["builds"] if build["packer_run_uuid"] == document["last_run_uuid"]]
        texts = [build.get("artifact_id") or "" for build in builds]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("not a Packer manifest: it has no builds or last_run_uuid") from error
    found: dict[str, str] = {}
    for region, image_id in (match.groups() for text in texts for match in _ARTIFACT.finditer(str(text))):
        if found.setdefault(region, image_id) != image_id:
            raise ValueError(f"packer's last run made several AMIs in {region}: {found[region]}, {image_id}")
    if not found:
        raise ValueError("packer's last run made no AMI")
    return found
