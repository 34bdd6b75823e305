"""botocore's loader of service models, with EC2's model cut down and cached, and all other models as they are.

Where a user has EC2 models of their own, or EC2's model isn't built as expected, botocore's own is used
(docs/adr/0008).
"""

import functools
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import botocore
import botocore.loaders

from amicopy.aws.startup import cache
from amicopy.aws.startup.ec2_model import OPERATIONS, cut
from amicopy.core.version import __version__

_KEPT = ("service-2", "endpoint-rule-set-1")  # what an EC2 client needs; botocore walks 440 directories to find it


class PlainJson(botocore.loaders.JSONFileLoader):  # type: ignore[misc]
    """Reads JSON into plain dicts, which keep their order as botocore's OrderedDicts do, in a third of the time."""

    def load_file(self, file_path: str) -> Any:
        """Return the content of ``file_path`` plus ``.json``; botocore reads the files that are compressed."""
        try:
            return json.loads(Path(f"{file_path}.json").read_bytes())
        except OSError:
            return super().load_file(file_path)


class Loader(botocore.loaders.Loader):  # type: ignore[misc]
    """Loads what botocore loads, and a small EC2 model. It keeps what it has read, so one loader serves a process."""

    FILE_LOADER_CLASS = PlainJson

    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:
        """Return a model, with the arguments and the errors of botocore's own loader."""
        if service_name == "ec2" and type_name in _KEPT and api_version is None and self._ec2:
            return self._ec2[type_name]
        return super().load_service_model(service_name, type_name, api_version)

    @functools.cached_property
    def _ec2(self) -> Mapping[str, Any] | None:
        """Return EC2's models by type, from the cache or made now; None if they must come from botocore."""
        if any(Path(path, "ec2").exists() for path in self.search_paths if path != self.BUILTIN_DATA_PATH):
            return None
        name = f"ec2-{botocore.__version__}-{self._stamp()}.json"
        models: Mapping[str, Any] | None = cache.read(name)
        if models is None:
            # A loader of its own, so that the whole model, 50 MB, isn't kept as well.
            loader = botocore.loaders.Loader([*self.search_paths], self.file_loader, include_default_search_paths=False)
            whole = {kind: loader.load_service_model("ec2", kind) for kind in _KEPT}
            try:
                models = {**whole, "service-2": cut(whole["service-2"])}
            except (KeyError, TypeError, AttributeError):
                return None
            cache.write(name, models)
        return models

    def _stamp(self) -> str:
        """Return a hash that changes with botocore's EC2 files, with what is kept of them, and with our version."""
        directory = Path(self.BUILTIN_DATA_PATH, "ec2", self.determine_latest_version("ec2", "service-2"))
        with os.scandir(directory) as entries:
            files = sorted((entry.name, entry.stat().st_size, entry.stat().st_mtime_ns) for entry in entries)
        return hashlib.sha256(json.dumps([__version__, OPERATIONS, _KEPT, files]).encode()).hexdigest()[:16]


@functools.cache
def shared_loader(data_path: str | None) -> Loader:
    """Return the loader that all sessions of this process with the same ``AWS_DATA_PATH`` share."""
    paths = data_path.split(os.pathsep) if data_path else []
    return Loader(extra_search_paths=[os.path.expanduser(os.path.expandvars(path)) for path in paths])  # noqa: PTH111 - as botocore does
