"""Probe."""
from typing import Any
import boto3, pytest
from amicopy.sandbox.server import Sandbox
from amicopy.sandbox.records import Volume
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.scenes import *
from tests.support import FakeClock

import sys
LOG=open("/tmp/pf/log","w")
def print(*a):
    LOG.write(" ".join(map(str,a))+"\n"); LOG.flush()

def kms(sandbox: Sandbox, region: str) -> Any:
    return boto3.Session(**sandbox.credentials("123456789012")).client("kms", region_name=region, endpoint_url=sandbox.endpoint_url)

def show(ran, world):
    print("CODE", ran.code); print("OUT", ran.out); print("ERR", ran.err)
    print([(r.service, r.operation, r.region, r.error) for r in world.requests][-40:])

def test_a(amicopy, sandbox, world):
    c = kms(sandbox, WEST)
    k = c.create_key()["KeyMetadata"]; print(k)
    c.create_alias(AliasName="alias/web", TargetKeyId=k["KeyId"])
    s = a_source(world, launch_permissions={SOMEBODY})
    for key in ("alias/web", k["Arn"], k["KeyId"], f"arn:aws:kms:{WEST}:123456789012:alias/web"):
        s = a_source(world, launch_permissions={SOMEBODY})
        ran = amicopy("copy", s.image_id, "--to", WEST, "--kms-key", key); show(ran, world)
        print(asked(world, "CopyImage")[-1].params.get("KmsKeyId"))
        world.requests.clear()
    h = c.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]
    r = c.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    r2 = c.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]
    d = c.create_key()["KeyMetadata"]; c.disable_key(KeyId=d["KeyId"])
    p = c.create_key()["KeyMetadata"]; c.schedule_key_deletion(KeyId=p["KeyId"])
    s = a_source(world, launch_permissions={SOMEBODY})
    for key in (h, r, r2, d, p, {"KeyId": "alias/none"}, {"KeyId": "1234abcd-12ab-34cd-56ef-1234567890ab"}, {"KeyId":"alias/aws/ebs"}):
        ran = amicopy("copy", s.image_id, "--to", WEST, "--kms-key", key["KeyId"]); show(ran, world)
        world.requests.clear()
    m = kms(sandbox, HOME).create_key(MultiRegion=True)["KeyMetadata"]; print(m["KeyId"], m["Arn"])
    print(kms(sandbox, HOME).replicate_key(KeyId=m["KeyId"], ReplicaRegion=WEST)["ReplicaKeyMetadata"]["Arn"])
    for key in (m["KeyId"], m["Arn"]):
        s = a_source(world, launch_permissions={SOMEBODY})
        ran = amicopy("copy", s.image_id, "--to", WEST, "--kms-key", key); show(ran, world)
        world.requests.clear()
    for key in (k["Arn"], ):
        ran = amicopy("copy", s.image_id, "--to", EAST, "--kms-key", key); show(ran, world)
        ran = amicopy("copy", s.image_id, "--to", EAST, "--kms-key", f"us-east-2={key}"); show(ran, world)
        world.requests.clear()

def test_b(amicopy, sandbox, world):
    s = a_source(world, launch_permissions={SOMEBODY})
    ran = amicopy("copy", s.image_id, "--to", WEST, "--encrypt"); show(ran, world)
    ran = amicopy("copy", s.image_id, "--to", WEST, "--encrypt", "--no-preflight"); show(ran, world)
    ran = amicopy("verify", s.image_id, "--encrypt"); show(ran, world)
    ran = amicopy("verify", s.image_id, "--encrypt", "--output", "json"); show(ran, world)

def test_c(amicopy, sandbox, world):
    s = a_source(world, launch_permissions={SOMEBODY})
    ran = amicopy("copy", s.image_id, "--to", WEST, "--deprecate-after", "9999999d"); show(ran, world)
    ran = amicopy("copy", s.image_id, "--to", EAST, "--deprecate-after", "4000d"); show(ran, world)
    ran = amicopy("verify", "ami-0123456789abcdef0"); show(ran, world)
    order(world, f"DescribeImageAttribute@{HOME}=error:403 UnauthorizedOperation: no*always")
    world.requests.clear()
    amicopy("copy", s.image_id, "--to", EAST)
    ran = amicopy("verify", s.image_id, "--repair", "--prune"); show(ran, world)
    print(world.images(EAST))
