"""Stock botocore, asking all that `amicopy copy` asks: one session, one client per region, threads."""

import re
import sys
from collections.abc import Sequence
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.exceptions import ClientError
from surveying import HOME, survey_and_copy  # type: ignore[import-not-found]  # beside this script

image_id, name, *regions = sys.argv[1:]
session = botocore.session.get_session()
clients = {region: session.create_client("ec2", region_name=region) for region in [HOME, *regions]}


def call(region: str, operation: str, **given: Any) -> Sequence[str]:
    """Call an operation; return the snapshots that it names. EC2's yes to a rehearsal is an error too."""
    try:
        answer = getattr(clients[region], xform_name(operation))(**given)
    except ClientError:
        if "DryRun" not in given:
            raise
        return ()
    return sorted(set(re.findall(r"snap-\w+", str(answer))))


survey_and_copy(call, image_id, name, regions)
