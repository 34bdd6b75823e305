"""Templates are data: known fields and braces, nothing of what Python's format language can do beside."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amicopy.core.templates import FIELDS, check_template, fill_template

VALUES = {name: f"<{name}>" for name in FIELDS}


def test_every_known_field_is_filled() -> None:
    template = "{name} {source_id} {source_region} {region} {date}"
    check_template(template)
    assert fill_template(template, VALUES) == "<name> <source_id> <source_region> <region> <date>"


def test_a_field_may_come_twice_and_without_anything_between() -> None:
    check_template("{name}{name}")
    assert fill_template("{name}{name}", VALUES) == "<name><name>"


@pytest.mark.parametrize(
    "template",
    [
        "{}",
        "{0}",
        "{tag}",
        "{Name}",
        "{ name}",
        "{name.upper}",
        "{name.__class__.__mro__}",
        "{name[0]}",
        "{name!r}",
        "{name!s}",
        "{name:>200}",
        "{name:{region}}",
        "{name!r:>9}",
    ],
)
def test_attributes_indices_conversions_and_format_specs_are_refused(template: str) -> None:
    with pytest.raises(
        ValueError, match=r"is an unknown field; the fields are \{name\} \{source_id\}|only insert values"
    ):
        check_template(template)


@pytest.mark.parametrize("template", ["{", "}", "{name", "name}", "{{name}", "{name}}", "{name!}"])
def test_a_lonely_brace_is_refused_with_how_to_write_one(template: str) -> None:
    with pytest.raises(ValueError, match=r"is not a valid template: .*write \{\{ for a brace"):
        check_template(template)


@pytest.mark.parametrize(("template", "filled"), [("{{name}}", "{name}"), ("{{{name}}}", "{<name>}"), ("}}{{", "}{")])
def test_doubled_braces_are_braces(template: str, filled: str) -> None:
    check_template(template)
    assert fill_template(template, VALUES) == filled


def test_what_is_put_in_is_not_looked_at_again() -> None:
    assert fill_template("{name}", {"name": "{region} {{ }} {0.__class__}"}) == "{region} {{ }} {0.__class__}"


@given(st.text())
def test_any_text_with_its_braces_doubled_means_itself(text: str) -> None:
    template = text.replace("{", "{{").replace("}", "}}")
    check_template(template)
    assert fill_template(template, VALUES) == text


@given(st.text(alphabet="{}!:.[]name0 "))
def test_what_is_checked_can_be_filled(template: str) -> None:
    try:
        check_template(template)
    except ValueError:
        return
    assert isinstance(fill_template(template, VALUES), str)
