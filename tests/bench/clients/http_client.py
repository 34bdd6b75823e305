"""The floor: http.client, signed by hand, one TLS context, a connection and a thread per region."""

import hashlib
import hmac
import http.client
import os
import ssl
import sys
import threading
import time
from urllib.parse import urlencode, urlsplit

image_id, name, *regions = sys.argv[1:]
host = urlsplit(os.environ["AWS_ENDPOINT_URL"])
context = ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"])
now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())


def signed(region: str, body: str) -> dict[str, str]:
    """Return the headers of a request signed with Signature Version 4."""
    scope = f"{now[:8]}/{region}/ec2/aws4_request"
    hashed = hashlib.sha256(body.encode()).hexdigest()
    canonical = f"POST\n/\n\nhost:{host.netloc}\nx-amz-date:{now}\n\nhost;x-amz-date\n{hashed}"
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = b"AWS4" + os.environ["AWS_SECRET_ACCESS_KEY"].encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    credential = f"{os.environ['AWS_ACCESS_KEY_ID']}/{scope}"
    return {
        "X-Amz-Date": now,
        "Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host;x-amz-date, "
        f"Signature={signature}",
    }


def copy(region: str) -> None:
    """Ask for one copy."""
    asked = {"Action": "CopyImage", "Version": "2016-11-15", "SourceRegion": "us-east-1"}
    body = urlencode({**asked, "SourceImageId": image_id, "Name": name, "ClientToken": f"token-{region}"})
    assert host.hostname is not None
    connection = http.client.HTTPSConnection(host.hostname, host.port, context=context)
    connection.request("POST", "/", body, signed(region, body))
    assert connection.getresponse().status == 200


threads = [threading.Thread(target=copy, args=(region,)) for region in regions]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
