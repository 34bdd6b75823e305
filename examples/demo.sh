#!/bin/sh
# The main job, on a local EC2: a three-volume AMI goes to two regions, then the same command finds nothing to do.
set -eu

source=ami-0a11ce5a3b1e00001
variables=$(mktemp)
amicopy sandbox >"$variables" 2>/dev/null &
sandbox=$!
trap 'kill "$sandbox" 2>/dev/null; rm -f "$variables"' EXIT
until grep -q '^#   aws' "$variables"; do
    kill -0 "$sandbox" || { echo "the sandbox did not start" >&2; exit 1; }
    sleep 0.1
done
. "$variables"

run() {
    printf '\n$ %s\n' "$*"
    "$@"
}

run amicopy copy "$source" --to us-west-2,eu-west-1 --output table
echo
echo "The same command again, with each AWS call shown: it looks, and writes nothing."
run amicopy copy "$source" --to us-west-2,eu-west-1 --output table -v
run amicopy status "$source"
