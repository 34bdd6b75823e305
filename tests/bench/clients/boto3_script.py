"""A plain boto3 script: start every copy, then wait for one after another."""

import sys

import boto3

images, name, *regions = sys.argv[1:]
copies = []
for region in regions:
    ec2 = boto3.client("ec2", region_name=region)
    for image_id in images.split():
        answer = ec2.copy_image(
            SourceRegion="us-east-1", SourceImageId=image_id, Name=f"{name}-{image_id}", CopyImageTags=True
        )
        copies.append((region, ec2, answer["ImageId"]))
for region, ec2, copy_id in copies:
    ec2.get_waiter("image_available").wait(ImageIds=[copy_id])
    print(region, copy_id)
