"""Reading a manifest into entries. Nothing is read but the manifest and the packer manifests that it names."""

import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from amicopy.core.accounts import DEFAULT_ROLE, TargetAccount, account_problems, check_account, check_unit, is_unit
from amicopy.core.check import CHECK_TIMEOUT, Check
from amicopy.core.durations import completion_from, date_from, deprecation_from, length_from
from amicopy.core.ec2_rules import check_image_id, tag_problem
from amicopy.core.errors import ManifestInvalid, UsageError
from amicopy.core.fast_launch import PARALLEL_LAUNCHES, TARGET_RESOURCES, FastLaunchSettings, is_template_id
from amicopy.core.fast_restore import is_zone_of
from amicopy.core.files import read_bounded
from amicopy.core.ignored_findings import parse
from amicopy.core.image_scan import ScanMode, ScanRequest
from amicopy.core.kms_key import check_key, key_in_region
from amicopy.core.models import MANIFEST_TAG, Principal
from amicopy.core.regions import check_regions, is_pattern, listed_names, names_region, split_names
from amicopy.core.request import DIRECT, MANIFEST, CopyRequest, Protection, request_problems
from amicopy.core.scan_results import ScanRequirement
from amicopy.core.templates import check_template
from amicopy.manifest.model import (
    OWN_ACCOUNT,
    ById,
    ByName,
    ByParameter,
    Entry,
    Keep,
    LaunchTemplate,
    Parameter,
    Publish,
    Sought,
)
from amicopy.manifest.packer import packer_artifacts
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
        self._regions = regions
        self._tree = tree
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
            self._check_regions(places.get(key, ()), merged.get(key, []))
        source = self._source((*path, "source"), image["source"], merged.get("from", ""))
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
        publish = merged.get("publish")
        if publish is not None and not {"ssm", "launch_templates"} & publish.keys():
            self._tree.blame(places["publish"], "publish needs ssm, launch_templates, or both")
        at = self._tree.place(path)
        return Entry(
            where=f"{self._path}:{at.line}:{at.column}",
            source=source,
            label=label,
            requests=requests,
            min_success=merged.get("min_success"),
            fast_restore=self._fast_restore(merged, places, requests),
            fast_launch=self._fast_launch(merged, places, requests),
            publish=Publish(
                parameters=tuple(self._parameters((*places["publish"], "ssm"), publish.get("ssm", []), requests)),
                launch_templates=tuple(
                    self._templates(
                        (*places["publish"], "launch_templates"), publish.get("launch_templates", []), requests
                    )
                ),
                when_all=publish.get("when") == "all",
                allow_older=publish.get("allow_older", False),
                include_source=publish.get("include_source", False),
            )
            if publish
            else None,
            keep=keep,
        )

    def _fast_restore(
        self, merged: Mapping[str, Any], places: Mapping[str, TreePath], requests: Sequence[CopyRequest]
    ) -> dict[str, tuple[str, ...]]:
        """Return the zones by region; note what is no zone of its region, and what is no destination of the image."""
        said: Mapping[str, Any] = merged.get("fast_restore", {})
        place = places.get("fast_restore", ())
        named = [name for request in requests for name in request.to]
        found: dict[str, tuple[str, ...]] = {}
        for region, listed in said.items():
            at = (*place, region)
            self._check_regions(at, region)
            is_destination = names_region(named, region)
            if not is_destination and place[0] != "defaults":
                self._tree.blame(at, f"{region} is not a destination")
            zones = split_names(_listed(listed))
            for zone in zones:
                if not is_zone_of(region, zone):
                    self._tree.blame(at, f"{zone!r} is not an Availability Zone of {region}, such as {region}a")
            if is_destination:
                found[region] = zones
        return found

    def _fast_launch(
        self, merged: Mapping[str, Any], places: Mapping[str, TreePath], requests: Sequence[CopyRequest]
    ) -> dict[str, FastLaunchSettings | None]:
        """Return the settings by region; note what is no destination of the image, and templates named twice."""
        said: Any = merged.get("fast_launch", {})
        place = places.get("fast_launch", ())
        by_region = said if isinstance(said, dict) else dict.fromkeys(split_names(_listed(said)), True)
        named = [name for request in requests for name in request.to]
        found: dict[str, FastLaunchSettings | None] = {}
        for region, switch in by_region.items():
            at = (*place, region) if isinstance(said, dict) else place
            self._check_regions(at, region)
            is_destination = names_region(named, region)
            if not is_destination and place[0] != "defaults":
                self._tree.blame(at, f"{region} is not a destination")
            settings = self._fast_launch_settings(at, switch if isinstance(switch, dict) else {})
            if is_destination:
                found[region] = None if switch is False else settings
        return found

    def _fast_launch_settings(self, at: TreePath, said: Mapping[str, Any]) -> FastLaunchSettings:
        template: Mapping[str, Any] = said.get("launch_template", {})
        name, template_id = template.get("name", ""), template.get("id", "")
        if template and bool(name) is bool(template_id):
            self._tree.blame((*at, "launch_template"), "give either the name or the id of the launch template")
        if is_template_id(name):
            self._tree.blame((*at, "launch_template", "name"), f"{name} is an id; write id: {name}")
        if template_id and not is_template_id(template_id):
            self._tree.blame((*at, "launch_template", "id"), f"{template_id!r} is not a launch template's id: lt-…")
        return FastLaunchSettings(
            target_resource_count=said.get("target_resource_count", TARGET_RESOURCES),
            max_parallel_launches=said.get("max_parallel_launches", PARALLEL_LAUNCHES),
            launch_template=name or template_id,
            version=template.get("version", 0),
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

    def _parameters(self, path: TreePath, said: Any, requests: Sequence[CopyRequest]) -> Iterator[Parameter]:
        for number, one in enumerate(said if isinstance(said, list) else [said]):
            at = (*path, number) if isinstance(said, list) else path
            mapping: Any = {"path": one} if isinstance(one, str) else one
            place = at if isinstance(one, str) else (*at, "path")
            if mapping is None or "path" not in mapping:  # its problem is noted
                continue
            name = mapping["path"]
            self._checked(place, check_template, name)
            self._checked((*at, "description"), check_template, mapping.get("description"))
            if name.lower().startswith(("/aws", "/ssm")):
                self._tree.blame(place, "AWS reserves parameters that begin with /aws or /ssm")
            if not name.startswith("/"):
                self._tree.blame(place, "a parameter's path begins with /")
            self._check_regions((*at, "in"), mapping.get("in", []))
            yield Parameter(
                path=name,
                description=mapping.get("description", ""),
                regions=split_names(_listed(mapping.get("in", []))),
                **self._publishing_accounts((*at, "accounts"), mapping.get("accounts", []), requests),
                overwrite=mapping.get("overwrite", True),
            )

    def _templates(self, path: TreePath, said: Any, requests: Sequence[CopyRequest]) -> Iterator[LaunchTemplate]:
        for number, one in enumerate(said if isinstance(said, list) else [said]):
            at = (*path, number) if isinstance(said, list) else path
            mapping: Any = {"name": one} if isinstance(one, str) else one
            if mapping is None or "name" not in mapping:  # its problem is noted
                continue
            place = at if isinstance(one, str) else (*at, "name")
            self._checked(place, check_template, mapping["name"])
            self._checked((*at, "description"), check_template, mapping.get("description"))
            if mapping["name"].startswith("lt-"):
                self._tree.blame(place, "give the name of the launch template: ids differ from region to region")
            self._check_regions((*at, "in"), mapping.get("in", []))
            yield LaunchTemplate(
                path=mapping["name"],
                description=mapping.get("description", "{name}"),
                regions=split_names(_listed(mapping.get("in", []))),
                **self._publishing_accounts((*at, "accounts"), mapping.get("accounts", []), requests),
            )

    def _publishing_accounts(
        self, path: TreePath, said: Any, requests: Sequence[CopyRequest]
    ) -> dict[str, tuple[str, ...]]:
        """Return the accounts and the units that something is published in; note where the image gets no copies."""
        targets = [target for request in requests for target in request.accounts]
        named = {OWN_ACCOUNT, *(target.account for target in targets)}
        is_default = path[0] == "defaults"
        found: dict[str, dict[str, None]] = {"accounts": {}, "units": {}}
        for number, one in enumerate(said if isinstance(said, list) else [said]):
            at = (*path, number) if isinstance(said, list) else path
            if isinstance(one, dict) and ("id" in one) == ("ou" in one):
                self._tree.blame(at, "give exactly one of id and ou")
            elif isinstance(one, dict) and "ou" in one:
                self._checked(at, check_unit, one["ou"])
                if not targets and not is_default:
                    self._tree.blame(at, f"the image has no accounts, so none of {one['ou']} gets a copy")
                self._once(found["units"], one["ou"], at)
            elif one is not None:  # its problem is noted
                for name in listed_names([str(one["id"] if isinstance(one, dict) else one)]):
                    is_known = name in named or is_default or any(target.unit for target in targets)
                    if problem := _no_account(name):
                        self._tree.blame(at, problem)
                    elif not is_known:
                        self._tree.blame(at, f"{name} is not one of the image's accounts")
                    self._once(found["accounts"], name, at)
        return {key: tuple(names) for key, names in found.items()}

    def _once(self, found: dict[str, None], name: str, path: TreePath) -> None:
        """Add a name; note one that is given twice."""
        if name in found:
            self._tree.blame(path, f"{name} is given twice")
        found[name] = None

    def _check_regions(self, path: TreePath, said: Any) -> None:
        """Note each name that is no region's."""
        for name in split_names(_listed(said)) if self._regions else ():
            try:
                check_regions([name], self._regions, "")
            except UsageError as error:
                self._tree.blame(path, f"{error.what.removeprefix(': ').rstrip('.')}; {_hint(error.why)}")

    def _source(self, path: TreePath, said: Any, source_region: str) -> Sought | None:
        if isinstance(said, str):
            said = {"id": said}
        ways = [way for way in ("id", "name", "ssm", "packer") if way in said]
        if len(ways) != 1:
            self._tree.blame(path, "give exactly one of id, name, ssm and packer")
            return None
        more = [key for key in said if key in {"owner", "architecture", "tags"}]
        if more and ways != ["name"]:
            self._tree.blame((*path, more[0]), f"{more[0]!r} can only be used with name")
        match ways[0]:
            case "id":
                self._checked(path, check_image_id, said["id"])
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
        return self._packed((*path, "packer"), said["packer"], source_region)

    def _packed(self, path: TreePath, said: str, source_region: str) -> ById | None:
        file = Path(self._path).parent / said
        try:
            artifacts = packer_artifacts(read_bounded(file))
        except OSError as error:
            self._tree.blame(path, f"{file} cannot be read: {error.strerror}")
            return None
        except ValueError as error:
            self._tree.blame(path, f"{file}: {error}")
            return None
        if not source_region and len(artifacts) > 1:
            self._tree.blame(path, f"{file} has AMIs in several regions, set from to one of: {', '.join(artifacts)}")
            return None
        region = source_region or next(iter(artifacts))
        if region not in artifacts:
            self._tree.blame(path, f"{file} has no AMI in {region}, it has: {', '.join(artifacts)}")
            return None
        return ById(region=region, image_id=artifacts[region])

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
        age = self._checked((*places["keep"], "min_age"), length_from, said.get("min_age", "1d"))
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
        named = [one.strip() for text in _listed(to) for one in text.split(",") if one.strip()]
        best_effort, exclude, urgent = (
            split_names(_listed(merged.get(key, []))) for key in ("best_effort", "exclude", "direct")
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
        accounts = tuple(self._accounts(merged, places.get("accounts", ()), named))
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
                self._checked(at["kms_key"], partial(key_in_region, key), region)
            yield replace(
                request,
                to=tuple(regions),
                exclude=tuple(exclude),
                best_effort=tuple(ours),
                direct=tuple(direct),
                accounts=tuple(_within(regions, accounts)),
            )

    def _accounts(self, merged: Mapping[str, Any], path: TreePath, named: Sequence[str]) -> Iterator[TargetAccount]:
        """Yield the other accounts of an entry; note what is wrong with each."""
        found: list[tuple[TreePath, TargetAccount]] = []
        for number, said in enumerate(merged.get("accounts", ())):
            at = (*path, number)
            if said is None:  # its problem is noted
                continue
            if ("id" in said) == ("ou" in said):
                self._tree.blame(at, "give exactly one of id and ou")
                continue
            target = TargetAccount(
                account=str(said.get("id", "")),
                unit=said.get("ou", ""),
                role=said.get("role", DEFAULT_ROLE),
                external_id=said.get("external_id", ""),
                regions=split_names(_listed(said.get("regions", []))),
                kms_key=said.get("kms_key", ""),
            )
            self._check_regions((*at, "regions"), said.get("regions", []))
            self._checked((*at, "kms_key"), check_key, target.kms_key or None)
            for region in target.regions:
                if not is_pattern(region) and not names_region(named, region):
                    self._tree.blame((*at, "regions"), f"{region} is not a destination")
            for problem in account_problems([target]):
                self._tree.blame(at, problem)
            found.append((at, target))
        seen: set[str] = set()
        for at, target in found:
            name = target.name
            if name in seen:
                self._tree.blame(at, f"{name} is given twice")
            seen.add(name)
            yield target

    def _request(
        self, said: Mapping[str, Any], at: Mapping[str, TreePath], source_region: str, mark: str
    ) -> CopyRequest | None:
        """Return what these settings ask for, without destinations; None, once its problems are noted."""
        before = len(self._tree.problems)
        share, share_snapshots = (
            self._principals(said.get(key), at.get(key, ())) for key in ("share", "share_snapshots")
        )
        on = self._checked(at.get("deprecate_at", ()), date_from, said.get("deprecate_at"))
        within = self._checked(at.get("complete_within", ()), completion_from, said.get("complete_within"))
        after = self._checked(at.get("deprecate_after", ()), deprecation_from, said.get("deprecate_after"))
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
        for problem in request_problems(request):
            first = problem.fields[0]
            self._tree.blame(at.get(MANIFEST.get(first, first), ()), problem.words(MANIFEST))
        return None if len(self._tree.problems) > before else request

    def _principals(self, said: Any, path: TreePath) -> frozenset[Principal] | None:
        """Return whom the manifest names: no one is something else than nothing, which is "as the source"."""
        if said is None:
            return None
        found = [self._checked(path, Principal.parse, str(who)) for who in said]
        return frozenset(who for who in found if who)

    def _scan(self, said: Any, path: TreePath) -> ScanRequirement | None:
        if not said or "severity" not in said:  # that is noted
            return None
        within = self._checked((*path, "scanned_within"), length_from, said.get("scanned_within"))
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
        timeout = self._checked((*path, "timeout"), length_from, mapping.get("timeout"))
        return Check(
            command=mapping["command"], timeout=timeout or CHECK_TIMEOUT, directory=str(Path(self._path).parent)
        )

    def _checked(self, path: TreePath, read: Callable[[Any], Any], text: Any) -> Any:
        """Return what ``read`` makes of a text; None, and a note in the tree, where that is nothing."""
        if text is None:
            return None
        try:
            return read(text)
        except ValueError as error:
            durations = {length_from, completion_from, deprecation_from, date_from}  # their errors don't name the key
            self._tree.blame(path, f"{path[-1]}: {error}" if read in durations else str(error))
            return None

    def _refuse_twins(self, entry: Entry, path: TreePath) -> None:
        """Refuse a second entry for the same source in the same region: one of them would lose."""
        for request in entry.requests:
            for region in request.to:
                first = self._seen.setdefault((repr(entry.source), region), entry.where)
                if first != entry.where:
                    self._tree.blame(path, f"the same source is copied to {region} in {first} too")


def _within(regions: Sequence[str], accounts: Sequence[TargetAccount]) -> Iterator[TargetAccount]:
    """Yield the accounts that get copies in these destinations, each with those of its own regions."""
    for target in accounts:
        own = tuple(name for name in target.regions if is_pattern(name) or names_region(regions, name))
        if own or not target.regions:
            yield replace(target, regions=own)


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


def _no_account(name: str) -> str:
    """Return why something cannot be published in an account of this name; empty if it can."""
    if is_unit(name):
        return f"{name} is an organizational unit; write a list with {{ou: {name}}}"
    try:
        if name != OWN_ACCOUNT:
            check_account(name)
    except ValueError as error:
        return f"{error}; {OWN_ACCOUNT} is the account of the credentials"
    return ""


def _are(destinations: int) -> str:
    return "is only 1 destination" if destinations == 1 else f"are only {destinations} destinations"


def _hint(why: str | None) -> str:
    words = (why or "").rstrip(".")
    return words[:1].lower() + words[1:]


def _listed(said: Any) -> list[str]:
    if isinstance(said, str):
        return [said]
    return [str(one) for one in said]
