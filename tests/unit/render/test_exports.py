"""AMI ids as the next step reads them: only usable ones, and no text that means more than it says."""

import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from amicopy.core.errors import CopyFailed
from amicopy.core.events import (
    CopyAvailable,
    CopyRequested,
    DestinationFailed,
    DestinationLeft,
    Event,
    LeftBecause,
    SharingDeferred,
)
from amicopy.core.models import ImageState
from amicopy.execute.report import Report
from amicopy.render.exports import EXPORTS, cfn, env, markdown, marked, tfvars
from tests.support.reports import (
    a_row,
    an_image,
    begin,
    done,
    fail,
    finish,
    happened,
    kept,
    of_hostile_text,
    of_two_sources,
    report_of,
)


def test_tfvars_map_every_region_the_sources_own_among_them_to_an_ami() -> None:
    assert tfvars(done("us-west-2", "ap-southeast-1")) == (
        "# us-east-1/ami-0a11 web\n"
        "amis = {\n"
        '  "us-east-1"      = "ami-0a11"\n'
        '  "us-west-2"      = "ami-0c00"\n'
        '  "ap-southeast-1" = "ami-0c01"\n'
        "}\n"
    )


def test_tfvars_of_several_sources_are_maps_by_the_sources_ids() -> None:
    assert tfvars(of_two_sources()) == (
        "# us-east-1/ami-0a11 web\n"
        "# us-east-1/ami-0b22 db\n"
        "# left out: eu-west-1 of ami-0b22, not started\n"
        "amis = {\n"
        '  "ami-0a11" = {\n'
        '    "us-east-1" = "ami-0a11"\n'
        '    "us-west-2" = "ami-0c01"\n'
        '    "eu-west-1" = "ami-0c02"\n'
        "  }\n"
        '  "ami-0b22" = {\n'
        '    "us-east-1" = "ami-0b22"\n'
        '    "us-west-2" = "ami-0c03"\n'
        "  }\n"
        "}\n"
    )


def test_cfn_is_a_mapping_by_region() -> None:
    assert yaml.safe_load(cfn(done("us-west-2"))) == {
        "Mappings": {"AmiByRegion": {"us-east-1": {"Ami": "ami-0a11"}, "us-west-2": {"Ami": "ami-0c00"}}}
    }


def test_cfn_of_several_sources_has_alphanumeric_names_for_them() -> None:
    assert yaml.safe_load(cfn(of_two_sources()))["Mappings"]["AmiByRegion"] == {
        "us-east-1": {"ami0a11": "ami-0a11", "ami0b22": "ami-0b22"},
        "us-west-2": {"ami0a11": "ami-0c01", "ami0b22": "ami-0c03"},
        "eu-west-1": {"ami0a11": "ami-0c02"},
    }


def sourced(path: Path, text: str) -> dict[str, str]:
    """Return the variables that a shell exports after reading ``text``."""
    path.write_text(text)
    ran = subprocess.run(
        ["env", "-i", "sh", "-c", 'set -a; . "$1"; env', "sh", path], capture_output=True, text=True, check=True
    )
    assert ran.stderr == ""
    lines = [line for line in ran.stdout.splitlines() if line.startswith("AMI_")]
    return dict(line.split("=", 1) for line in lines)


def test_env_is_read_by_a_shell(tmp_path: Path) -> None:
    assert sourced(tmp_path / "amis.env", env(done("us-west-2"))) == {
        "AMI_US_EAST_1": "ami-0a11",
        "AMI_US_WEST_2": "ami-0c00",
    }


def test_env_of_several_sources_names_the_source(tmp_path: Path) -> None:
    assert sourced(tmp_path / "amis.env", env(of_two_sources())) == {
        "AMI_0A11_US_EAST_1": "ami-0a11",
        "AMI_0A11_US_WEST_2": "ami-0c01",
        "AMI_0A11_EU_WEST_1": "ami-0c02",
        "AMI_0B22_US_EAST_1": "ami-0b22",
        "AMI_0B22_US_WEST_2": "ami-0c03",
    }


def a_copy_that(kind: type[Event], **members: Any) -> Report:
    """Return the report of a copy that is under way, and to which this happened last."""
    row = a_row("us-west-2")
    report = report_of(row)
    begin(report, row, "ami-0c01")
    report.add(happened(row, kind, 9, **members))
    return report


UNUSABLE = {
    "still copying": a_copy_that(DestinationLeft, because=LeftBecause.NO_WAIT),
    "available, incomplete": a_copy_that(CopyAvailable),
    "available, not shared": a_copy_that(SharingDeferred),
    "failed": a_copy_that(DestinationFailed, error=CopyFailed("No.")),
    "requested, outcome unknown": a_copy_that(CopyRequested, name="web", client_token="again"),
}


@pytest.mark.parametrize("output", ["tfvars", "cfn", "env"])
@pytest.mark.parametrize("words", UNUSABLE)
def test_what_cannot_be_deployed_yet_is_in_no_map_and_a_comment_says_why(output: str, words: str) -> None:
    text = EXPORTS[output](UNUSABLE[words])
    assert "ami-0c01" not in text
    assert f"# left out: us-west-2, {words}\n" in text


def test_a_copy_beside_its_source_takes_the_sources_place() -> None:
    assert '"us-east-1" = "ami-0c00"' in tfvars(done("us-east-1"))
    assert "ami-0a11" not in tfvars(done("us-east-1")).split("amis")[1]


def test_until_the_copy_beside_its_source_is_done_the_region_has_no_ami() -> None:
    assert tfvars(report_of(a_row("us-east-1"))).endswith("amis = {}\n")


def test_a_source_that_cannot_be_launched_is_in_no_map() -> None:
    source = an_image(state=ImageState.DISABLED)
    assert yaml.safe_load(cfn(report_of(a_row("us-west-2", source)))) == {"Mappings": {}}


def test_hostile_text_changes_no_map(tmp_path: Path) -> None:
    report = of_hostile_text()
    ids = {"us-east-1": "ami-0a11", "us-west-2": "ami-0c01"}
    lines = [line for line in tfvars(report).splitlines() if not line.startswith("#")]
    assert lines == ["amis = {", *(f'  "{region}" = "{image_id}"' for region, image_id in ids.items()), "}"]
    assert yaml.safe_load(cfn(report))["Mappings"]["AmiByRegion"] == {key: {"Ami": ids[key]} for key in ids}
    assert sorted(sourced(tmp_path / "amis.env", env(report)).values()) == sorted(ids.values())


@pytest.mark.parametrize("output", ["tfvars", "cfn", "env"])
def test_what_is_no_id_goes_into_no_map(output: str) -> None:
    hostile = replace(an_image("ami-0b22"), region='us"\nx'), an_image('ami-1"\n${x}')
    report = report_of(
        kept("us-west-2", 'ami-1"\n${x}'),
        kept('eu"\nx', "ami-0c01"),
        kept("us-west-1", "ami-0c02"),
        *(kept("eu-west-1", "ami-0c01", source) for source in hostile),
    )
    rows = [line for line in EXPORTS[output](report).splitlines() if not line.startswith("#")]
    assert "ami-0c02" in "".join(rows)
    assert "ami-0c01" not in "".join(rows)
    assert "x" not in "".join(rows)


def test_markdown_is_a_table_of_every_copy_with_its_state_size_and_time() -> None:
    failed = a_row("eu-west-1")
    finished = a_row("us-west-2")
    report = report_of(finished, failed)
    finish(report, finished, "ami-0c01")
    fail(report, failed)
    assert markdown(report) == (
        "| region | copy | source | state | size | took |\n"
        "| --- | --- | --- | --- | ---: | ---: |\n"
        "| us-west-2 | `ami-0c01` | `ami-0a11` | available | 24 GiB | 2 min 05 s |\n"
        "| eu-west-1 | `ami-0dead` | `ami-0a11` | failed | 24 GiB | - |\n"
        "\n"
        "- **eu-west-1**: It failed. EC2 says so. Try again.\n"
    )


class _Text(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def rendered(text: str) -> _Text:
    """Return what a reader of Markdown makes of ``text``."""
    return _Text(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text))


def test_hostile_text_in_markdown_is_shown_as_it_is() -> None:
    shown = rendered(markdown(of_hostile_text()))
    assert shown.tags == {"table", "thead", "tbody", "tr", "th", "td", "ul", "li", "strong", "code"}
    assert "<script>alert(1)</script> \\x1b[31m \\u202e* ami" in shown.text


@given(st.text(alphabet="\\`*_{}[]<>#+!|~&$@ab:/.-1\n\x1b"))
def test_foreign_text_comes_out_of_markdown_as_it_went_in(text: str) -> None:
    shown = rendered(f"| head |\n| --- |\n| x {marked(text)} y |\n")
    assert shown.tags == {"table", "thead", "tbody", "tr", "th", "td"}
    one_line = text.replace("\n", "\\x0a").replace("\x1b", "\\x1b").replace("##[", "\\x23#[")
    assert f"x {one_line} y" in shown.text
