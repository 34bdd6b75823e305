"""EC2 Fast Launch in one region: what EC2 shows of one image. `Ec2.write` switches it on and off."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from amicopy.core.fast_launch import OFF, FastLaunch


class FastLaunches:
    """EC2 Fast Launch in one region; may raise the errors of `Ec2Reads`."""

    def __init__(self, pages: Callable[..., Iterator[Mapping[str, Any]]]) -> None:
        self._pages = pages

    def of(self, image_id: str) -> FastLaunch:
        """Return what EC2 shows of an image.

        AWS: EC2 DescribeFastLaunchImages, which lists no image for which it was never on.
        """
        for page in self._pages("DescribeFastLaunchImages", ImageIds=[image_id]):
            for item in page.get("FastLaunchImages", ()):
                if item.get("ImageId") == image_id:
                    return _fast_launch(item)
        return OFF


def _fast_launch(item: Mapping[str, Any]) -> FastLaunch:
    template = item.get("LaunchTemplate") or {}
    named = {template.get("LaunchTemplateId", ""), template.get("LaunchTemplateName", "")} - {""}
    return FastLaunch(
        state=item.get("State", ""),
        reason=item.get("StateTransitionReason", ""),
        target_resource_count=(item.get("SnapshotConfiguration") or {}).get("TargetResourceCount"),
        max_parallel_launches=item.get("MaxParallelLaunches"),
        launch_templates=frozenset(named),
        version=template.get("Version", ""),
    )
