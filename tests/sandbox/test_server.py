"""The sandbox over HTTP: what boto3 sends and gets, and what is kept out."""

import http.client
import json
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import Any

import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError
from botocore.parsers import ResponseParserError

from amicopy.core.errors import SandboxUnavailable
from amicopy.sandbox.faults import parse_fault
from amicopy.sandbox.http.server import Sandbox
from amicopy.sandbox.records import DEFAULT_ACCOUNT, Volume
from tests.sandbox.over_http import AWAY, HOME, OTHER_ACCOUNT, Aws, asked, code_of


def test_copy_goes_over_the_wire_with_all_that_was_asked(aws: Aws) -> None:
    ec2 = aws.client()
    tags = [{"ResourceType": kind, "Tags": [{"Key": "k", "Value": kind}]} for kind in ("image", "snapshot")]
    image_id = ec2.copy_image(**asked(aws.source(), Encrypted=True, Description="d", TagSpecifications=tags))["ImageId"]
    request = aws.world.requests[-1]
    assert (request.operation, request.region, request.account) == ("CopyImage", AWAY, DEFAULT_ACCOUNT)
    assert request.params["Encrypted"] is True
    assert request.params["TagSpecifications"] == tags
    assert request.params["ClientToken"]
    aws.clock.advance(60)
    (image,) = ec2.describe_images(ImageIds=[image_id])["Images"]
    assert (image["State"], image["Description"], image["Tags"]) == (
        "available",
        "d",
        [{"Key": "k", "Value": "image"}],
    )
    (snapshot,) = ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
    assert snapshot["Encrypted"] is True
    assert snapshot["Tags"] == [{"Key": "k", "Value": "snapshot"}]
    assert snapshot["StartTime"].tzinfo is not None
    assert (snapshot["FullSnapshotSizeInBytes"], snapshot["TransferType"]) == (8 * 2**30, "standard")


def test_answers_without_content_are_understood(aws: Aws) -> None:
    ec2 = aws.client(region=HOME)
    source = aws.source()
    add = {"Add": [{"UserId": OTHER_ACCOUNT}]}
    ec2.modify_image_attribute(ImageId=source.image_id, LaunchPermission=add)
    ec2.create_tags(Resources=[source.image_id, *source.snapshot_ids], Tags=[{"Key": "k", "Value": ""}])
    ec2.modify_snapshot_attribute(SnapshotId=source.snapshot_ids[0], CreateVolumePermission=add)
    ec2.enable_image_deprecation(ImageId=source.image_id, DeprecateAt="2027-01-01T00:00:00Z")
    answer = ec2.deregister_image(ImageId=source.image_id, DeleteAssociatedSnapshots=True)
    assert answer["DeleteSnapshotResults"][0]["ReturnCode"] == "success"
    assert (source.launch_permissions, source.tags) == ({OTHER_ACCOUNT}, {"k": ""})


def test_foreign_text_survives_the_wire(aws: Aws) -> None:
    text = "<&>\"'\r\n\t ünïcödé 🚀 \u202e"
    source = aws.source(tags={"k": text}, description=text)
    (image,) = aws.client(region=HOME).describe_images(ImageIds=[source.image_id])["Images"]
    assert (image["Tags"][0]["Value"], image["Description"]) == (text, text)


def test_refusal_has_ec2s_envelope(aws: Aws) -> None:
    with pytest.raises(ClientError) as caught:
        aws.client().describe_images(ImageIds=["ami-00000000"])
    assert code_of(caught) == ("InvalidAMIID.NotFound", 400)
    assert caught.value.response["ResponseMetadata"]["RequestId"]
    with pytest.raises(ClientError) as caught:
        aws.client().describe_regions(DryRun=True)
    assert code_of(caught) == ("DryRunOperation", 412)


def raw(aws: Aws, body: str, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(aws.sandbox.endpoint_url.removeprefix("http://"), timeout=5)
    key = aws.sandbox.environment["AWS_ACCESS_KEY_ID"]
    sent = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Authorization": f"AWS4-HMAC-SHA256 Credential={key}/20261123/{AWAY}/ec2/aws4_request, Signature=0",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    try:
        connection.request("POST", "/", body, sent)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("Action=CopyImage&Colour=red", "UnknownParameter"),
        ("Action=DescribeImages&Filter.1.Nam=x", "UnknownParameter"),
        ("Action=DescribeImages&ImageId=ami-1", "UnknownParameter"),
        ("Action=DescribeImages&ImageId.x=ami-1", "UnknownParameter"),
        ("Action=DescribeImages&MaxResults=many", "InvalidParameterValue"),
        ("Action=DescribeImages&IncludeDisabled=perhaps", "InvalidParameterValue"),
        ("Action=EnableImageDeprecation&ImageId=ami-1&DeprecateAt=soon", "InvalidParameterValue"),
        ("Action=DescribeImageAttribute&ImageId=ami-1&Attribute=colour", "InvalidParameterValue"),
        ("Action=CopyImage", "MissingParameter"),
        ("Action=MakeCoffee", "InvalidAction"),
        ("Action=ImportSnapshot&Colour=red", "InvalidAction"),
        ("", "InvalidAction"),
    ],
)
def test_what_the_model_does_not_know_is_an_error(aws: Aws, body: str, code: str) -> None:
    status, answer = raw(aws, body)
    assert status == 400
    assert f"<Code>{code}</Code>" in answer
    assert aws.world.requests[-1].error == code


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "localhost.evil.example"},
        {"Host": "127.0.0.1.evil.example:80"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
    ],
)
def test_web_pages_are_kept_out(aws: Aws, headers: dict[str, str]) -> None:
    assert raw(aws, "Action=DescribeImages", **headers)[0] == 403
    assert aws.world.requests == []


@pytest.mark.parametrize(
    "headers",
    [{"Host": "localhost:4566"}, {"Host": "[::1]"}, {"Host": "ec2.localhost"}, {"Origin": "http://127.0.0.1:8000"}],
)
def test_this_machine_is_let_in_without_cors(aws: Aws, headers: dict[str, str]) -> None:
    assert raw(aws, "Action=DescribeImages", **headers)[0] == 200


@pytest.mark.parametrize("path", ["/moto-api/data.json", "/moto-api/reset", "/latest/meta-data/"])
def test_motos_own_interface_is_not_there(aws: Aws, path: str) -> None:
    connection = http.client.HTTPConnection(aws.sandbox.endpoint_url.removeprefix("http://"), timeout=5)
    connection.request("GET", path)
    assert connection.getresponse().status == 404
    connection.close()


def test_unsigned_requests_are_refused(aws: Aws) -> None:
    with pytest.raises(ClientError) as caught:
        aws.client(config=Config(signature_version=UNSIGNED)).describe_images()
    assert code_of(caught) == ("AuthFailure", 401)


def test_bug_inside_is_an_ec2_error_and_no_page(aws: Aws) -> None:
    aws.world.state.images[AWAY]["ami-0a11ce5a3b1e00009"] = None  # type: ignore[assignment]
    with pytest.raises(ClientError) as caught:
        aws.client().describe_images()
    assert code_of(caught) == ("InternalError", 500)


def test_lost_reply_is_repeated_by_botocore_and_copies_once(aws: Aws) -> None:
    aws.world.inject(parse_fault("copy=lost"))
    source = aws.source()
    with pytest.raises(ConnectionClosedError):
        aws.client().copy_image(**asked(source, ClientToken="t"))
    (image,) = aws.world.images(AWAY)
    assert aws.client().copy_image(**asked(source, ClientToken="t"))["ImageId"] == image.image_id


def test_dead_region_cuts_and_a_hanging_one_times_out(aws: Aws) -> None:
    aws.world.inject(parse_fault(f"*@{AWAY}=dead"))
    aws.world.inject(parse_fault("*@eu-west-2=hang:600"))
    with pytest.raises(ConnectionClosedError):
        aws.client().describe_images()
    impatient = Config(read_timeout=0.1, retries={"total_max_attempts": 1})
    with pytest.raises(ReadTimeoutError):
        aws.client(region="eu-west-2", config=impatient).describe_images()
    assert aws.client(region=HOME).describe_images()["Images"] == []


@pytest.mark.parametrize("fault", ["html:200", "truncated", "html:502"])
def test_answers_that_are_no_xml_cannot_be_parsed(aws: Aws, fault: str) -> None:
    aws.world.inject(parse_fault(f"DescribeImages={fault}"))
    with pytest.raises((ResponseParserError, ClientError)):
        aws.client().describe_images()


def test_faults_reach_other_services_in_their_own_format(aws: Aws) -> None:
    aws.world.inject(parse_fault("DescribeKey=error:AccessDeniedException: no"))
    aws.world.inject(parse_fault("GetCallerIdentity=error:403 ExpiredToken: old"))
    with pytest.raises(ClientError) as caught:
        aws.client("kms").describe_key(KeyId="alias/aws/ebs")
    assert code_of(caught) == ("AccessDeniedException", 400)
    with pytest.raises(ClientError) as caught:
        aws.client("sts").get_caller_identity()
    assert code_of(caught) == ("ExpiredToken", 403)
    assert [(row.service, row.operation) for row in aws.world.requests] == [
        ("kms", "DescribeKey"),
        ("sts", "GetCallerIdentity"),
    ]


def test_other_operations_fall_through_to_moto_and_are_on_record(aws: Aws) -> None:
    ec2 = aws.client()
    volume_id = ec2.create_volume(AvailabilityZone=f"{AWAY}a", Size=11)["VolumeId"]
    ec2.create_tags(Resources=[volume_id], Tags=[{"Key": "k", "Value": "v"}])
    assert ec2.describe_volumes()["Volumes"][0]["Tags"] == [{"Key": "k", "Value": "v"}]
    snapshot = ec2.create_snapshot(VolumeId=volume_id)
    assert ec2.describe_snapshots(SnapshotIds=[snapshot["SnapshotId"]])["Snapshots"][0]["VolumeSize"] == 11
    assert [row.operation for row in aws.world.requests][:2] == ["CreateVolume", "CreateTags"]
    with pytest.raises(ClientError) as caught:
        ec2.describe_store_image_tasks()
    assert code_of(caught) == ("InvalidAction", 400)
    with pytest.raises(ClientError) as caught:
        ec2.describe_volumes(VolumeIds=["vol-00000000"])
    assert code_of(caught) == ("InvalidVolume.NotFound", 400)
    assert [row.error for row in aws.world.requests][-2:] == ["InvalidAction", "InvalidVolume.NotFound"]


def test_key_of_the_sandboxs_kms_encrypts_and_a_disabled_one_fails_later(aws: Aws) -> None:
    kms, ec2 = aws.client("kms"), aws.client()
    good, bad = (kms.create_key()["KeyMetadata"] for _ in range(2))
    kms.create_alias(AliasName="alias/mine", TargetKeyId=good["KeyId"])
    source = aws.source()
    images = [
        ec2.copy_image(**asked(source, Encrypted=True, KmsKeyId=key))["ImageId"]
        for key in ("alias/mine", good["Arn"], good["KeyId"])
    ]
    kms.disable_key(KeyId=bad["KeyId"])
    images += [
        ec2.copy_image(**asked(source, Encrypted=True, KmsKeyId=key))["ImageId"]
        for key in (bad["Arn"], "alias/none", "arn:aws:kms:us-east-1:123456789012:key/none")
    ]
    aws.clock.advance(60)
    states = [image["State"] for image in ec2.describe_images(ImageIds=images)["Images"]]
    assert states == ["available"] * 3 + ["failed"] * 3
    keys = {snapshot.kms_key_id for snapshot in aws.world.snapshots(AWAY) if snapshot.state == "completed"}
    assert keys == {good["Arn"]}


def test_region_default_key_is_the_aws_managed_one(aws: Aws) -> None:
    ec2 = aws.client()
    ec2.enable_ebs_encryption_by_default()
    assert ec2.get_ebs_default_kms_key_id()["KmsKeyId"] == "alias/aws/ebs"
    ec2.copy_image(**asked(aws.source()))
    assert [snapshot.aws_managed_key for snapshot in aws.world.snapshots(AWAY)] == [True]


def test_accounts_are_told_apart_by_their_credentials(aws: Aws) -> None:
    source = aws.source(volumes=[Volume(shared_with=frozenset({OTHER_ACCOUNT}))], launch_permissions={OTHER_ACCOUNT})
    other = aws.client(account=OTHER_ACCOUNT)
    image_id = other.copy_image(**asked(source))["ImageId"]
    assert aws.world.image(AWAY, image_id).owner == OTHER_ACCOUNT
    assert aws.client().describe_images(Owners=["self"])["Images"] == []
    assert aws.client("sts", account=OTHER_ACCOUNT).get_caller_identity()["Account"] == OTHER_ACCOUNT
    role = aws.client("sts").assume_role(RoleArn=f"arn:aws:iam::{OTHER_ACCOUNT}:role/r", RoleSessionName="test")
    keys = role["Credentials"]
    assumed = aws.client(
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    aws.clock.advance(60)
    assert assumed.describe_images(Owners=["self"])["Images"][0]["ImageId"] == image_id


def test_region_in_a_user_agent_does_not_mislead(aws: Aws) -> None:
    config = Config(user_agent_extra="region/us-west-2", retries={"total_max_attempts": 1})
    aws.client(config=config).describe_images()
    aws.client("kms", config=config).list_keys()
    assert [request.region for request in aws.world.requests] == [AWAY, AWAY]


def test_33_clients_at_once_keep_their_connections(aws: Aws) -> None:
    aws.world.opt_in()
    source = aws.source()
    regions = [row["RegionName"] for row in aws.client().describe_regions()["Regions"]][:33]
    clients = {region: aws.client(region=region) for region in regions}

    def work(region: str) -> int:
        for _ in range(5):
            clients[region].copy_image(**asked(source, ClientToken="t"))
            clients[region].describe_images(Owners=["self"])
        return len(aws.world.images(region, DEFAULT_ACCOUNT))

    with ThreadPoolExecutor(33) as pool:
        counts = dict(zip(regions, pool.map(work, regions), strict=True))
    assert counts == {region: 2 if region == HOME else 1 for region in regions}


def test_reset_forgets_the_world_and_moto(aws: Aws) -> None:
    aws.client("kms").create_key()
    aws.source()
    aws.sandbox.reset(samples=True)
    assert aws.client("kms").list_keys()["Keys"] == []
    assert len(aws.client(region=HOME).describe_images(Owners=["self"])["Images"]) == 6
    aws.sandbox.reset()
    assert aws.client(region=HOME).describe_images(Owners=["self"])["Images"] == []


def test_environment_is_all_that_a_client_needs(running: Sandbox) -> None:
    environment = running.environment
    assert environment["AWS_ENDPOINT_URL"] == running.endpoint_url
    assert environment["AWS_ACCESS_KEY_ID"] == running.credentials(DEFAULT_ACCOUNT)["aws_access_key_id"]
    assert environment["AWS_EC2_METADATA_DISABLED"] == "true"


def test_busy_port_is_explained() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SandboxUnavailable) as caught:
        Sandbox.start(port=taken.getsockname()[1])
    assert caught.value.what.startswith("The sandbox cannot listen on port")
    assert caught.value.next_step


def test_package_alone_loads_neither_moto_nor_flask() -> None:
    program = "import sys, amicopy.sandbox, amicopy.sandbox.world; print({'moto', 'flask', 'boto3'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_stopped_sandbox_lets_go_of_its_port_and_its_connections() -> None:
    sandbox = Sandbox.start(samples=False)
    host, _, port = sandbox.endpoint_url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as connected:
        connected.sendall(b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connected.recv(4096).startswith(b"HTTP/1.1 401")
        sandbox.stop()
        sandbox.stop()
        assert connected.recv(1) == b""
    socket.create_server((host, int(port))).close()


def user_with(aws: Aws, *statements: dict[str, Any]) -> Any:
    iam = aws.client("iam", region=HOME)
    iam.create_user(UserName="robot")
    document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    iam.put_user_policy(UserName="robot", PolicyName="p", PolicyDocument=document)
    key = iam.create_access_key(UserName="robot")["AccessKey"]
    keys = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    return aws.client(**keys), aws.client("kms", **keys)


COPY = {
    "Effect": "Allow",
    "Action": "ec2:CopyImage",
    "Resource": ["arn:aws:ec2:*::image/*", "arn:aws:ec2:*::snapshot/*"],
}
READ = {"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}
TAG = {
    "Effect": "Allow",
    "Action": "ec2:CreateTags",
    "Resource": "arn:aws:ec2:*::image/*",
    "Condition": {"StringEquals": {"ec2:CreateAction": "CopyImage"}},
}


def test_policies_decide_where_asked(aws: Aws) -> None:
    aws.world = aws.sandbox.reset(clock=aws.clock, enforce_iam=True)
    source = aws.source()
    ec2, kms = user_with(aws, COPY, READ, TAG)
    tags = {kind: [{"ResourceType": kind, "Tags": [{"Key": "k", "Value": "v"}]}] for kind in ("image", "snapshot")}
    image_id = ec2.copy_image(**asked(source, TagSpecifications=tags["image"]))["ImageId"]
    ec2.describe_images()
    denied: list[tuple[Callable[[], Any], str]] = [
        (lambda: ec2.copy_image(**asked(source, TagSpecifications=tags["snapshot"])), "ec2:CreateTags"),
        (lambda: ec2.create_tags(Resources=[image_id], Tags=[{"Key": "k", "Value": "v"}]), "ec2:CreateTags"),
        (lambda: ec2.deregister_image(ImageId=image_id, DryRun=True), "ec2:DeregisterImage"),
    ]
    for call, action in denied:
        with pytest.raises(ClientError) as caught:
            call()
        assert code_of(caught) == ("UnauthorizedOperation", 403)
        assert f"user/robot is not authorized to perform: {action} on resource" in str(caught.value)
    with pytest.raises(ClientError) as caught:
        kms.describe_key(KeyId="alias/aws/ebs")
    assert code_of(caught) == ("AccessDeniedException", 400)
    with pytest.raises(ClientError) as caught:
        aws.client(aws_access_key_id="AKIAUNKNOWNUNKNOWN00", aws_secret_access_key="x").describe_images()
    assert code_of(caught) == ("AuthFailure", 401)


def test_snapshots_stay_when_their_deletion_is_not_permitted(aws: Aws) -> None:
    aws.world = aws.sandbox.reset(clock=aws.clock, enforce_iam=True)
    image = aws.world.register(AWAY, name="web")
    ec2, _ = user_with(aws, {"Effect": "Allow", "Action": "ec2:DeregisterImage", "Resource": "*"})
    answer = ec2.deregister_image(ImageId=image.image_id, DeleteAssociatedSnapshots=True)
    assert [row["ReturnCode"] for row in answer["DeleteSnapshotResults"]] == ["missing-permissions"]
    assert len(aws.world.snapshots(AWAY)) == 1


def test_denial_wins_over_permission(aws: Aws) -> None:
    aws.world = aws.sandbox.reset(clock=aws.clock, enforce_iam=True)
    elsewhere = {"StringNotEquals": {"aws:RequestedRegion": "eu-west-2"}}
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    ec2, kms = user_with(
        aws, everything, {"Effect": "Deny", "NotAction": "kms:*", "Resource": "*", "Condition": elsewhere}
    )
    with pytest.raises(ClientError) as caught:
        ec2.describe_images()
    assert code_of(caught) == ("UnauthorizedOperation", 403)
    kms.describe_key(KeyId="alias/aws/ebs")


def test_policies_see_the_tags_of_what_a_call_affects(aws: Aws) -> None:
    aws.world = aws.sandbox.reset(clock=aws.clock, enforce_iam=True)
    tagged = aws.world.register(AWAY, name="tagged", tags={"amicopy:source": "us-east-1/ami-1"})
    plain = aws.world.register(AWAY, name="plain")
    with_tag = {"Null": {"aws:ResourceTag/amicopy:source": "false"}}
    adding_it = {"Null": {"aws:RequestTag/amicopy:source": "false"}}
    actions = ["ec2:DeregisterImage", "ec2:DeleteSnapshot"]
    ec2, _ = user_with(
        aws,
        {"Effect": "Allow", "Action": actions, "Resource": "*", "Condition": with_tag},
        {"Effect": "Allow", "Action": "ec2:CreateTags", "Resource": "*", "Condition": adding_it},
    )
    with pytest.raises(ClientError) as caught:
        ec2.deregister_image(ImageId=plain.image_id)
    assert code_of(caught) == ("UnauthorizedOperation", 403)
    with pytest.raises(ClientError) as caught:
        ec2.create_tags(Resources=[plain.image_id], Tags=[{"Key": "Name", "Value": "v"}])
    assert code_of(caught) == ("UnauthorizedOperation", 403)
    # The snapshot has no tag, so it stays.
    answer = ec2.deregister_image(ImageId=tagged.image_id, DeleteAssociatedSnapshots=True)
    assert [row["ReturnCode"] for row in answer["DeleteSnapshotResults"]] == ["missing-permissions"]
    ec2.create_tags(Resources=[plain.image_id, *plain.snapshot_ids], Tags=[{"Key": "amicopy:source", "Value": "v"}])
    answer = ec2.deregister_image(ImageId=plain.image_id, DeleteAssociatedSnapshots=True)
    assert [row["ReturnCode"] for row in answer["DeleteSnapshotResults"]] == ["success"]


THROUGH_EC2 = {"StringEquals": {"kms:ViaService": f"ec2.{AWAY}.amazonaws.com"}}
BY_ALIAS = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/images"}}
USE = {
    "Effect": "Allow",
    "Action": ["kms:D*", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncrypt*"],
    "Resource": "*",
    "Condition": BY_ALIAS | THROUGH_EC2,
}
GRANT = {
    "Effect": "Allow",
    "Action": "kms:CreateGrant",
    "Resource": "*",
    "Condition": {"Bool": {"kms:GrantIsForAWSResource": "true"}},
}


@pytest.mark.parametrize(("statements", "state"), [([USE, GRANT], "available"), ([USE], "failed"), ([GRANT], "failed")])
def test_ec2_uses_keys_in_the_name_of_the_caller(aws: Aws, statements: list[dict[str, Any]], state: str) -> None:
    aws.world = aws.sandbox.reset(clock=aws.clock, enforce_iam=True)
    source = aws.source()
    admin = aws.client("kms")
    key = admin.create_key()["KeyMetadata"]["Arn"]
    admin.create_alias(AliasName="alias/images", TargetKeyId=key)
    ec2, kms = user_with(aws, COPY, READ, *statements)
    image_id = ec2.copy_image(**asked(source, Encrypted=True, KmsKeyId=key))["ImageId"]
    aws.clock.advance(7200)
    assert ec2.describe_images(ImageIds=[image_id])["Images"][0]["State"] == state
    with pytest.raises(ClientError):  # not through EC2
        kms.describe_key(KeyId=key)


def test_parameters_have_arns(aws: Aws) -> None:
    aws.world = aws.sandbox.reset(clock=aws.clock, enforce_iam=True)
    arn = f"arn:aws:ssm:{AWAY}:{DEFAULT_ACCOUNT}:parameter/images/web"
    user_with(aws, {"Effect": "Allow", "Action": "ssm:PutParameter", "Resource": arn})
    keys = aws.client("iam", region=HOME).create_access_key(UserName="robot")["AccessKey"]
    ssm = aws.client("ssm", aws_access_key_id=keys["AccessKeyId"], aws_secret_access_key=keys["SecretAccessKey"])
    ssm.put_parameter(Name="/images/web", Value="ami-1", Type="String")
    with pytest.raises(ClientError) as caught:
        ssm.put_parameter(Name="/images/db", Value="ami-1", Type="String")
    assert code_of(caught) == ("AccessDeniedException", 400)


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [("dlm", "get_lifecycle_policies", {}), ("imagebuilder", "list_images", {}), ("cloudformation", "list_stacks", {})],
)
def test_a_service_that_the_sandbox_lacks_is_refused_as_aws_refuses_an_unknown_operation(
    aws: Aws, service: str, operation: str, parameters: dict[str, Any]
) -> None:
    if service == "cloudformation" and find_spec("openapi_spec_validator"):
        pytest.skip("moto has all that it needs for this service")
    with pytest.raises(ClientError) as raised:
        getattr(aws.client(service, HOME), operation)(**parameters)
    assert code_of(raised) == ("UnknownOperationException", 400)
    assert "The sandbox does not have this service." in str(raised.value)
