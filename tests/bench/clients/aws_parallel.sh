#!/bin/sh
# A shell loop, all images and regions at once.
set -eu
images=$1 name=$2; shift 2
pids=
for image in $images; do
    for region in "$@"; do
        (
            copy=$(aws ec2 copy-image --region "$region" --source-region us-east-1 --source-image-id "$image" \
                --name "$name-$image" --copy-image-tags --query ImageId --output text)
            aws ec2 wait image-available --region "$region" --image-ids "$copy"
            echo "$region $copy"
        ) &
        pids="$pids $!"
    done
done
for pid in $pids; do
    wait "$pid"
done
