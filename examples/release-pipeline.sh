#!/bin/sh
# One release: sh release-pipeline.sh INSTANCE VERSION
# Builds web-server-VERSION from an instance, copies it to three regions, launches each copy there while it is private,
# and shares and publishes all of them or none. Then releases that are older than a week are retired, but for the newest.
# If it fails, run it again with the same version: an image of that name is used again. The manifest takes the newest
# image of all versions, so that an older version is not released again: give it a new number.
set -eu

image=$(aws ec2 describe-images --region us-east-1 --owners self --filters "Name=name,Values=web-server-$2" --query 'Images[0].ImageId' --output text)
[ "$image" != None ] || image=$(aws ec2 create-image --region us-east-1 --instance-id "$1" --name "web-server-$2" --query ImageId --output text)
aws ec2 wait image-available --region us-east-1 --image-ids "$image"
amicopy sync release-pipeline.yaml --dry-run --write markdown=plan.md
amicopy sync release-pipeline.yaml --share-when all --write tfvars=amis.auto.tfvars --write json=release.json --notify "tee notified.json"
amicopy retire --manifest release-pipeline.yaml --older-than 7d --yes

# If this release turns out to be bad, one command takes it back and restores the one before, even if that was retired:
#   sh take-back.sh AMI PREVIOUS_AMI
