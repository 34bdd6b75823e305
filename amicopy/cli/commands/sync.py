"""``amicopy sync``: its options, checked before anything is imported that calls AWS."""

from typing import Any

import click

from amicopy.cli.environment import Environment
from amicopy.cli.option_groups import GroupedCommand
from amicopy.cli.option_values import connection_from, output_from, run_from
from amicopy.cli.options import connection_options, option, output_options
from amicopy.cli.output_files import file_options
from amicopy.cli.run_options import check_run_options, run_options
from amicopy.core.grants import Grants
from amicopy.render.formats import RUN_FORMATS

EXIT_CODES = """\b
Exit codes:
  0 everything is up to date          1 nothing succeeded, or the plan was refused
  2 usage, or an invalid manifest     3 some entries done, some not
  4 changes needed (--exit-code)      5 still copying; rerun to resume
  6 credentials, permissions, region not enabled
  130, 143 interrupted; EC2 keeps copying
"""


@click.command("sync", cls=GroupedCommand, epilog=EXIT_CODES)
@click.argument("manifest", metavar="MANIFEST", required=False, type=click.Path())
@option("--schema", is_flag=True, help="Print the JSON Schema of manifests, for editors, and exit.")
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

    With --no-wait a run does what is possible now and exits; a scheduler that repeats it completes a set of any size.

    \b
    Examples:
      amicopy sync amis.yaml --dry-run
      amicopy sync amis.yaml --no-wait --exit-code
      amicopy sync --schema > amicopy.schema.json
    """
    if options["schema"]:
        from amicopy.manifest.validate import schema_text

        click.echo(schema_text(), nl=False)
        return 0
    if not options["manifest"]:
        raise click.UsageError("Missing argument 'MANIFEST'.")
    connection, output, run = connection_from(options), output_from(options), run_from(options)
    check_run_options(run, output, dry_run=options["dry_run"], exit_code=options["exit_code"])
    from amicopy.cli.handlers.sync import SyncCommand, sync

    return sync(
        environment,
        SyncCommand(
            manifest=options["manifest"],
            connection=connection,
            output=output,
            run=run,
            prices=options["prices"] or "",
            preflight=not options["no_preflight"],
            grants=Grants(options["grants"]),
            dry_run=options["dry_run"],
            exit_code=options["exit_code"],
        ),
    )
