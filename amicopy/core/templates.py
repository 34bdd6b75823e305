"""Names and descriptions as templates: ``{name} {source_id} {source_region} {region} {date}``.

In a description, ``{description}`` is the source's.

Nothing else of Python's format language is allowed: a template is data, never code.
"""

import re
import string
from collections.abc import Callable, Mapping, Sequence

_DAY = r"\d{4}-\d{2}-\d{2}"
FIELDS = ("name", "source_id", "source_region", "region", "date")
DESCRIPTION_FIELDS = (*FIELDS, "description")


def check_template(template: str, fields: Sequence[str] = FIELDS) -> None:
    """Check that ``template`` uses these fields only.

    Raises:
        ValueError: the template is invalid; the message says why and lists the fields.
    """
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"{template!r} is not a valid template: {error}; write {{{{ for a brace") from error
    for _, field, spec, conversion in parts:
        if field in fields and (spec or conversion):
            raise ValueError(
                f"{template!r} formats {{{field}}}, but templates only insert values: write {{{field}}} alone"
            )
        if field is not None and field not in fields:
            known = " ".join("{" + name + "}" for name in fields)
            raise ValueError(f"{{{field}}} in {template!r} is an unknown field; the fields are {known}")


def template_problem(template: str, problem_of: Callable[[str], str], fields: Sequence[str] = FIELDS) -> str:
    """Return what is wrong with a template, or an empty string.

    ``problem_of`` has EC2's rules for the text. A template without fields is that text already; the others are checked
    once they are filled in.
    """
    try:
        check_template(template, fields)
    except ValueError as error:
        return str(error)
    return "" if "{" in template else problem_of(template)


def matches_template(text: str, template: str, values: Mapping[str, str]) -> bool:
    """Tell whether ``text`` is the template filled with these values, or with the date of another day."""
    escaped = {field: re.escape(value) for field, value in values.items()}
    return bool(re.fullmatch(_filled(template, {**escaped, "date": _DAY}, re.escape), text))


def fill_template(template: str, values: Mapping[str, str]) -> str:
    """Return ``template`` with its fields replaced; inserted text is not searched for fields again."""
    return _filled(template, values, str)


def _filled(template: str, values: Mapping[str, str], write: Callable[[str], str]) -> str:
    """Return ``template`` with its fields replaced, and what stands between them written so."""
    return "".join(
        write(text) + (values[field] if field is not None else "")
        for text, field, _, _ in string.Formatter().parse(template)
    )
