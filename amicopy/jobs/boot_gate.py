"""Whether the boot tests of a plan can be made at all, which is found out before anything is copied."""

from dataclasses import replace
from functools import partial

from amicopy.core.boot import BootOptions, boot_options
from amicopy.core.errors import AmicopyError, BootRefused, Interrupted
from amicopy.core.models import Image
from amicopy.core.parallel import all_at_once
from amicopy.execute.boot import check_subnet, chosen_type
from amicopy.jobs.context import Context
from amicopy.plan.plan import Action, Plan, Row, with_refused_rows


def with_boots_checked(context: Context, plan: Plan) -> Plan:
    """Return the plan in which a copy is refused that no instance could test in its region; reads only.

    What cannot be read is no problem yet: EC2 says it at the launch.
    """
    tested = [row for row in plan.rows if row.check and row.check.is_built_in and row.action is not Action.REFUSE]
    problems = all_at_once({row.key: partial(_problem, context, row) for row in tested}, context.stop)
    return with_refused_rows(plan, {key: problem for key, problem in problems.items() if problem})


def _problem(context: Context, row: Row) -> BootRefused | None:
    assert row.check is not None
    copy = replace(row.source, region=row.region)  # what it will be, as far as a launch is concerned
    options = replace(boot_options(row.check.words), timeout=row.check.timeout)
    try:
        context.with_retries(partial(_check, context, row, copy, options))
    except BootRefused as error:
        step = error.next_step.rstrip(".").replace(": --", " in the check: boot --")
        return BootRefused(error.what, why=error.why, next_step=f"{step}. Or leave the region out.")
    except Interrupted:
        raise
    except AmicopyError:
        return None
    return None


def _check(context: Context, row: Row, copy: Image, options: BootOptions) -> None:
    instances = context.clients[row.destination].instances
    chosen_type(copy, row.destination, options, instances)
    check_subnet(row.destination, options, instances)
