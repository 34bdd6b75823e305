"""``amicopy sync``: its options.

Refuses to import what needs botocore before the options are known to be right.
"""

from typing import Any

import click

from amicopy.cli.environment import Environment
from amicopy.cli.option_values import connection_from, output_from, run_from
from amicopy.cli.options import connection_options, option, output_options
from amicopy.cli.output_files import file_options
from amicopy.cli.run_options import check_run_options, run_options
from amicopy.render.formats import RUN_FORMATS

EXIT_CODES = """\b
Exit codes:
  0 the manifest is true              1 nothing succeeded, or refused and nothing started
  2 usage, or a faulty manifest       3 some of it is true, some not
  4 --dry-run --exit-code: work to do 5 still copying; the same command goes on
  6 credentials, permissions, region not enabled
  130, 143 interrupted; the copies go on
"""


@click.command("sync", epilog=EXIT_CODES)
@click.argument("manifest", metavar="MANIFEST", required=False, type=click.Path())
@option("--schema", is_flag=True, help="Print the JSON Schema of manifests, for editors, and end.")
@run_options
@connection_options
@output_options(*RUN_FORMATS)
@file_options
@click.pass_obj
def command(environment: Environment, /, **options: Any) -> int:
    """Make a manifest true: which images belong where.

    MANIFEST is a YAML file (- for stdin) that names sources and destinations, what the copies are to bear, where their
    ids are published, and how many copies stay. Without changes a run writes nothing. --dry-run shows what would
    change: + made, ~ changed, - removed, = as it is.

    With --no-wait a run makes one pass and ends; run again and again by any scheduler it brings a set of any size to
    its end.

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
            preflight=not options["no_preflight"],
            dry_run=options["dry_run"],
            exit_code=options["exit_code"],
        ),
    )
