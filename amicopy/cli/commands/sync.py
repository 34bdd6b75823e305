"""``amicopy sync``: its options, checked before anything is imported that calls AWS."""

from collections.abc import Mapping
from typing import Any

import click

from amicopy.cli.environment import Environment
from amicopy.cli.option_groups import GroupedCommand
from amicopy.cli.option_values import connection_from, output_from, run_from
from amicopy.cli.options import connection_options, option, output_options
from amicopy.cli.output_files import file_options
from amicopy.cli.run_options import check_run_options, run_options
from amicopy.core.grants import Grants
from amicopy.core.regions import split_names
from amicopy.render.formats import RUN_FORMATS

EXIT_CODES = """\b
Exit codes:
  0 everything is up to date          1 nothing succeeded, or plan refused
  2 usage, or an invalid manifest     3 some entries done, some not
  4 changes needed (--exit-code), or a copy is shared with more than requested
  5 still copying; rerun to resume
  6 credentials, permissions, region not enabled
  130, 143 interrupted; EC2 keeps copying
"""


@click.command("sync", cls=GroupedCommand, epilog=EXIT_CODES)
@click.argument("manifests", metavar="MANIFEST", nargs=-1, type=click.Path())
@option("--schema", is_flag=True, help="Print the JSON Schema of manifests, for editors, and exit.")
@option("--check-only", is_flag=True, help="Check one or more manifests without calling AWS, and exit.")
@option(
    "--list-units",
    is_flag=True,
    help="Print the manifest's units of work (its regions) as JSON and exit. Calls AWS only for patterns.",
)
@option(
    "--unit",
    "units",
    metavar="ID,…",
    multiple=True,
    help="Work on these units only. Ids that are published together are left to a run without --unit.",
)
@run_options
@connection_options
@output_options(*RUN_FORMATS)
@file_options
@click.pass_obj
def command(environment: Environment, /, **options: Any) -> int:
    """Apply a manifest: copy each image where it belongs.

    MANIFEST is a YAML file (- for stdin) that lists images, their destinations and options, where the ids of the copies
    are published, and how many copies are kept. If nothing has changed, a run writes nothing. --dry-run shows what
    would change: + added, ~ changed, - removed, = unchanged.

    With --no-wait, a run does what is possible now and exits; repeat it from a scheduler until everything is done.

    \b
    Examples:
      amicopy sync amis.yaml --dry-run
      amicopy sync amis.yaml --no-wait --exit-code
      amicopy sync --schema > amicopy.schema.json
      amicopy sync --check-only amis.yaml
      amicopy sync amis.yaml --unit eu-west-1 --no-wait
    """
    if options["schema"]:
        from amicopy.manifest.validate import schema_text

        click.echo(schema_text(), nl=False)
        return 0
    _check_options(options)
    connection, output, run = connection_from(options), output_from(options), run_from(options)
    check_run_options(run, output, dry_run=options["dry_run"], exit_code=options["exit_code"])
    if options["check_only"]:
        from amicopy.cli.handlers.check_manifests import check_manifests

        return check_manifests(options["manifests"], output)
    from amicopy.cli.handlers.sync import SyncCommand, list_units, sync

    sync_command = SyncCommand(
        manifest=options["manifests"][0],
        connection=connection,
        output=output,
        run=run,
        prices=options["prices"] or "",
        units=split_names(options["units"]),
        grants=Grants(options["grants"]),
        kms_grant=options["kms_grant"],
        preflight=not options["no_preflight"],
        dry_run=options["dry_run"],
        exit_code=options["exit_code"],
    )
    return (list_units if options["list_units"] else sync)(environment, sync_command)


def _check_options(options: Mapping[str, Any]) -> None:
    """Raise a usage error if the options contradict each other."""
    if not options["manifests"]:
        raise click.UsageError("Missing argument 'MANIFEST'.")
    alone = [name for name in ("check_only", "list_units", "units") if options[name]]
    alone = ["--unit" if name == "units" else f"--{name.replace('_', '-')}" for name in alone]
    if len(alone) > 1:
        raise click.UsageError(f"{' and '.join(alone)} cannot be used together.")
    if len(options["manifests"]) > 1 and not options["check_only"]:
        raise click.UsageError("Give one manifest; only --check-only takes several.")
    if options["kms_grant"] and options["grants"] != Grants.TEMPORARY:
        raise click.UsageError("--kms-grant cannot be used with --grants keep or none: such a grant is temporary.")
    if options["units"] and options["share_when"] == "all":
        raise click.UsageError("--unit cannot be used with --share-when all: one unit doesn't know about the others.")
