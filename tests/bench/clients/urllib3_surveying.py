"""urllib3 with botocore's signer, asking all that `amicopy copy` asks: no client, no model, answers not parsed."""

import os
import re
import ssl
import sys
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from surveying import HOME, survey_and_copy  # type: ignore[import-not-found]  # beside this script

image_id, name, *regions = sys.argv[1:]
endpoint = os.environ["AWS_ENDPOINT_URL"]
host = urlsplit(endpoint)
context = ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"])
credentials = Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
pools = {
    region: urllib3.HTTPSConnectionPool(host.hostname or "", host.port, ssl_context=context, maxsize=10)
    for region in [HOME, *regions]
}


def flat(value: Any, prefix: str) -> Iterator[tuple[str, str]]:
    """Yield the words of a request as EC2 wants them: a list's members are numbered, its name is in the singular."""
    if isinstance(value, dict):
        for key, inner in value.items():
            word = "ResourceId" if key == "Resources" else key.removesuffix("s") if isinstance(inner, list) else key
            yield from flat(inner, f"{prefix}.{word}" if prefix else word)
    elif isinstance(value, list):
        for number, inner in enumerate(value, 1):
            yield from flat(inner, f"{prefix}.{number}")
    else:
        yield prefix, str(value).lower() if isinstance(value, bool) else str(value)


def call(region: str, operation: str, **given: Any) -> Sequence[str]:
    """Call an operation; return the snapshots that it names."""
    body = urlencode({"Action": operation, "Version": "2016-11-15", **dict(flat(given, ""))})
    request = AWSRequest("POST", endpoint + "/", {"Content-Type": "application/x-www-form-urlencoded"}, body)
    SigV4Auth(credentials, "ec2", region).add_auth(request)
    answer = pools[region].request("POST", "/", body=body, headers=dict(request.headers))
    assert answer.status == 200 or "DryRun" in given, answer.data
    return sorted(set(re.findall(r"snap-\w+", answer.data.decode())))


survey_and_copy(call, image_id, name, regions)
