"""What a round is a round of, as hashes: the manifest with its variables, the sources, and who is notified.

The dispatcher hashes what it has read into each message, and the worker what its pass has really used. A result counts
for a round only if the two are the same.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from amicopy.aws_lambda.settings import Settings
from amicopy.core.version import __version__
from amicopy.jobs.entries import KnownEntry
from amicopy.manifest.yaml_tree import variables_in

_DATE = b"{date}"  # in `publish`: the path is another one each day


def manifest_state(settings: Settings, content: bytes, variables: Mapping[str, str], now: datetime) -> str:
    """Return a hash of everything that decides what a manifest asks for, except for what is in AWS."""
    values = {name: variables.get(name) for name in variables_in(content)}
    date = now.strftime("%Y-%m-%d") if _DATE in content else ""
    targets = sorted(one.text for one in settings.notifications())
    return _hash([__version__, content.decode(errors="replace"), sorted(values.items()), date, targets])


def state_with_sources(manifest: str, entries: Iterable[KnownEntry], units: Sequence[str] = ()) -> str:
    """Return a hash of that and of the image that each of the entries stands for, and of the units if they matter."""
    sources = [[known.entry.where, known.source_region, known.image_id] for known in entries]
    return _hash([manifest, sources, list(units)])


def _hash(content: object) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
