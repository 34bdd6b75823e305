"""Reading a manifest into entries. Nothing is read but the manifest and the packer manifests that it names."""

import json
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from amicopy.core.check import CHECK_TIMEOUT, Check
from amicopy.core.durations import completion_from, date_from, deprecation_from, length_from
from amicopy.core.ec2_rules import tag_problem
from amicopy.core.errors import ManifestInvalid
from amicopy.core.ignored_findings import parse
from amicopy.core.image_scan import ScanMode, ScanRequest
from amicopy.core.kms_key import key_in_region
from amicopy.core.models import MANIFEST_TAG, Principal
from amicopy.core.regions import is_pattern, names_region, split_names
from amicopy.core.request import DIRECT, MANIFEST, CopyRequest, Protection, request_problems
from amicopy.core.scan_results import ScanRequirement
from amicopy.manifest.accounts import accounts_from, accounts_within
from amicopy.manifest.fast_settings import fast_launch_from, fast_restore_from
from amicopy.manifest.model import (
    ByName,
    ByParameter,
    Entry,
    Keep,
    Sought,
)
from amicopy.manifest.notes import Notes, listed
from amicopy.manifest.publish import publish_from
from amicopy.manifest.sources import source_from
from amicopy.manifest.validate import check, without_blamed
from amicopy.manifest.yaml_tree import Path as TreePath
from amicopy.manifest.yaml_tree import Tree, read_tree

# Of these a more specific place adds to a more general one.
_MERGED = {"tags", "image_tags", "snapshot_tags"}


def read_manifest(
    path: str, content: bytes, variables: Mapping[str, str] = os.environ, *, regions: Collection[str] = ()
) -> tuple[Entry, ...]:
    """Return what a manifest says; ``path`` is how a person knows the file.

    With the ``regions`` that exist, each name of a region has to be one of them.

    Raises:
        ManifestInvalid: with everything that is wrong, each with file, line and column.
    """
    tree = read_tree(content, variables)
    if tree.value is not None:
        check(tree)
    entries: list[Entry] = []
    if isinstance(tree.value, dict):
        tree.value = without_blamed(tree)
        entries = list(_Entries(path, tree, regions))
    if tree.problems:
        found = sorted(set(tree.problems))
        raise ManifestInvalid(
            f"{path} has {len(found)} {'error' if len(found) == 1 else 'errors'}, so nothing was done.",
            details=tuple(f"{path}:{one.place.line}:{one.place.column}: {one.text}" for one in found),
            next_step="Fix the errors above. amicopy sync --schema prints a JSON Schema for editor validation.",
        )
    return tuple(entries)


class _Entries:
    """The entries of a tree that fits the schema; what else is wrong is noted in the tree."""

    def __init__(self, path: str, tree: Tree, regions: Collection[str]) -> None:
        self._path = path
        self._tree = tree
        self._noted = Notes(path, tree, regions)
        self._defaults: dict[str, Any] = tree.value.get("defaults", {})
        self._seen: dict[tuple[str, str], str] = {}
        self._labels: dict[str, tuple[str, TreePath]] = {}  # by what every output can tell apart

    def __iter__(self) -> Iterator[Entry]:
        for number, image in enumerate(self._tree.value.get("images", ())):
            if not isinstance(image, dict) or "source" not in image:  # its problems are noted
                continue
            before = len(self._tree.problems)
            entry = self._entry(("images", number), image)
            if entry is not None and len(self._tree.problems) == before:
                self._refuse_twins(entry, ("images", number))
                yield entry

    def _entry(self, path: TreePath, image: dict[str, Any]) -> Entry | None:
        merged = self._defaults | image
        for key in _MERGED & image.keys() & self._defaults.keys():
            merged[key] = self._defaults[key] | image[key]
        places = {key: (*path, key) if key in image else ("defaults", key) for key in merged}
        for key in ("from", "to", "exclude", "best_effort", "direct"):
            self._noted.check_regions(places.get(key, ()), merged.get(key, []))
        source = source_from(self._noted, (*path, "source"), image["source"], merged.get("from", ""))
        if "to" not in merged and not {(*path, "to"), ("defaults", "to")} & self._tree.blamed:
            self._tree.blame(path, "'to' is missing, here and in the defaults: the destination regions")
        if source is None or "to" not in merged:
            return None
        keep = self._keep(merged, places, source)
        label = self._label(image.get("label", ""), (*path, "label"))
        requests = tuple(
            replace(request, label=label)
            for request in self._requests(merged, places, source, keep.mark if keep else "")
        )
        at = self._tree.place(path)
        return Entry(
            where=f"{self._path}:{at.line}:{at.column}",
            source=source,
            label=label,
            requests=requests,
            min_success=merged.get("min_success"),
            fast_restore=fast_restore_from(self._noted, merged, places, requests),
            fast_launch=fast_launch_from(self._noted, merged, places, requests),
            publish=publish_from(self._noted, merged, places, requests),
            keep=keep,
        )

    def _label(self, label: str, path: TreePath) -> str:
        """Return the label; note one that some output could not tell from another's."""
        if label:
            alike = "".join(filter(str.isalnum, label)).lower()
            first, at = self._labels.setdefault(alike, (label, path))
            if at != path:
                same = "is given twice" if first == label else f"cannot be told from {first!r} in every output"
                self._tree.blame(path, f"the label {label!r} {same}")
        return label

    def _keep(self, merged: dict[str, Any], places: Mapping[str, TreePath], source: Sought) -> Keep | None:
        said = merged.get("keep")
        if not said or "newest" not in said:  # that is noted
            return None
        name = self._tree.value.get("name")
        if not name and ("name",) in self._tree.blamed:
            return None
        if not name:
            self._tree.blame(places["keep"], "keep needs a name for this manifest, at its top, to know what it made")
        if not isinstance(source, ByName | ByParameter):
            self._tree.blame(places["keep"], "keep goes with a source that changes: found by name or by ssm")
            return None
        age = self._noted.checked((*places["keep"], "min_age"), length_from, said.get("min_age", "1d"))
        mark = f"{name}/{_words(source)}"
        if problem := tag_problem(MANIFEST_TAG, mark):
            self._tree.blame(
                places["keep"], f"keep marks the copies with a tag, and this source is too much for it: {problem}"
            )
            return None
        return Keep(
            newest=said["newest"], min_age=age or timedelta(days=1), shared=said.get("shared", False), mark=mark
        )

    def _requests(
        self, merged: dict[str, Any], places: Mapping[str, TreePath], source: Sought, mark: str
    ) -> Iterator[CopyRequest]:
        to = merged["to"]
        named = [one.strip() for text in listed(to) for one in text.split(",") if one.strip()]
        best_effort, exclude, urgent = (
            split_names(listed(merged.get(key, []))) for key in ("best_effort", "exclude", "direct")
        )
        if not named:
            self._tree.blame(places["to"], "there are no destinations")
        for name in dict.fromkeys(one for one in named if named.count(one) > 1):
            self._tree.blame(places["to"], f"{name} is given twice")
        for name in best_effort:
            if not is_pattern(name) and not names_region(named, name):
                self._tree.blame(places["best_effort"], f"{name} is not a destination")
        least = merged.get("min_success", 0)
        if least > len(named) and not any(map(is_pattern, named)):
            self._tree.blame(places["min_success"], f"min_success is {least}, but there {_are(len(named))}")
        accounts = tuple(accounts_from(self._noted, merged, places.get("accounts", ()), named))
        overrides = to if isinstance(to, dict) else dict.fromkeys(named)
        groups: dict[str, list[str]] = {}
        for region, own in overrides.items():
            groups.setdefault(json.dumps(own or {}, sort_keys=True), []).append(region)
        for text, regions in groups.items():
            own = json.loads(text)
            settings = merged | own
            for key in _MERGED & own.keys():
                settings[key] = merged.get(key, {}) | own[key]
            at = {key: (*places["to"], regions[0], key) if key in own else places.get(key, ()) for key in settings}
            ours = [name for name in best_effort if names_region(regions, name)]
            direct = [name for name in urgent if names_region(regions, name)]
            request = self._request(settings, at, source.region, mark)
            if request is None:
                continue
            key = request.kms_keys.get("", "")
            for region in regions if key else ():
                self._noted.checked(at["kms_key"], partial(key_in_region, key), region)
            yield replace(
                request,
                to=tuple(regions),
                exclude=tuple(exclude),
                best_effort=tuple(ours),
                direct=tuple(direct),
                accounts=tuple(accounts_within(regions, accounts)),
            )

    def _request(
        self, said: Mapping[str, Any], at: Mapping[str, TreePath], source_region: str, mark: str
    ) -> CopyRequest | None:
        """Return what these settings ask for, without destinations; None, once its problems are noted."""
        before = len(self._tree.problems)
        share, share_snapshots = (
            self._principals(said.get(key), at.get(key, ())) for key in ("share", "share_snapshots")
        )
        on = self._noted.checked(at.get("deprecate_at", ()), date_from, said.get("deprecate_at"))
        within = self._noted.checked(at.get("complete_within", ()), completion_from, said.get("complete_within"))
        after = self._noted.checked(at.get("deprecate_after", ()), deprecation_from, said.get("deprecate_after"))
        request = CopyRequest(
            source_region=source_region,
            name=said.get("name", ""),
            description=said.get("description"),
            tags={key: str(value) for key, value in said.get("tags", {}).items()},
            image_tags={key: str(value) for key, value in said.get("image_tags", {}).items()},
            snapshot_tags={key: str(value) for key, value in said.get("snapshot_tags", {}).items()},
            mark=mark,
            carry_tags=said.get("carry_tags", True),
            carry_permissions=said.get("carry_permissions", True),
            share=share,
            share_snapshots=share_snapshots,
            encrypt=bool(said.get("encrypt", False)),
            kms_keys={"": said["kms_key"]} if said.get("kms_key") else {},
            complete_within=within,
            carry_deprecation=said.get("carry_deprecation", True),
            adopt=said.get("adopt", False),
            route=said.get("route", DIRECT),
            deprecate_after=after,
            deprecate_at=on,
            require_scan=self._scan(said.get("require"), at.get("require", ())),
            scan=self._content_scan(said.get("scan"), at.get("scan", ())),
            check=self._check(said.get("check"), at.get("check", ())),
            protect=Protection(said["protect"]) if said.get("protect") else None,
        )
        if request.hub and not is_pattern(request.hub) and "," not in request.hub:
            self._noted.check_regions(at.get("route", ()), request.hub)
        for problem in request_problems(request):
            first = problem.fields[0]
            self._tree.blame(at.get(MANIFEST.get(first, first), ()), problem.words(MANIFEST))
        return None if len(self._tree.problems) > before else request

    def _principals(self, said: Any, path: TreePath) -> frozenset[Principal] | None:
        """Return whom the manifest names: no one is something else than nothing, which is "as the source"."""
        if said is None:
            return None
        found = [self._noted.checked(path, Principal.parse, str(who)) for who in said]
        return frozenset(who for who in found if who)

    def _scan(self, said: Any, path: TreePath) -> ScanRequirement | None:
        if not said or "severity" not in said:  # that is noted
            return None
        within = self._noted.checked((*path, "scanned_within"), length_from, said.get("scanned_within"))
        return ScanRequirement(severity=said["severity"], scanned_within=within)

    def _content_scan(self, said: Any, path: TreePath) -> ScanRequest | None:
        if not said:
            return None
        mapping: Mapping[str, Any] = {"mode": said} if isinstance(said, str) else said
        ignored, problems = parse("\n".join(mapping.get("ignore", ())))
        for problem in problems:
            self._tree.blame((*path, "ignore"), problem)
        return ScanRequest(
            mode=ScanMode(mapping.get("mode", ScanMode.WARN)),
            allow_secrets=mapping.get("allow_secrets", False),
            ignored=ignored,
        )

    def _check(self, said: Any, path: TreePath) -> Check | None:
        """Return the check; its program is looked for from the manifest's directory."""
        if not said:
            return None
        mapping = {"command": said} if isinstance(said, str) else said
        if "command" not in mapping:  # that is noted
            return None
        timeout = self._noted.checked((*path, "timeout"), length_from, mapping.get("timeout"))
        return Check(
            command=mapping["command"], timeout=timeout or CHECK_TIMEOUT, directory=str(Path(self._path).parent)
        )

    def _refuse_twins(self, entry: Entry, path: TreePath) -> None:
        """Refuse a second entry for the same source in the same region: one of them would lose."""
        for request in entry.requests:
            for region in request.to:
                first = self._seen.setdefault((repr(entry.source), region), entry.where)
                if first != entry.where:
                    self._tree.blame(path, f"the same source is copied to {region} in {first} too")


def _words(source: ByName | ByParameter) -> str:
    """Return a search in words: two that can find different images are never the same."""
    if isinstance(source, ByParameter):
        return source.path
    more = {f"tag:{key}": value for key, value in sorted(source.tags.items())}
    if source.architecture:
        more["architecture"] = source.architecture
    if source.owner != "self":
        more["owner"] = source.owner
    return " ".join([source.pattern, *(f"{key}={value}" for key, value in more.items())])


def _are(destinations: int) -> str:
    return "is only 1 destination" if destinations == 1 else f"are only {destinations} destinations"
