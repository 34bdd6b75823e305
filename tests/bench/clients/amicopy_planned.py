"""amicopy with its survey done beforehand: ``plan`` writes a plan into a file, ``run`` executes it.

What is left is what stock botocore does, and no more: sessions, clients, threads, CopyImage.
"""

import gc
import pickle
import sys
from pathlib import Path


def plan(file: Path, image_id: str, *regions: str) -> None:
    """Look and decide, and write the plan."""
    from amicopy.aws.client import CallCounter
    from amicopy.aws.ec2 import Clients
    from amicopy.aws.session import Session
    from amicopy.core.clock import SystemClock
    from amicopy.core.destination import Destination
    from amicopy.core.parallel import Stop
    from amicopy.core.request import CopyRequest
    from amicopy.plan.decide import plan_copies
    from amicopy.survey.destinations import survey_destinations, survey_regions
    from amicopy.survey.sources import survey_sources

    clients, stop = Clients(Session(), CallCounter()), Stop()
    home = clients["us-east-1"]
    sources = survey_sources([image_id], home, stop)
    request = CopyRequest(source_region="us-east-1", image_ids=(image_id,), to=regions)
    enabled, _ = survey_regions(home)
    survey = survey_destinations(
        request, tuple(map(Destination, regions)), sources, clients, enabled, SystemClock(), stop
    )
    file.write_bytes(pickle.dumps(plan_copies(request, survey)))


def run(file: Path) -> None:
    """Execute the plan in the file, as the command does."""
    gc.set_threshold(200_000, 20, 100)
    from amicopy.aws.client import CallCounter
    from amicopy.aws.ec2 import Clients
    from amicopy.aws.session import Session
    from amicopy.core.clock import SystemClock
    from amicopy.core.parallel import Stop
    from amicopy.core.run_options import RunOptions
    from amicopy.execute.gate import Gate
    from amicopy.execute.hubs import Hubs
    from amicopy.execute.lane import Lane
    from amicopy.execute.source_permissions import SourcePermissions
    from amicopy.execute.threads import in_threads
    from amicopy.plan.plan import rows_by_destination
    from amicopy.survey.relays import Relays

    made = pickle.loads(file.read_bytes())
    clients, clock = Clients(Session(), CallCounter()), SystemClock()
    permissions = SourcePermissions({"us-east-1": clients["us-east-1"]}, clock, 1)
    hubs = Hubs(made.rows, clients, clock, Relays(clients))
    lanes = [
        Lane(rows, clients[destination], clock, RunOptions(), permissions, Gate(clients.environment, 1), hubs)
        for destination, rows in rows_by_destination(made).items()
    ]
    for _ in in_threads(lanes, clock, Stop()):
        pass


if __name__ == "__main__":
    if sys.argv[1] == "plan":
        plan(Path(sys.argv[2]), *sys.argv[3:])
    else:
        run(Path(sys.argv[2]))
