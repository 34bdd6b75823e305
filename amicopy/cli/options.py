"""Options that commands share, and the types of their values. Each can be set by an ``AMICOPY_…`` variable."""

import os
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from amicopy.cli.completion import complete_images, complete_region, complete_regions
from amicopy.core.check import CHECK_VARIABLES, CHECKING
from amicopy.core.durations import completion_from, date_from, deprecation_from, length_from, release_age_from
from amicopy.core.ec2_rules import check_image_id, description_problem, name_problem, tag_problem
from amicopy.core.kms_key import check_key
from amicopy.core.models import OWN_TAGS, Principal
from amicopy.core.parameter_choices import parameter_choice
from amicopy.core.scan_results import ScanRequirement
from amicopy.core.templates import DESCRIPTION_FIELDS, FIELDS, template_problem
from amicopy.render.formats import RUN_FORMATS

Command = TypeVar("Command", bound=Callable[..., Any])


class ImageId(click.ParamType[str]):
    """An AMI id."""

    name = "ami"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the id, or fail with what one looks like."""
        try:
            check_image_id(value)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)
        return str(value)


class ImageIdOrStdin(ImageId):
    """An AMI id, or ``-`` for those on stdin."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the id or ``-``."""
        return "-" if value == "-" else super().convert(value, param, ctx)


class Duration(click.ParamType[timedelta]):
    """A length of time such as 90s, 45m, 4h or 1d12h."""

    name = "duration"
    _read = staticmethod(length_from)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Return the time, or fail with what one looks like."""
        if isinstance(value, timedelta):
            return value
        try:
            return self._read(value)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


class DeprecationTime(Duration):
    """How long after its creation a copy is deprecated: at most ten years."""

    _read = staticmethod(deprecation_from)


class ReleaseAge(Duration):
    """How old a release is: at least a day."""

    _read = staticmethod(release_age_from)


class DateOption(click.ParamType[datetime]):
    """A date, or a date and a time."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the moment, or fail with what one looks like."""
        if isinstance(value, datetime):
            return value
        try:
            return date_from(value)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


class CompletionTime(Duration):
    """How long a time-based copy may take, in steps of 15 minutes."""

    _read = staticmethod(completion_from)


class ScanOption(click.ParamType[ScanRequirement]):
    """The highest severity allowed, and the age of the scan."""

    name = "severity[:age]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> ScanRequirement:
        """Return the requirement, or fail with what one looks like."""
        if isinstance(value, ScanRequirement):
            return value
        try:
            return ScanRequirement.parse(value)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


class TagOption(click.ParamType[tuple[str, str]]):
    """A tag as KEY=VALUE; the value may be empty and may contain = signs."""

    name = "key=value"
    envvar_list_splitter = "\n"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Return key and value, or fail with EC2's rule."""
        if isinstance(value, tuple):
            return value
        key, sign, text = value.partition("=")
        if not sign:
            self.fail(f"{value!r} is not a valid tag: write KEY=VALUE.", param, ctx)
        if key in OWN_TAGS:
            self.fail(f"{key!r} is set by amicopy itself, to record where a copy comes from.", param, ctx)
        if problem := tag_problem(key, text):
            self.fail(f"{problem}.", param, ctx)
        return key, text


class ParameterOption(click.ParamType[tuple[str, str]]):
    """A Systems Manager parameter, or NAME=AMI for what it gets."""

    name = "name[=ami]"
    envvar_list_splitter = ","

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Return name and AMI (empty: not given), or fail with what is wrong."""
        if isinstance(value, tuple):
            return value
        try:
            return parameter_choice(value)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


class PrincipalOption(click.ParamType[Principal]):
    """An account, an organization, an organizational unit, or ``public``."""

    name = "principal"
    envvar_list_splitter = ","

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Principal:
        """Return the principal, or fail with what one looks like."""
        if isinstance(value, Principal):
            return value
        try:
            return Principal.parse(value.strip())
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


_TRUSTED = re.compile(r"\d{12}|arn:aws[a-z-]*:(?:iam|sts)::\d{12}:(?:root|(?:user|role|assumed-role)/\S+)")


class TrustedOption(click.ParamType[str]):
    """Who may assume a role: an account, or a role, a user or the root user of one."""

    name = "arn"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return it as a trust policy names it, or fail with what one looks like."""
        if not _TRUSTED.fullmatch(value):
            self.fail(
                f"{value!r} is no one who can assume a role: use the ARN of a role or a user "
                "(arn:aws:iam::123456789012:role/NAME), or a 12-digit account id.",
                param,
                ctx,
            )
        return str(value)


class KeyOption(click.ParamType[tuple[str, str]]):
    """A KMS key for all destinations, or REGION=KEY, ACCOUNT=KEY or ACCOUNT/REGION=KEY for some."""

    name = "[region=]key"
    envvar_list_splitter = ","

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Return region (empty: all others) and key, or fail with what a key looks like."""
        if isinstance(value, tuple):
            return value
        region, _, key = value.rpartition("=")
        try:
            check_key(key.strip())
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)
        return region.strip(), key.strip()


class NameTemplate(click.ParamType[str]):
    """An AMI name, in which {name} {source_id} {source_region} {region} {date} are replaced."""

    name = "template"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the template, or fail with what is wrong with it."""
        _check(self, value, name_problem, param, ctx)
        return str(value)


class DescriptionTemplate(click.ParamType[str]):
    """A description, in which the same fields are replaced, and {description}, the source's."""

    name = "template"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the template, or fail with what is wrong with it."""
        _check(self, value, description_problem, param, ctx, DESCRIPTION_FIELDS)
        return str(value)


def _check(
    kind: click.ParamType[str],
    value: str,
    problem_of: Callable[[str], str],
    param: click.Parameter | None,
    ctx: click.Context | None,
    fields: Sequence[str] = FIELDS,
) -> None:
    if problem := template_problem(value, problem_of, fields):
        kind.fail(f"{problem}.", param, ctx)


class RouteOption(click.ParamType[str]):
    """``direct``, ``cheapest``, or ``via:REGION``."""

    name = "direct|cheapest|via:region"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text; it is checked with the rest of the request."""
        return str(value)


class NameList(click.ParamType[str]):
    """A comma-separated list, as it was written."""

    name = "region,…"
    envvar_list_splitter = ","

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text; what it names is checked where the regions are known."""
        return str(value)


def option(*names: str, **settings: Any) -> Callable[[Command], Command]:
    """Return click's option, which its ``AMICOPY_…`` variable sets as well; an empty value is refused.

    Not ``--yes``: a variable that somebody has set once is no answer to a question.
    """
    long = next(name for name in names if name.startswith("--")).split("/")[0]
    variable = "AMICOPY_" + long.removeprefix("--").replace("-", "_").upper()
    settings.setdefault("cls", _NotInAChecksEnvironment if variable in CHECK_VARIABLES else _Option)
    return click.option(*names, envvar=None if long == "--yes" else variable, **settings)


class _Option(click.Option):
    """An option that a shell's variable without a value does not switch off: ``--profile "$PROFILE"``."""

    def __init__(self, *names: Any, may_be_empty: bool = False, **settings: Any) -> None:
        super().__init__(*names, **settings)
        self._may_be_empty = may_be_empty

    def type_cast_value(self, ctx: click.Context, value: Any) -> Any:
        """Return the value; a usage error if somebody has written an empty one."""
        texts = value if isinstance(value, tuple | list) else (value,)
        is_written = ctx.get_parameter_source(self.name or "") is ParameterSource.COMMANDLINE
        if is_written and not self._may_be_empty and any(_is_empty(text) for text in texts):
            raise click.BadParameter(
                "it is empty; leave it out, or check the variable that the value comes from.", ctx, self
            )
        return super().type_cast_value(ctx, value)


def _is_empty(text: Any) -> bool:
    return isinstance(text, str) and not text.strip(" \t\r\n,")


class _NotInAChecksEnvironment(_Option):
    """An option whose variable says something else in the environment of a check: about the copy that is checked."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        return None if os.environ.get(CHECKING) else super().resolve_envvar_value(ctx)


class _OutputOption(_Option):
    """``--output``, whose variable is for all commands: a format that this one does not have is not meant for it."""

    def value_from_envvar(self, ctx: click.Context) -> Any:
        value = super().value_from_envvar(ctx)
        formats = self.type.choices if isinstance(self.type, click.Choice) else ()
        return value if value in formats or value not in RUN_FORMATS else None


def stacked(*decorators: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Return one decorator that does what these do, the first one outermost."""

    def decorate(command: Command) -> Command:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


image_ids = click.argument(
    "image_ids", metavar="AMI...", nargs=-1, required=True, type=ImageId(), shell_complete=complete_images
)

optional_image_ids = click.argument(
    "image_ids", metavar="[AMI]...", nargs=-1, type=ImageId(), shell_complete=complete_images
)


def regions_option(words: str, **settings: Any) -> Callable[[Command], Command]:
    """Return ``--in``, with what its help says; ``settings`` has its default, or that it is required."""
    return option(
        "--in",
        "regions",
        multiple=True,
        type=NameList(),
        help=words,
        shell_complete=complete_regions,
        **settings,
    )


exclude_option = option(
    "--exclude",
    multiple=True,
    type=NameList(),
    help="Regions or patterns to exclude from --in.",
    shell_complete=complete_regions,
)

source_options = stacked(
    option(
        "--from",
        "source_region",
        metavar="REGION",
        help="Region of the AMIs. Default: the configured one.",
        shell_complete=complete_region,
    ),
)

connection_options = stacked(
    option("--profile", metavar="NAME", help="Profile of the AWS configuration to use."),
    option("--endpoint-url", metavar="URL", help="Send all calls to this endpoint, for every region."),
    option("--sandbox", is_flag=True, help="Start a local EC2 for this run: no account, no cost."),
)


def output_options(*formats: str) -> Callable[[Command], Command]:
    """Return the options for what is printed, with these formats."""
    return stacked(
        option(
            "--output",
            cls=_OutputOption,
            type=click.Choice(formats),
            default=formats[0],
            show_default=True,
            is_eager=True,  # known before any other value is found wrong, so that this can be said in JSON too
            help="Format of the result on stdout.",
        ),
        option("-q", "--quiet", is_flag=True, help="Show only errors on stderr, without plan and progress."),
        option("-v", "--verbose", is_flag=True, help="Log one line per AWS call to stderr."),
    )
