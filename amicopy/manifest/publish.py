"""`publish` in a manifest: the parameters and launch templates that get the ids of the copies."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from amicopy.core.accounts import check_account, check_unit, is_unit
from amicopy.core.regions import listed_names, split_names
from amicopy.core.request import CopyRequest
from amicopy.core.templates import check_template
from amicopy.manifest.model import OWN_ACCOUNT, LaunchTemplate, Parameter, Publish
from amicopy.manifest.notes import Notes, listed
from amicopy.manifest.yaml_tree import Path as TreePath


def publish_from(
    noted: Notes, merged: Mapping[str, Any], places: Mapping[str, TreePath], requests: Sequence[CopyRequest]
) -> Publish | None:
    """Return where the ids are published; None if nowhere."""
    said = merged.get("publish")
    if said is None:
        return None
    if not {"ssm", "launch_templates"} & said.keys():
        noted.tree.blame(places["publish"], "publish needs ssm, launch_templates, or both")
        return None
    ssm, templates = ((*places["publish"], key) for key in ("ssm", "launch_templates"))
    return Publish(
        parameters=tuple(_parameters(noted, ssm, said.get("ssm", []), requests)),
        launch_templates=tuple(_templates(noted, templates, said.get("launch_templates", []), requests)),
        when_all=said.get("when") == "all",
        allow_older=said.get("allow_older", False),
        include_source=said.get("include_source", False),
    )


def _parameters(noted: Notes, path: TreePath, said: Any, requests: Sequence[CopyRequest]) -> Iterator[Parameter]:
    for number, one in enumerate(said if isinstance(said, list) else [said]):
        at = (*path, number) if isinstance(said, list) else path
        mapping: Any = {"path": one} if isinstance(one, str) else one
        place = at if isinstance(one, str) else (*at, "path")
        if mapping is None or "path" not in mapping:  # its problem is noted
            continue
        name = mapping["path"]
        noted.checked(place, check_template, name)
        noted.checked((*at, "description"), check_template, mapping.get("description"))
        if name.lower().startswith(("/aws", "/ssm")):
            noted.tree.blame(place, "AWS reserves parameters that begin with /aws or /ssm")
        if not name.startswith("/"):
            noted.tree.blame(place, "a parameter's path begins with /")
        noted.check_regions((*at, "in"), mapping.get("in", []))
        yield Parameter(
            path=name,
            description=mapping.get("description", ""),
            regions=split_names(listed(mapping.get("in", []))),
            **_accounts(noted, (*at, "accounts"), mapping.get("accounts", []), requests),
            overwrite=mapping.get("overwrite", True),
        )


def _templates(noted: Notes, path: TreePath, said: Any, requests: Sequence[CopyRequest]) -> Iterator[LaunchTemplate]:
    for number, one in enumerate(said if isinstance(said, list) else [said]):
        at = (*path, number) if isinstance(said, list) else path
        mapping: Any = {"name": one} if isinstance(one, str) else one
        if mapping is None or "name" not in mapping:  # its problem is noted
            continue
        place = at if isinstance(one, str) else (*at, "name")
        noted.checked(place, check_template, mapping["name"])
        noted.checked((*at, "description"), check_template, mapping.get("description"))
        if mapping["name"].startswith("lt-"):
            noted.tree.blame(place, "give the name of the launch template: ids differ from region to region")
        noted.check_regions((*at, "in"), mapping.get("in", []))
        yield LaunchTemplate(
            path=mapping["name"],
            description=mapping.get("description", "{name}"),
            regions=split_names(listed(mapping.get("in", []))),
            **_accounts(noted, (*at, "accounts"), mapping.get("accounts", []), requests),
        )


def _accounts(noted: Notes, path: TreePath, said: Any, requests: Sequence[CopyRequest]) -> dict[str, tuple[str, ...]]:
    """Return the accounts and the units that something is published in; note where the image gets no copies."""
    targets = [target for request in requests for target in request.accounts]
    named = {OWN_ACCOUNT, *(target.account for target in targets)}
    is_default = path[0] == "defaults"
    found: dict[str, dict[str, None]] = {"accounts": {}, "units": {}}
    for number, one in enumerate(said if isinstance(said, list) else [said]):
        at = (*path, number) if isinstance(said, list) else path
        if isinstance(one, dict) and ("id" in one) == ("ou" in one):
            noted.tree.blame(at, "give exactly one of id and ou")
        elif isinstance(one, dict) and "ou" in one:
            noted.checked(at, check_unit, one["ou"])
            if not targets and not is_default:
                noted.tree.blame(at, f"the image has no accounts, so none of {one['ou']} gets a copy")
            noted.once(found["units"], one["ou"], at)
        elif one is not None:  # its problem is noted
            for name in listed_names([str(one["id"] if isinstance(one, dict) else one)]):
                is_known = name in named or is_default or any(target.unit for target in targets)
                if problem := _no_account(name):
                    noted.tree.blame(at, problem)
                elif not is_known:
                    noted.tree.blame(at, f"{name} is not one of the image's accounts")
                noted.once(found["accounts"], name, at)
    return {key: tuple(names) for key, names in found.items()}


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
