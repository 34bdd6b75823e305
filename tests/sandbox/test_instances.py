"""Instances, volumes and launch templates, which moto has, beside the world's images and snapshots."""

from typing import Any

import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from amicopy.sandbox.records import Volume
from tests.sandbox.over_http import AWAY, HOME, OTHER_ACCOUNT, Aws, asked, code_of


def launched(aws: Aws, image_id: str, **params: Any) -> str:
    ec2 = aws.client(region=HOME)
    required = {"ImageId": image_id, "MinCount": 1, "MaxCount": 1, "InstanceType": "t3.micro"}
    return str(ec2.run_instances(**(required | params))["Instances"][0]["InstanceId"])


def refused_launch(aws: Aws, image_id: str, **params: Any) -> str:
    with pytest.raises(ClientError) as caught:
        launched(aws, image_id, **params)
    return code_of(caught)[0]


def volumes_of(aws: Aws, instance_id: str) -> list[Any]:
    where = [{"Name": "attachment.instance-id", "Values": [instance_id]}]
    return list(aws.client(region=HOME).describe_volumes(Filters=where)["Volumes"])


THREE = (
    Volume(gib=9, volume_type="gp2"),
    Volume(device="/dev/sdf", gib=20, delete_on_termination=False),
    Volume(device="/dev/sdg", gib=30),
)


def test_instance_has_a_volume_for_each_snapshot_of_its_image(aws: Aws) -> None:
    source = aws.source(volumes=THREE)
    instance_id = launched(aws, source.image_id)
    volumes = volumes_of(aws, instance_id)
    assert [(row["Size"], row["VolumeType"], row["SnapshotId"]) for row in volumes] == [
        (9, "gp2", source.snapshot_ids[0]),
        (20, "gp3", source.snapshot_ids[1]),
        (30, "gp3", source.snapshot_ids[2]),
    ]
    answer = aws.client(region=HOME).describe_instances(InstanceIds=[instance_id])
    devices = answer["Reservations"][0]["Instances"][0]["BlockDeviceMappings"]
    assert [row["Ebs"]["DeleteOnTermination"] for row in devices] == [True, False, True]


def test_request_changes_the_volumes_of_an_instance(aws: Aws) -> None:
    mappings = [
        {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 12}},
        {"DeviceName": "/dev/sdf", "NoDevice": ""},
        {"DeviceName": "/dev/sdh", "Ebs": {"VolumeSize": 5, "VolumeType": "gp3"}},
    ]
    instance_id = launched(aws, aws.source(volumes=THREE).image_id, BlockDeviceMappings=mappings)
    sizes = {row["Attachments"][0]["Device"]: row["Size"] for row in volumes_of(aws, instance_id)}
    assert sizes == {"/dev/sda1": 12, "/dev/sdg": 30, "/dev/sdh": 5}


def test_image_of_an_instance_is_pending_and_then_has_a_snapshot_of_each_volume(aws: Aws) -> None:
    source = aws.source(volumes=THREE, boot_mode="uefi", imds="v2.0", platform_details="Red Hat Enterprise Linux")
    instance_id = launched(aws, source.image_id)
    ec2 = aws.client(region=HOME)
    tags = [{"ResourceType": kind, "Tags": [{"Key": "kind", "Value": kind}]} for kind in ("image", "snapshot")]
    image_id = ec2.create_image(InstanceId=instance_id, Name="built", Description="d", TagSpecifications=tags)[
        "ImageId"
    ]
    aws.clock.advance(1)
    assert ec2.describe_images(ImageIds=[image_id])["Images"][0]["State"] == "pending"
    aws.clock.advance(60)
    (image,) = ec2.describe_images(ImageIds=[image_id])["Images"]
    assert (image["State"], image["Description"], image["BootMode"]) == ("available", "d", "uefi")
    assert (image["ImdsSupport"], image["PlatformDetails"]) == ("v2.0", "Red Hat Enterprise Linux")
    assert (image["SourceInstanceId"], image["SourceImageId"]) == (instance_id, source.image_id)
    assert image["Tags"] == [{"Key": "kind", "Value": "image"}]
    devices = {row["DeviceName"]: row["Ebs"] for row in image["BlockDeviceMappings"]}
    assert {name: ebs["VolumeSize"] for name, ebs in devices.items()} == {
        "/dev/sda1": 9,
        "/dev/sdf": 20,
        "/dev/sdg": 30,
    }
    snapshots = ec2.describe_snapshots(SnapshotIds=[ebs["SnapshotId"] for ebs in devices.values()])["Snapshots"]
    assert {row["VolumeId"] for row in snapshots} == {row["VolumeId"] for row in volumes_of(aws, instance_id)}
    assert {row["State"] for row in snapshots} == {"completed"}
    assert {row["Description"] for row in snapshots} == {f"Created by CreateImage({instance_id}) for {image_id}"}
    assert all(row["Tags"] == [{"Key": "kind", "Value": "snapshot"}] for row in snapshots)
    with pytest.raises(ClientError) as caught:
        ec2.delete_snapshot(SnapshotId=snapshots[0]["SnapshotId"])
    assert code_of(caught)[0] == "InvalidSnapshot.InUse"


def test_image_of_an_instance_leaves_out_and_adds_devices(aws: Aws) -> None:
    source = aws.source(volumes=THREE)
    mappings = [
        {"DeviceName": "/dev/sda1", "Ebs": {"DeleteOnTermination": False}},
        {"DeviceName": "/dev/sdf", "NoDevice": ""},
        {"DeviceName": "/dev/sdh", "VirtualName": "ephemeral0"},
    ]
    ec2 = aws.client(region=HOME)
    instance_id = launched(aws, source.image_id)
    image_id = ec2.create_image(InstanceId=instance_id, Name="built", BlockDeviceMappings=mappings)["ImageId"]
    aws.clock.advance(60)
    (image,) = ec2.describe_images(ImageIds=[image_id])["Images"]
    assert [row["DeviceName"] for row in image["BlockDeviceMappings"]] == ["/dev/sda1", "/dev/sdg", "/dev/sdh"]
    assert image["BlockDeviceMappings"][0]["Ebs"]["DeleteOnTermination"] is False


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"InstanceId": "i-0123456789abcdef0"}, "InvalidInstanceID.NotFound"),
        ({"Name": "web"}, "InvalidAMIName.Duplicate"),
        ({"Name": "a:b"}, "InvalidAMIName.Malformed"),
        (
            {"BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"Encrypted": True}}]},
            "InvalidParameterValue",
        ),
        (
            {"TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "k", "Value": "v"}]}]},
            "InvalidParameterValue",
        ),
    ],
)
def test_create_image_refuses(aws: Aws, params: dict[str, Any], code: str) -> None:
    instance_id = launched(aws, aws.source().image_id)
    with pytest.raises(ClientError) as caught:
        aws.client(region=HOME).create_image(**({"InstanceId": instance_id, "Name": "built"} | params))
    assert code_of(caught)[0] == code


def test_terminated_instance_makes_no_image(aws: Aws) -> None:
    instance_id = launched(aws, aws.source().image_id)
    ec2 = aws.client(region=HOME)
    ec2.terminate_instances(InstanceIds=[instance_id])
    with pytest.raises(ClientError) as caught:
        ec2.create_image(InstanceId=instance_id, Name="built")
    assert code_of(caught)[0] == "IncorrectState"


def test_images_of_instances_do_not_count_as_copies_in_progress(aws: Aws) -> None:
    source = aws.source()
    aws.world.settings(HOME).image_copies_limit = 1
    ec2 = aws.client(region=HOME)
    ec2.create_image(InstanceId=launched(aws, source.image_id), Name="built")
    ec2.copy_image(**asked(source))
    with pytest.raises(ClientError) as caught:
        ec2.copy_image(**asked(source))
    assert code_of(caught)[0] == "ResourceLimitExceeded"


def test_snapshot_of_an_encrypted_volume_is_encrypted_with_its_key(aws: Aws) -> None:
    ec2, key = aws.client(region=HOME), aws.client("kms", region=HOME).create_key()["KeyMetadata"]["Arn"]
    volume_id = ec2.create_volume(AvailabilityZone=f"{HOME}a", Size=8, Encrypted=True, KmsKeyId=key)["VolumeId"]
    snapshot = ec2.create_snapshot(VolumeId=volume_id)
    assert (snapshot["Encrypted"], snapshot["KmsKeyId"]) == (True, key)
    mapping = {"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": snapshot["SnapshotId"]}}
    image_id = ec2.register_image(Name="web", BlockDeviceMappings=[mapping])["ImageId"]
    aws.client().copy_image(Name="web", SourceImageId=image_id, SourceRegion=HOME)
    assert [snapshot.encrypted for snapshot in aws.world.snapshots(AWAY)] == [True]


def test_volume_under_the_default_key_gives_a_snapshot_that_cannot_be_shared(aws: Aws) -> None:
    ec2 = aws.client(region=HOME)
    ec2.enable_ebs_encryption_by_default()
    volume = ec2.create_volume(AvailabilityZone=f"{HOME}a", Size=8)
    assert volume["Encrypted"] is True
    snapshot_id = ec2.create_snapshot(VolumeId=volume["VolumeId"])["SnapshotId"]
    assert aws.world.snapshot(HOME, snapshot_id).aws_managed_key


def test_regions_default_key_encrypts_new_volumes_and_instances(aws: Aws) -> None:
    ec2, key = aws.client(region=HOME), aws.client("kms", region=HOME).create_key()["KeyMetadata"]["Arn"]
    ec2.modify_ebs_default_kms_key_id(KmsKeyId=key)
    ec2.enable_ebs_encryption_by_default()
    volume = ec2.create_volume(AvailabilityZone=f"{HOME}a", Size=8)
    (root,) = volumes_of(aws, launched(aws, aws.source().image_id))
    assert (volume["KmsKeyId"], root["KmsKeyId"], root["Encrypted"]) == (key, key, True)


def test_instance_of_an_encrypted_image_keeps_its_key_down_to_the_next_image(aws: Aws) -> None:
    key = aws.client("kms", region=HOME).create_key()["KeyMetadata"]["Arn"]
    source = aws.source(volumes=[Volume(encrypted=True, kms_key_id=key)])
    instance_id = launched(aws, source.image_id)
    image_id = aws.client(region=HOME).create_image(InstanceId=instance_id, Name="built")["ImageId"]
    (snapshot_id,) = aws.world.image(HOME, image_id).snapshot_ids
    assert aws.world.snapshot(HOME, snapshot_id).kms_key_id == key


def test_volume_is_not_smaller_than_its_snapshot_which_must_exist(aws: Aws) -> None:
    ec2, source = aws.client(region=HOME), aws.source()
    for params, code in (
        ({"SnapshotId": source.snapshot_ids[0], "Size": 7}, "InvalidParameterValue"),
        ({"SnapshotId": "snap-0123456789abcdef0"}, "InvalidSnapshot.NotFound"),
    ):
        with pytest.raises(ClientError) as caught:
            ec2.create_volume(AvailabilityZone=f"{HOME}a", **params)
        assert code_of(caught)[0] == code
    assert ec2.create_volume(AvailabilityZone=f"{HOME}a", SnapshotId=source.snapshot_ids[0])["Size"] == 8


def test_snapshots_of_all_volumes_of_an_instance(aws: Aws) -> None:
    ec2 = aws.client(region=HOME)
    instance_id = launched(aws, aws.source(volumes=THREE).image_id)
    root, data, logs = (row["VolumeId"] for row in volumes_of(aws, instance_id))
    ec2.create_tags(Resources=[logs], Tags=[{"Key": "Name", "Value": "logs"}, {"Key": "Team", "Value": "web"}])
    tags = [{"ResourceType": "snapshot", "Tags": [{"Key": "Name", "Value": "backup"}]}]
    specification = {"InstanceId": instance_id, "ExcludeBootVolume": True, "ExcludeDataVolumeIds": [data]}
    answer = ec2.create_snapshots(
        InstanceSpecification=specification, TagSpecifications=tags, CopyTagsFromSource="volume", Description="d"
    )
    (snapshot,) = answer["Snapshots"]
    assert (snapshot["VolumeId"], snapshot["VolumeSize"], snapshot["Description"]) == (logs, 30, "d")
    assert {tag["Key"]: tag["Value"] for tag in snapshot["Tags"]} == {"Name": "backup", "Team": "web"}
    everything = ec2.create_snapshots(InstanceSpecification={"InstanceId": instance_id})["Snapshots"]
    assert [row["VolumeId"] for row in everything] == [root, data, logs]
    assert [row["Tags"] for row in everything] == [[], [], []]


@pytest.mark.parametrize(
    ("specification", "code"),
    [
        ({"InstanceId": "i-0123456789abcdef0"}, "InvalidInstanceID.NotFound"),
        ({"ExcludeDataVolumeIds": ["vol-0123456789abcdef0"]}, "InvalidVolume.NotFound"),
    ],
)
def test_create_snapshots_refuses(aws: Aws, specification: dict[str, Any], code: str) -> None:
    instance_id = launched(aws, aws.source().image_id)
    with pytest.raises(ClientError) as caught:
        aws.client(region=HOME).create_snapshots(InstanceSpecification={"InstanceId": instance_id} | specification)
    assert code_of(caught)[0] == code


def test_only_images_that_the_caller_can_use_are_launched(aws: Aws) -> None:
    ec2 = aws.client(region=HOME)
    disabled, gone = aws.source(), aws.source()
    ec2.disable_image(ImageId=disabled.image_id)
    ec2.deregister_image(ImageId=gone.image_id)
    private = aws.world.register(HOME, name="web", account=OTHER_ACCOUNT)
    shared = aws.world.register(HOME, name="web", account=OTHER_ACCOUNT, launch_permissions={"123456789012"})
    elsewhere = aws.world.register(AWAY, name="web")
    pending = ec2.copy_image(**asked(aws.source()))["ImageId"]
    aws.clock.advance(1)
    assert refused_launch(aws, "ami-0123456789abcdef0") == "InvalidAMIID.NotFound"
    assert refused_launch(aws, "web") == "InvalidAMIID.Malformed"
    assert refused_launch(aws, private.image_id) == "InvalidAMIID.NotFound"
    assert refused_launch(aws, elsewhere.image_id) == "InvalidAMIID.NotFound"
    for image_id in (disabled.image_id, gone.image_id, pending):
        assert refused_launch(aws, image_id) == "InvalidAMIID.Unavailable"
    assert launched(aws, shared.image_id)
    assert aws.client(region=HOME).describe_instances()["Reservations"][0]["Instances"][0]["ImageId"] == shared.image_id


def test_image_and_instance_type_have_one_architecture(aws: Aws) -> None:
    image_id = aws.source(architecture="arm64").image_id
    assert refused_launch(aws, image_id) == "InvalidParameterValue"
    assert launched(aws, image_id, InstanceType="t4g.micro")
    ec2 = aws.client(region=HOME)
    assert ec2.describe_instances()["Reservations"][0]["Instances"][0]["Architecture"] == "arm64"


def test_launch_template_names_the_image_and_its_volumes(aws: Aws) -> None:
    ec2, source = aws.client(region=HOME), aws.source()
    mapping = {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 15}}
    data = {"ImageId": source.image_id, "InstanceType": "t3.micro", "BlockDeviceMappings": [mapping]}
    ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData=data)
    answer = ec2.run_instances(LaunchTemplate={"LaunchTemplateName": "web"}, MinCount=1, MaxCount=1)
    (instance,) = answer["Instances"]
    assert instance["ImageId"] == source.image_id
    assert [row["Size"] for row in volumes_of(aws, instance["InstanceId"])] == [15]
    ec2.deregister_image(ImageId=source.image_id)
    with pytest.raises(ClientError) as caught:
        ec2.run_instances(LaunchTemplate={"LaunchTemplateName": "web"}, MinCount=1, MaxCount=1)
    assert code_of(caught)[0] == "InvalidAMIID.Unavailable"


def test_image_is_launched_by_the_parameter_that_holds_its_id(aws: Aws) -> None:
    source = aws.source()
    aws.client("ssm", region=HOME).put_parameter(Name="/web", Value=source.image_id, Type="String")
    launched(aws, "resolve:ssm:/web")
    assert refused_launch(aws, "resolve:ssm:/none") == "InvalidParameterValue"
    instance = aws.client(region=HOME).describe_instances()["Reservations"][0]["Instances"][0]
    assert instance["ImageId"] == source.image_id


def test_instances_launch_templates_and_parameters_are_references(aws: Aws) -> None:
    ec2, used, unused = aws.client(region=HOME), aws.source(), aws.source()
    instance_id = launched(aws, used.image_id)
    template = ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData={"ImageId": used.image_id})
    template_id = template["LaunchTemplate"]["LaunchTemplateId"]
    aws.client("ssm", region=HOME).put_parameter(
        Name="/web", Value=used.image_id, Type="String", DataType="aws:ec2:image"
    )
    ids = [used.image_id, unused.image_id]

    def references(**params: Any) -> set[str]:
        rows = ec2.describe_image_references(ImageIds=ids, **params)["ImageReferences"]
        assert {row["ImageId"] for row in rows} <= {used.image_id}
        return {row["Arn"].rpartition(":")[2] for row in rows}

    assert references(IncludeAllResourceTypes=True) == {
        f"instance/{instance_id}",
        f"launch-template/{template_id}",
        "parameter/web",
    }
    assert references(ResourceTypes=[{"ResourceType": "ssm:Parameter"}]) == {"parameter/web"}
    for version in range(10):
        data = {"ImageId": unused.image_id if version == 9 else used.image_id}
        ec2.create_launch_template_version(LaunchTemplateId=template_id, LaunchTemplateData=data)
    ids = [used.image_id]
    depth = [{"OptionName": "version-depth", "OptionValues": ["1"]}]
    assert references(ResourceTypes=[{"ResourceType": "ec2:LaunchTemplate"}]) == {f"launch-template/{template_id}"}
    assert references(ResourceTypes=[{"ResourceType": "ec2:LaunchTemplate", "ResourceTypeOptions": depth}]) == set()
    stopped = [{"OptionName": "state-name", "OptionValues": ["stopped"]}]
    assert references(ResourceTypes=[{"ResourceType": "ec2:Instance", "ResourceTypeOptions": stopped}]) == set()
    ec2.terminate_instances(InstanceIds=[instance_id])
    assert references(ResourceTypes=[{"ResourceType": "ec2:Instance"}]) == set()


def test_tags_of_all_resources_are_listed_together(aws: Aws) -> None:
    ec2 = aws.client(region=HOME)
    source = aws.source(tags={"Name": "web", "Team": "a"}, volumes=[Volume(tags={"Name": "root"})])
    instance_id = launched(aws, source.image_id)
    ec2.create_tags(Resources=[instance_id], Tags=[{"Key": "Name", "Value": "server"}])

    def listed(**filters: list[str]) -> set[str]:
        wanted = [{"Name": name.replace("_", "-"), "Values": values} for name, values in filters.items()]
        return {row["ResourceId"] for row in ec2.describe_tags(Filters=wanted)["Tags"]}

    snapshot_id = source.snapshot_ids[0]
    assert listed(key=["Name"]) == {source.image_id, snapshot_id, instance_id}
    assert listed(key=["Name"], value=["s*"]) == {instance_id}
    assert listed(resource_type=["instance", "snapshot"]) == {instance_id, snapshot_id}
    assert listed(resource_id=[instance_id, source.image_id]) == {instance_id, source.image_id}
    assert listed(**{"tag:Name": ["root", "server"]}) == {snapshot_id, instance_id}
    ec2.create_tags(Resources=[instance_id], Tags=[{"Key": f"k{number}", "Value": "v"} for number in range(4)])
    pages = [page["Tags"] for page in ec2.get_paginator("describe_tags").paginate(PaginationConfig={"PageSize": 5})]
    assert [len(page) for page in pages] == [5, 3]


def test_snapshot_of_the_ebs_api_can_be_registered(aws: Aws) -> None:
    ebs, ec2 = aws.client("ebs", region=HOME), aws.client(region=HOME)
    snapshot_id = ebs.start_snapshot(VolumeSize=3, Description="d")["SnapshotId"]
    assert ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"][0]["State"] == "pending"
    ebs.complete_snapshot(SnapshotId=snapshot_id, ChangedBlocksCount=0)
    (row,) = ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"]
    assert (row["State"], row["VolumeSize"], row["Description"]) == ("completed", 3, "d")
    mapping = {"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": snapshot_id}}
    image_id = ec2.register_image(Name="web", BlockDeviceMappings=[mapping])["ImageId"]
    assert aws.world.image(HOME, image_id).snapshot_ids == [snapshot_id]
    ec2.deregister_image(ImageId=image_id, DeleteAssociatedSnapshots=True)
    assert ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"] == []


def test_archived_snapshot_is_in_the_archive_tier(aws: Aws) -> None:
    ec2, (snapshot_id,) = aws.client(region=HOME), aws.source().snapshot_ids
    ec2.modify_snapshot_tier(SnapshotId=snapshot_id, StorageTier="archive")
    archived = ec2.describe_snapshots(Filters=[{"Name": "storage-tier", "Values": ["archive"]}])["Snapshots"]
    assert [row["SnapshotId"] for row in archived] == [snapshot_id]


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_role_of_any_partition_is_assumed_without_a_signature(aws: Aws, partition: str) -> None:
    sts = aws.client("sts", config=Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}))
    answer = sts.assume_role_with_web_identity(
        RoleArn=f"arn:{partition}:iam::{OTHER_ACCOUNT}:role/ci", RoleSessionName="job", WebIdentityToken="a.b.c.d"
    )
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:{partition}:sts::{OTHER_ACCOUNT}:assumed-role/ci/job"


def test_roles_are_assumed_without_a_signature(aws: Aws) -> None:
    sts = aws.client("sts", config=Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}))
    answer = sts.assume_role_with_web_identity(
        RoleArn=f"arn:aws:iam::{OTHER_ACCOUNT}:role/ci", RoleSessionName="job", WebIdentityToken="a.b.c.d"
    )
    keys = answer["Credentials"]
    assumed = aws.client(
        "sts",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    assert assumed.get_caller_identity()["Account"] == OTHER_ACCOUNT
    assert aws.world.requests[0].operation == "AssumeRoleWithWebIdentity"
    with pytest.raises(ClientError) as caught:
        sts.get_session_token()
    assert code_of(caught) == ("AuthFailure", 401)


def test_what_only_moto_answers_is_not_held_to_the_model(aws: Aws) -> None:
    """A client may be newer than the model of the sandbox."""
    with pytest.raises(ClientError) as caught:
        aws.client().describe_instance_types(InstanceTypes=["t99.micro"])
    assert code_of(caught)[0] == "InvalidInstanceType"
