#!/bin/sh
# Before: one CopyImage per region, then waiting, and nothing that goes on after a failure.
#   for region in us-west-2 eu-west-1; do
#     aws ec2 copy-image --region "$region" --source-region us-east-1 --source-image-id "$ami" --name "$name"
#   done
set -eu
ami=${1:?the id of the AMI}

amicopy copy "$ami" --from us-east-1 --to us-west-2,eu-west-1 --write env=amis.env
. ./amis.env
echo "us-west-2 has $AMI_US_WEST_2"
