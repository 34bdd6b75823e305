"""docs/bench.md: the figures as tables, from docs/bench.json.

Refuses to measure. Goals stand beside figures, and a figure that misses its goal says so.
"""

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from tests.bench.starting import (
    BARE,
    CLICK,
    FULL,
    HELP,
    SIGNED,
    SIGNED_FULL,
    STOCK,
    STOCK_FULL,
    VERSION,
)

Results = Mapping[str, Any]
INTRODUCTION = """\
# Benchmark: the figures

Written by `make bench`; do not edit. What is measured, how, and how to repeat it: [performance.md](performance.md).
"""
# What is said of it, the figure that is divided, the one that it is divided by, with hosts far away, the goal.
RATIOS = (
    ("stock botocore takes, of amicopy's time without its survey", STOCK, BARE, False, ">= 4"),
    ("amicopy without its survey, of urllib3 with the signer", BARE, SIGNED, False, "<= 1.7"),
    ("the same, with far hosts", BARE, SIGNED, True, "<= 1.25"),
    ("stock botocore takes, of `amicopy copy`'s time, both with the survey", STOCK_FULL, FULL, False, ">= 4"),
    ("`amicopy copy`, of urllib3 with the signer and the survey", FULL, SIGNED_FULL, False, "<= 1.7"),
    ("the same, with far hosts", FULL, SIGNED_FULL, True, "<= 1.25"),
)


def document(results: Results) -> str:
    """Return the whole document; parts that have not been measured are left out."""
    parts = [INTRODUCTION]
    writers = {
        "peers": _peers,
        "release": _release,
        "polling": _polling,
        "start-up": _start_up,
        "round-trips": _round_trips,
        "scale": _scale,
        "scan": _scan,
        "content": _content,
        "rates": _rates,
    }
    for name, write in writers.items():
        if name in results:
            parts += [*write(results[name]), _machine(results[name])]
    return "\n".join(parts)


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table; columns of numbers are aligned to the right."""
    columns = [[row[number] for row in rows] for number in range(len(head))]
    dashes = ["---:" if all(isinstance(cell, int | float) for cell in column) else "---" for column in columns]
    lines = [head, dashes, *rows]
    return "".join(f"| {' | '.join(str(cell).replace('|', '/') for cell in line)} |\n" for line in lines)


def calls_in_words(calls: Mapping[str, int]) -> str:
    """Return calls by action, the most frequent first."""
    ordered = sorted(calls.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {count}" for name, count in ordered)


def undone_in_words(undone: Mapping[str, int], regions: int) -> str:
    """Return what a run left undone; with the number of copies where not all lack it."""
    words = [what if count == regions else f"{what} (of {count})" for what, count in undone.items()]
    return ", ".join(words) or "nothing"


def _scan(part: Results) -> Iterator[str]:
    yield (
        f"## Scanning an image of 8 GiB with {part['files']:,} files\n\n"
        "`amicopy scan`, and beside it what reads every block that was ever written (as coldsnap does). The waiting "
        "is computed: 20 to 60 ms a block, 16 at the same time. The price is GetSnapshotBlock's in us-east-1. "
        "An aged image has files of the machine that measures, written by the kernel package by package, with updates "
        "and growing logs in between: its configuration is spread over the disk.\n"
    )
    columns = ("image", "way", "allocated", "fetched", "waiting_seconds", "cpu_seconds", "peak_mib")
    heads = ("file system", "way", "blocks", "fetched", "waiting, s", "CPU, s", "peak, MiB", "USD")
    yield table(heads, [[*(row[column] for column in columns), f"{row['usd']:.5f}"] for row in part["rows"]])


def _content(part: Results) -> Iterator[str]:
    yield (
        f"## Comparing the data of copies in {part['regions']} regions\n\n"
        "`amicopy verify --content` of the sample AMI with three volumes. The sandbox that serves the blocks runs on "
        "the same processors, so that the time is more than that of EBS; the CPU time is amicopy's alone, and grows "
        "with the load of the machine, which other programs were using. A sample has 460 blocks of each volume, read "
        "on both sides: those of the source once, for both regions.\n"
    )
    heads = ("", "volumes", "blocks compared", "s", "CPU, s", "memory, MiB", "load")
    columns = ("level", "volumes", "blocks", "wall_seconds", "cpu_seconds", "peak_mib", "load")
    yield table(heads, [[row[column] for column in columns] for row in part["rows"]])


def _machine(part: Results) -> str:
    machine = part["machine"]
    return (
        f"Measured on {part['date']}: {machine['cpus']} CPUs ({machine['cpu']}), {machine['system']}, "
        f"Python {machine['python']}, amicopy {machine['amicopy']}, botocore {machine['botocore']}.\n"
    )


def _peers(part: Results) -> Iterator[str]:
    times = ", ".join(f"{seconds:g}" for seconds in part["copy_seconds"])
    yield "## Beside what else there is\n"
    yield (
        f"One AMI with two volumes, copied to regions of the same local EC2. A copy takes {times} s, by round; "
        "the table shows what a run takes in addition, as the median of its runs.\n"
    )
    yield "![Overhead in seconds, by tool and number of regions](bench.svg)\n"
    yield table(
        ["", "regions", "overhead s", "least to most", "runs", "CPU s", "memory MiB", "calls", "left undone"],
        [
            [
                row["peer"],
                row["regions"],
                row["overhead_seconds"],
                f"{row['overhead_least']} to {row['overhead_most']}" if row["runs"] > 1 else "",
                row["runs"],
                row["cpu_seconds"],
                row["peak_mib"],
                sum(row["calls"].values()),
                _undone(row, row["regions"]),
            ]
            for row in part["rows"]
        ],
    )
    most = max(row["regions"] for row in part["rows"])
    yield f"Calls by action, {most} regions:\n"
    yield table(
        ["", "calls"],
        [[row["peer"], _with_rehearsals(row)] for row in part["rows"] if row["regions"] == most],
    )
    yield "The peers:\n"
    for peer in part["peers"]:
        said = peer["version"] or f"not run: {peer['why_not']}"
        yield f"- **{peer['name']}**: {said}{'; ' + peer['note'] if peer['note'] else ''}"
    yield ""


def _release(part: Results) -> Iterator[str]:
    yield f"## A release: {part['images']} AMIs\n"
    least, most = (round(part["copy_seconds"] * (1 + sign * part["variation"])) for sign in (-1, 1))
    copies = part["images"] * part["regions"]
    yield (
        f"{part['images']} AMIs to {part['regions']} regions: {copies} copies that take {least} to {most} s, "
        "no two alike. A copy is complete once it lacks nothing of its source; how long after it was available?\n"
    )
    yield table(
        [
            "",
            "s over the longest copy",
            "copies complete after s, mean",
            "most",
            "CPU s",
            "memory MiB",
            "calls",
            "of them to look",
            "left undone",
        ],
        [
            [
                row["peer"],
                row["overhead_seconds"],
                "never" if row["late_mean"] is None else row["late_mean"],
                "never" if row["late_most"] is None else row["late_most"],
                row["cpu_seconds"],
                row["peak_mib"],
                sum(row["calls"].values()),
                sum(count for name, count in row["calls"].items() if name.startswith(("Describe", "Get"))),
                _undone(row, copies),
            ]
            for row in part["rows"]
        ],
    )
    yield "Calls by action:\n"
    yield table(["", "calls"], [[row["peer"], _with_rehearsals(row)] for row in part["rows"]])


def _polling(part: Results) -> Iterator[str]:
    yield "## Polling, simulated\n"
    yield (
        "10 AMIs to 17 regions, 3 to 40 minutes a copy, 11 in the middle: calls of one run, the most of them in a "
        "region (a second, over any minute), and how many seconds late the end of a copy is noticed; means of "
        f"{part['seeds']} simulated runs.\n"
    )
    columns = {
        "looking every": "name",
        "progress, read": "progress",
        "DescribeImages": "images",
        "DescribeSnapshots": "snapshots",
        "calls/s": "busiest",
        "late: mean": "mean",
        "p95": "p95",
        "most": "most",
    }
    yield table(list(columns), [[row[name] for name in columns.values()] for row in part["rows"]])


def _undone(row: Results, copies: int) -> str:
    return "; ".join(filter(None, [row["failed"], undone_in_words(row["undone"], copies)]))


def _with_rehearsals(row: Results) -> str:
    rehearsed = f"; {row['rehearsed']} of them rehearsals (DryRun)" if row["rehearsed"] else ""
    return calls_in_words(row["calls"]) + rehearsed


def _start_up(part: Results) -> Iterator[str]:
    yield "## Start-up\n"
    yield (
        "From the start of a process to the arrival of CopyImage for 33 regions at a local TLS endpoint; "
        f"medians of {part['rounds']} rounds, and of the ratios within each.\n"
    )
    rows = part["rows"]
    yield table(
        ["", "hosts away", "first ms", "last ms", "least to most", "CPU ms", "memory MiB", "requests"],
        [
            [
                row["name"],
                "60 to 600 ms" if row["far"] else "0",
                row["first_ms"],
                row["last_ms"],
                f"{row['last_least']} to {row['last_most']}",
                row["cpu_ms"],
                row["peak_mib"],
                row["requests"],
            ]
            for row in rows
        ],
    )
    for name, why in part["missing"].items():
        yield f"Not run: {name}: {why}\n"
    yield table(["ratio", "figure", "goal", ""], list(_ratios(rows, part["saying"])))
    yield table(["what only says something", "ms"], list(part["saying"].items()))


def _ratios(rows: Sequence[Results], saying: Mapping[str, float]) -> Iterator[list[object]]:
    last = {(row["name"], row["far"]): row for row in rows}
    for words, above, below, far, goal in RATIOS:
        if (above, far) in last and (below, far) in last:
            rounds = zip(last[above, far]["last_by_round"], last[below, far]["last_by_round"], strict=False)
            yield [words, *against(median(over / under for over, under in rounds), goal)]
    for name in (BARE, FULL):
        if (name, False) in last:
            yield [f"memory of {name}, MiB", *against(last[name, False]["peak_mib"], "< 60")]
    for name in (HELP, VERSION):
        yield [f"`{name}`, of {CLICK}", *against(saying[name] / saying[CLICK], "< 1.5")]


def against(figure: float, goal: str) -> list[object]:
    """Return a figure, its goal, and whether it is met; a goal is "<", "<=", ">=" and a number, or empty."""
    shown = f"{figure:.2f}" if figure < 10 else f"{figure:.0f}"
    if not goal:
        return [shown, "", ""]
    relation, number = goal.split()
    met = {"<": figure < float(number), "<=": figure <= float(number), ">=": figure >= float(number)}[relation]
    return [shown, goal, "met" if met else "missed"]


def _round_trips(part: Results) -> Iterator[str]:
    yield "## Round trips\n"
    yield (
        "What the first CopyImage of `amicopy copy` waits for with every endpoint 300 ms away, in round trips; the "
        f"least of {part['rounds']} rounds. A new connection takes two (TCP, TLS 1.3).\n"
    )
    rows = part["rows"]
    yield table(
        ["regions", "answers", "goal", "", "answers and connections", "calls before it", "connections"],
        [
            [
                row["regions"],
                *against(row["answers"], "<= 3.5"),
                row["answers_and_connections"],
                row["requests"] - 1,
                row["connections"],
            ]
            for row in rows
        ],
    )


def _rates(part: Results) -> Iterator[str]:
    yield "## Under EC2's rates\n"
    least, most = (round(part["copy_seconds"] * (1 + sign * part["variation"])) for sign in (-1, 1))
    copies = part["images"] * part["regions"]
    yield (
        f"{part['images']} AMIs of {part['volumes']} volumes to {part['regions']} regions, {copies} copies that take "
        f"{least} to {most} s, in a sandbox that throttles as EC2 documents it (`--rates ec2`).\n"
    )
    rows = part["rows"]
    yield table(
        [
            "",
            "survey s",
            "survey calls",
            "s to the end",
            "calls",
            "throttled",
            "CPU s",
            "memory MiB",
            "server's CPU s",
            "exit code",
            "left undone",
        ],
        [
            [
                row["peer"],
                round(row["survey_seconds"], 1),
                row["survey_calls"],
                round(row["wall_seconds"]),
                sum(row["calls"].values()),
                sum(row["throttled"].values()),
                round(row["cpu_seconds"]),
                round(row["peak_mib"]),
                round(row["server_cpu_seconds"]),
                row["exit_code"],
                undone_in_words(row["undone"], copies),
            ]
            for row in rows
        ],
    )
    yield "Calls by action, and those that were throttled:\n"
    yield table(
        ["", "calls", "throttled"],
        [[row["peer"], _with_rehearsals(row), calls_in_words(row["throttled"]) or "none"] for row in rows],
    )


def _scale(part: Results) -> Iterator[str]:
    yield "## Scale\n"
    yield f"AMIs to {part['regions']} regions in one run of `amicopy copy`; a copy takes {part['copy_seconds']:g} s.\n"
    rows = part["rows"]
    yield table(
        ["AMIs", "copies", "wall s", "CPU s", "memory MiB (RSS)", "calls", "server's CPU s", "left undone"],
        [
            [
                row["images"],
                row["copies"],
                row["wall_seconds"],
                row["cpu_seconds"],
                row["largest_mib"],
                sum(row["calls"].values()),
                row["server_cpu_seconds"],
                f"exit code {row['exit_code']}" if row["exit_code"] else undone_in_words(row["undone"], row["copies"]),
            ]
            for row in rows
        ],
    )
    few, many = rows[0], rows[-1]
    yield table(
        ["", "figure", "goal", ""],
        [
            [
                f"CPU for {many['images'] // few['images']} times the AMIs, times",
                *against(many["cpu_seconds"] / few["cpu_seconds"], "<= 12"),
            ],
            [f"memory with {many['images']} AMIs, MiB", *against(many["largest_mib"], "< 300")],
        ],
    )
