"""What is where: every copy of the sources, and what each lacks.

Refuses to decide what to do about it; the plan does that.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from amicopy.compare import Difference, differences
from amicopy.models import Image, ImageState
from amicopy.recognise import copies_of
from amicopy.request import CopyRequest
from amicopy.surveyed import Survey
from amicopy.wanted import wanted_copy


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One copy as it stands."""

    source: Image
    copy: Image
    missing: tuple[Difference, ...] = ()


def standings(request: CopyRequest, survey: Survey) -> Iterator[Standing]:
    """Yield every copy, region by region; of available ones with what they lack compared with their source.

    Of a source that is gone nothing is known to compare with.
    """
    for region in request.destinations:
        for source in survey.sources:
            wanted = wanted_copy(source, request, region=region, now=survey.at)
            copies = copies_of(source, survey.destinations[region].copies)
            for copy in (*copies.available, *copies.in_progress, *copies.disabled, *copies.failed):
                comparable = copy.state is ImageState.AVAILABLE and bool(source.owner_id)
                yield Standing(source=source, copy=copy, missing=differences(wanted, copy) if comparable else ())
