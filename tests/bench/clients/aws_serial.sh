#!/bin/sh
# A shell loop, one image and region after another.
set -eu
images=$1 name=$2; shift 2
for image in $images; do
    for region in "$@"; do
        copy=$(aws ec2 copy-image --region "$region" --source-region us-east-1 --source-image-id "$image" \
            --name "$name-$image" --copy-image-tags --query ImageId --output text)
        aws ec2 wait image-available --region "$region" --image-ids "$copy"
        echo "$region $copy"
    done
done
