"""`accounts` in a manifest: the other accounts that get copies."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from amicopy.core.accounts import DEFAULT_ROLE, TargetAccount, account_problems
from amicopy.core.kms_key import check_key
from amicopy.core.regions import is_pattern, names_region, split_names
from amicopy.manifest.notes import Notes, listed
from amicopy.manifest.yaml_tree import Path as TreePath


def accounts_from(
    noted: Notes, merged: Mapping[str, Any], path: TreePath, named: Sequence[str]
) -> Iterator[TargetAccount]:
    """Yield the other accounts of an entry; note what is wrong with each."""
    found: list[tuple[TreePath, TargetAccount]] = []
    for number, said in enumerate(merged.get("accounts", ())):
        at = (*path, number)
        if said is None:  # its problem is noted
            continue
        if ("id" in said) == ("ou" in said):
            noted.tree.blame(at, "give exactly one of id and ou")
            continue
        target = TargetAccount(
            account=str(said.get("id", "")),
            unit=said.get("ou", ""),
            role=said.get("role", DEFAULT_ROLE),
            external_id=said.get("external_id", ""),
            regions=split_names(listed(said.get("regions", []))),
            kms_key=said.get("kms_key", ""),
        )
        noted.check_regions((*at, "regions"), said.get("regions", []))
        noted.checked((*at, "kms_key"), check_key, target.kms_key or None)
        for region in target.regions:
            if not is_pattern(region) and not names_region(named, region):
                noted.tree.blame((*at, "regions"), f"{region} is not a destination")
        for problem in account_problems([target]):
            noted.tree.blame(at, problem)
        found.append((at, target))
    seen: set[str] = set()
    for at, target in found:
        name = target.name
        if name in seen:
            noted.tree.blame(at, f"{name} is given twice")
        seen.add(name)
        yield target


def accounts_within(regions: Sequence[str], accounts: Sequence[TargetAccount]) -> Iterator[TargetAccount]:
    """Yield the accounts that get copies in these destinations, each with those of its own regions."""
    for target in accounts:
        own = tuple(name for name in target.regions if is_pattern(name) or names_region(regions, name))
        if own or not target.regions:
            yield replace(target, regions=own)
