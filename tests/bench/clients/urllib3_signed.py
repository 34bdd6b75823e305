"""urllib3 with botocore's signer: no client, no model, one TLS context, a connection and a thread per region."""

import os
import ssl
import sys
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode, urlsplit

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

image_id, name, *regions = sys.argv[1:]
endpoint = os.environ["AWS_ENDPOINT_URL"]
host = urlsplit(endpoint)
context = ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"])
credentials = Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])


def copy(region: str) -> None:
    """Ask for one copy."""
    asked = {"Action": "CopyImage", "Version": "2016-11-15", "SourceRegion": "us-east-1"}
    body = urlencode({**asked, "SourceImageId": image_id, "Name": name, "ClientToken": f"token-{region}"})
    request = AWSRequest("POST", endpoint + "/", {"Content-Type": "application/x-www-form-urlencoded"}, body)
    SigV4Auth(credentials, "ec2", region).add_auth(request)
    assert host.hostname is not None
    with urllib3.HTTPSConnectionPool(host.hostname, host.port, ssl_context=context) as pool:
        answer = pool.request("POST", "/", body=body, headers=dict(request.headers))
    assert answer.status == 200, answer.data


with ThreadPoolExecutor(len(regions)) as threads:
    list(threads.map(copy, regions))
