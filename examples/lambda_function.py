"""A Lambda function that makes one pass: it starts what is missing, completes what is available, and ends.

Let a schedule (EventBridge, every few minutes) call it until ``left`` is empty. The same call again goes on: nothing is
kept between calls. Its event: {"images": ["ami-…"], "from": "us-east-1", "to": ["us-west-2", "eu-west-1"]}.
"""

from typing import Any

import amicopy


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return what stands where, what is left to do, and what failed."""
    report = amicopy.copy(
        event["images"],
        to=event["to"],
        source_region=event["from"],
        run_options=amicopy.RunOptions(wait=False),
    )
    return {
        "exit_code": int(report.exit_code()),
        "copies": [
            {"source": outcome.source_id, "region": outcome.region, "image": outcome.image_id}
            for outcome in report.outcomes
            if outcome.is_well
        ],
        "left": [{"source": outcome.source_id, "region": outcome.region} for outcome in report.left_behind],
        "failed": [
            {"source": outcome.source_id, "region": outcome.region, "error": str(outcome.error)}
            for outcome in report.outcomes
            if outcome.error
        ],
    }
