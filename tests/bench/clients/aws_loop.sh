#!/bin/sh
# A shell loop over images and regions: one copy after another (serial), or all at once (parallel).
set -eu
how=$1 images=$2 name=$3; shift 3

copy() {
    copy=$(aws ec2 copy-image --region "$2" --source-region us-east-1 --source-image-id "$1" \
        --name "$name-$1" --copy-image-tags --query ImageId --output text)
    aws ec2 wait image-available --region "$2" --image-ids "$copy"
    echo "$2 $copy"
}

pids=
for image in $images; do
    for region in "$@"; do
        if [ "$how" = parallel ]; then
            copy "$image" "$region" &
            pids="$pids $!"
        else
            copy "$image" "$region"
        fi
    done
done
for pid in $pids; do
    wait "$pid"
done
