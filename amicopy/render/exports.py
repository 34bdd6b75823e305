"""AMI ids by region for the next step: Terraform, CloudFormation, shells, Markdown.

Only ids that are available and up to date, since people deploy from these maps. The sources' own ids are included.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from amicopy.core.destination import Destination
from amicopy.core.models import ImageState
from amicopy.execute.report import Outcome, Report
from amicopy.render.result import took
from amicopy.render.states import state_words
from amicopy.render.text import safe

# Regions and ids are written as they are, into languages in which `$`, quotes and line ends mean something.
_PLAIN = re.compile(r"[A-Za-z0-9-]+")
# What Markdown may take for more than itself; a backslash before it makes it text again.
_MARKS = re.compile(r"([\\`*_{}\[\]<>#+!|~&$@])")


def amis(report: Report) -> dict[str, dict[str, str]]:
    """Return the usable AMIs of each source: its label or id, then region and id, the source's own region first.

    A copy beside its source (encrypted anew, say) takes the source's place; until it is done the region has no entry.
    """
    found: dict[str, dict[str, str]] = {}
    asked_for = {outcome.row.key for outcome in report.outcomes}
    for outcome in report.outcomes:
        source = outcome.row.source
        if not _are_plain(source.image_id, source.region):
            continue
        ids = found.setdefault(outcome.row.label or source.image_id, {})
        if source.state is ImageState.AVAILABLE and (source.reference, Destination(source.region)) not in asked_for:
            ids[source.region] = source.image_id
        if _is_usable(outcome):
            ids[outcome.place] = outcome.image_id
    return found


def _is_usable(outcome: Outcome) -> bool:
    return outcome.is_well and _are_plain(outcome.image_id, outcome.region)


def _are_plain(*texts: str) -> bool:
    return all(map(_PLAIN.fullmatch, texts))


def only(report: Report, found: Mapping[str, dict[str, str]]) -> dict[str, str] | None:
    """Return the ids of the only source; None where there are several, or where it has a label to be found by."""
    has_label = any(outcome.row.label for outcome in report.outcomes)
    return next(iter(found.values()), {}) if len(found) < 2 and not has_label else None


def tfvars(report: Report) -> str:
    """Return ``amis`` for a ``*.auto.tfvars`` file: ``map(string)``; with several sources or labels, a map of those."""
    found = amis(report)
    ids = only(report, found)
    if ids is not None:
        return _text([*_comments(report), *_hcl_map("amis", ids)])
    inner = [f"  {line}" for name, some in found.items() for line in _hcl_map(f'"{name}"', some)]
    return _text([*_comments(report), "amis = {", *inner, "}"])


def _hcl_map(name: str, ids: Mapping[str, str]) -> list[str]:
    width = max(map(len, ids), default=0) + 2  # aligned as `terraform fmt` does
    entries = [f"  {_quoted(region):{width}} = {_quoted(image_id)}" for region, image_id in ids.items()]
    return [f"{name} = {{", *entries, "}"] if entries else [f"{name} = {{}}"]


def _quoted(plain: str) -> str:
    return f'"{plain}"'


def cfn(report: Report) -> str:
    """Return the ``Mappings`` section of a CloudFormation template.

    ``!FindInMap [AmiByRegion, !Ref AWS::Region, Ami]`` finds the id; of several sources ``Ami`` is the source's id
    or label without hyphens and underscores, since CloudFormation takes only letters and digits there. Each other
    account has a map of its own, whose name ends with the account: ``AmiByRegion222222222222``.
    """
    found = amis(report)
    is_only = only(report, found) is not None
    maps: dict[str, dict[str, dict[str, str]]] = {}
    for name, ids in found.items():
        key = "Ami" if is_only else "".join(filter(str.isalnum, name))
        for place, image_id in ids.items():
            account, _, region = place.rpartition("/")
            maps.setdefault(account, {}).setdefault(region, {})[key] = image_id
    lines = ["Mappings:"] if maps else ["Mappings: {}"]
    for account, by_region in maps.items():
        lines.append(f"  AmiByRegion{account}:")
        for region, keys in by_region.items():
            lines += [f"    {region}:", *(f"      {key}: {_quoted(image_id)}" for key, image_id in keys.items())]
    return _text([*_comments(report), *lines])


def env(report: Report) -> str:
    """Return ``AMI_US_WEST_2=ami-…`` lines for a shell (``set -a; . FILE``) and ``docker run --env-file``.

    With several sources the name contains the source's id or label too: ``AMI_0ABC…_US_WEST_2``.
    """
    found = amis(report)
    is_only = only(report, found) is not None
    lines = [
        f"{_variable(region if is_only else f'{name}-{region}')}={image_id}"
        for name, ids in found.items()
        for region, image_id in ids.items()
    ]
    return _text([*_comments(report), *lines])


def _variable(plain: str) -> str:
    return "AMI_" + re.sub("[-/]", "_", plain.removeprefix("ami-").upper())


def _comments(report: Report) -> Iterator[str]:
    """Yield what the map is made from, and what it lacks: a reader should not have to guess why a region is missing."""
    names = {outcome.row.source.reference: outcome.row.source.name for outcome in report.outcomes}
    for reference, name in names.items():
        yield f"# {safe(reference)} {safe(name)}".rstrip()
    for outcome in report.outcomes:
        if not _is_usable(outcome):
            source = f" of {safe(outcome.source_id)}" if len(names) > 1 else ""
            yield f"# left out: {safe(outcome.place)}{source}, {state_words(outcome)}"


def markdown(report: Report) -> str:
    """Return a table of every copy, in whatever state, and below it why some failed."""
    return _text([*markdown_table(report.outcomes), *markdown_failures(report.outcomes)])


def markdown_table(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    yield "| region | copy | source | state | size | took |"
    yield "| --- | --- | --- | --- | ---: | ---: |"
    for outcome in outcomes:
        cells = [
            marked(outcome.place),
            code(outcome.image_id) or "-",
            code(outcome.source_id),
            state_words(outcome),
            f"{outcome.row.source.volume_gib} GiB",
            took(outcome),
        ]
        yield f"| {' | '.join(cells)} |"


def markdown_failures(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """Yield one item of a list, after an empty line, for each that failed: what happened, why, what to do next."""
    failed = [outcome for outcome in outcomes if outcome.error and outcome.has_failed]
    if failed:
        yield ""
    for outcome in failed:
        assert outcome.error
        parts = (outcome.error.what, *outcome.error.details, outcome.error.why, outcome.error.next_step)
        yield f"- **{marked(outcome.place)}**: {' '.join(marked(part) for part in parts if part)}"


def code(text: str) -> str:
    """Return an id as Markdown code; what is none as text; empty for empty."""
    return f"`{text}`" if _are_plain(text) else marked(text)


def marked(text: str) -> str:
    """Return foreign text so that Markdown shows it as it is: no markup, no HTML, no second line, no table cell."""
    return _MARKS.sub(r"\\\1", safe(text))


def _text(lines: Sequence[str]) -> str:
    return "\n".join(lines) + "\n"


EXPORTS: Mapping[str, Callable[[Report], str]] = {"tfvars": tfvars, "cfn": cfn, "env": env, "markdown": markdown}
"""The exports by their names in `formats.EXPORT_FORMATS`."""
