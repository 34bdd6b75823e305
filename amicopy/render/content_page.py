"""Verdicts on copies as one HTML page, with the evidence of every comparison of data."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from amicopy.core.content import BLOCKS_OF_SAMPLE, ContentLevel, CopyContent, VolumeContent
from amicopy.core.errors import ExitCode
from amicopy.plan.copy_status import CopyStatus
from amicopy.render.html import command, day, document, listed, soft, text
from amicopy.render.text import counted
from amicopy.render.verify import content_words, differing, verdict

_TONES = {"faithful": "good", "pending": "wait", "partly compared": "wait"}
_COLUMNS: Mapping[str, Callable[[VolumeContent], str]] = {
    "volume": lambda volume: text(volume.device),
    "source": lambda volume: _snapshot(volume.source_snapshot_id, volume.source_blocks, volume.source_bytes),
    "copy": lambda volume: _snapshot(volume.copy_snapshot_id, volume.copy_blocks, volume.copy_bytes),
    "evidence": lambda volume: _evidence(volume),
}


def verdict_page(
    found: Sequence[CopyStatus],
    *,
    now: datetime,
    exit_code: ExitCode,
    command_line: str = "",
    counts: Mapping[str, int] | None = None,
) -> str:
    """Return the page; ``command_line`` as a person would type it, ``counts`` the calls of each AWS operation."""
    good = sum(one.is_faithful and not one.copy.state.in_progress for one in found)
    copies = counted(len(found), "copy", "copies")
    return document(
        title=f"{good} of {copies} match" if found else "no copy",
        status="compared with the source",
        exit_code=exit_code,
        settings={"command": command(command_line), "at": day(now)},
        main=(part for one in found for part in _section(one)),
        calls=counts or {},
    )


def _section(one: CopyStatus) -> Iterator[str]:
    words = verdict(one)
    yield '<section class="source">'
    yield f'<h2>{text(one.place)} <span class="id">{text(one.copy.image_id)}</span></h2>'
    yield f'<p><span class="state {_TONES.get(words, "bad")}">{text(words)}</span> '
    yield soft(f'copy of <span class="id">{text(one.source.reference)}</span> ({text(one.source.name) or "no name"})')
    yield "</p>"
    if problems := differing(one):
        yield listed(problems)
    if one.content:
        yield from _content(one.content)
    yield "</section>"


def _content(content: CopyContent) -> Iterator[str]:
    if content.error:
        yield f'<div class="failure"><p>{text(content.error.what)}</p><p>{text(content.error.why)}</p></div>'
    yield from (f"<p>{text(words)}</p>" for words in content_words(content))
    if content.level is ContentLevel.SAMPLE:
        yield f'<p class="soft">If 1 % of a volume differed, {BLOCKS_OF_SAMPLE} random blocks would show it in 99 % of '
        yield f"cases. The same sample again: <code>--content sample --seed {content.seed}</code></p>"
    if content.volumes:
        yield f"<table><thead><tr>{''.join(f'<th>{name}</th>' for name in _COLUMNS)}</tr></thead><tbody>"
        for volume in content.volumes:
            yield f"<tr>{''.join(f'<td>{cell(volume)}</td>' for cell in _COLUMNS.values())}</tr>"
        yield "</tbody></table>"


def _snapshot(snapshot_id: str, blocks: int | None, full_bytes: int | None) -> str:
    facts = [f"{blocks:,} blocks"] if blocks is not None else []
    facts += [f"{full_bytes:,} bytes"] if full_bytes is not None else []
    return f'<span class="id">{text(snapshot_id)}</span><br>{soft(", ".join(facts))}'


def _evidence(volume: VolumeContent) -> str:
    parts = [text(volume.problem or volume.note or "no difference")]
    if volume.source_digest:
        parts += [
            f"{name}: <code>{digest}</code>"
            for name, digest in (("source", volume.source_digest), ("copy", volume.copy_digest))
        ]
    if volume.sampled:
        numbers = ", ".join(map(str, volume.sampled))
        parts.append(f"<details><summary>blocks: {len(volume.sampled)}</summary>{numbers}</details>")
    return "<br>".join(parts)
