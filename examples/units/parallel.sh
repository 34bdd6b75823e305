#!/bin/sh
# Work on all units of a manifest, ten at a time (GNU parallel), then on what needs all of them: sh parallel.sh amis.yaml
set -eu
manifest=$1
amicopy sync "$manifest" --list-units | jq -r '.units[].id' |
  parallel --quote --jobs 10 --retries 2 amicopy sync "$manifest" --quiet --unit {} || echo "a unit failed" >&2
amicopy sync "$manifest" --no-wait --exit-code  # exits 5 if a unit is not done, otherwise like any run
