"""The IAM statements of the Lambda functions, in addition to those of the passes that they make."""

from collections.abc import Iterator, Mapping, Sequence

from amicopy.core.functions import HANDLER, WORKER
from amicopy.plan.iam_keys import Statement, statement

# The functions are named, and so are their logs, queues and tables: amicopy…
_OWN = "amicopy*"
_RECORDS = ("dynamodb:GetItem", "dynamodb:UpdateItem")
_SENDS = ("sqs:GetQueueAttributes", "sqs:SendMessage")
_RECEIVES = ("sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage")

SIDS: Mapping[str, str] = {
    "AmicopyWriteLog": "`--for lambda…`: the function's log, and the metrics in it.",
    "AmicopyReadManifestObject": "`--for lambda…`: the manifest, if `s3://BUCKET/KEY` is given.",
    "AmicopyReadManifestParameter": "`--for lambda…`: the manifest, if `ssm:PARAMETER` is given.",
    "AmicopySendFailedEvents": "`--for lambda`: what Lambda could not get done goes to the dead-letter queue in the "
    "function's name.",
    "AmicopyShareUnits": "`--for lambda-dispatcher`, `lambda-worker`: the queue of units. Lambda receives in the "
    "worker's name.",
    "AmicopyRecordRounds": "`--for lambda-dispatcher`, `lambda-worker`: which units are up to date, and what was sent.",
    "AmicopyRecordNotifications": "`--for lambda` with `--notify`: what was sent, so that it is not sent again.",
}


def function_statements(
    function: str, partition: str, manifests_at: Sequence[str], *, notifies: bool
) -> Iterator[Statement]:
    """Yield what a function needs itself; ``manifests_at`` has locations as ``AMICOPY_MANIFEST`` writes them.

    ``notifies``: what was sent to others is recorded.
    """
    place = f"arn:{partition}"
    logs = f"{place}:logs:*:*:log-group:/aws/lambda/{_OWN}"
    yield statement("AmicopyWriteLog", ["logs:CreateLogStream", "logs:PutLogEvents"], [logs])
    objects = [one.removeprefix("s3://") for one in manifests_at if one.startswith("s3://")]
    if objects:
        yield statement("AmicopyReadManifestObject", ["s3:GetObject"], [f"{place}:s3:::{one}" for one in objects])
    names = [one.removeprefix("ssm:").lstrip("/") for one in manifests_at if one.startswith("ssm:")]
    if names:
        arns = [f"{place}:ssm:*:*:parameter/{name}" for name in names]
        yield statement("AmicopyReadManifestParameter", ["ssm:GetParameter"], arns)
    queues = [f"{place}:sqs:*:*:{_OWN}"]
    tables = [f"{place}:dynamodb:*:*:table/{_OWN}"]
    if function == HANDLER:
        yield statement("AmicopySendFailedEvents", ["sqs:SendMessage"], queues)
        if notifies:
            yield statement("AmicopyRecordNotifications", _RECORDS, tables)
        return
    yield statement("AmicopyShareUnits", _RECEIVES if function == WORKER else _SENDS, queues)
    yield statement("AmicopyRecordRounds", _RECORDS, tables)
