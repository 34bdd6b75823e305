#!/bin/sh
# One release: sh release-pipeline.sh [PREVIOUS_AMI]
# The newest web-server-* AMI goes to three regions, is checked there while it is private, and is shared and published
# everywhere or nowhere. Then the release before it is taken back.
set -eu

amicopy sync release-pipeline.yaml --dry-run --write markdown=plan.md
amicopy sync release-pipeline.yaml --share-when all --write tfvars=amis.auto.tfvars --write json=release.json --notify "tee notified.json"
[ -z "${1:-}" ] || amicopy retire "$1" --from us-east-1 --leave-parameter "/images/web/web-server-*" --yes

# If the release turns out to be bad:
#   amicopy retire AMI --from us-east-1 --leave-parameter "/images/web/web-server-*" --yes
