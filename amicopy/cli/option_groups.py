"""The options of a command by what they are about: for ``--help``, the page of commands and the manual pages."""

from collections.abc import Iterator

import click

# The first group is what a command is mainly about; its title is the one that click gives to all options.
GROUPS = {
    "Options": (),  # whatever no other group has
    "Copies": (
        *(
            "--name",
            "--description",
            "--tag",
            "--image-tag",
            "--snapshot-tag",
            "--no-tags",
            "--share",
            "--share-snapshots",
            "--no-permissions",
            "--encrypt",
            "--kms-key",
        ),
        *("--deprecate-after", "--deprecate-at", "--no-deprecation", "--protect", "--complete-within", "--adopt"),
    ),
    "Accounts": ("--account", "--ou", "--role-name", "--external-id", "--grants", "--kms-grant"),
    "Checks": (
        *("--require-scan", "--scan", "--allow-secrets", "--ignore-file"),
        *("--check", "--check-timeout", "--max-checks"),
    ),
    "Routes and cost": ("--route", "--direct", "--prices"),
    "Run": (
        *("--dry-run", "--exit-code", "--yes", "--no-wait", "--timeout", "--share-when", "--no-preflight"),
        *("--max-in-flight", "--on-failure", "--on-interrupt"),
    ),
    "Connection": ("--profile", "--endpoint-url", "--sandbox"),
    "Output": ("--output", "--write", "--html", "--github", "--notify", "--quiet", "--verbose", "--help"),
}
_GROUP_OF = {name: title for title, names in GROUPS.items() for name in names}


class GroupedCommand(click.Command):
    """A command whose ``--help`` lists its options by what they are about."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section for each group that has options."""
        for title, options in grouped(self, ctx):
            with formatter.section(title):
                formatter.write_dl([record for option in options if (record := option.get_help_record(ctx))])


def grouped(command: click.Command, context: click.Context) -> Iterator[tuple[str, list[click.Option]]]:
    """Yield the title of each group and those of its options that are shown, in the order of the command."""
    shown = [one for one in command.get_params(context) if isinstance(one, click.Option) and not one.hidden]
    for title in GROUPS:
        if some := [option for option in shown if _group_of(option) == title]:
            yield title, some


def _group_of(option: click.Option) -> str:
    return next((_GROUP_OF[name] for name in option.opts if name in _GROUP_OF), "Options")
