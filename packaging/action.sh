#!/usr/bin/env bash
# What the GitHub Action does: install amicopy into a virtual environment of the job, and run it.
set -euo pipefail

venv=$RUNNER_TEMP/amicopy-$INPUT_VERSION
if ! [ -x "$venv/bin/amicopy" ]; then
  python3 -m venv "$venv"
  package=${INPUT_VERSION:+amicopy==$INPUT_VERSION}
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "${package:-$ACTION_PATH}"
fi

words=("$INPUT_COMMAND")
for ami in $INPUT_AMI; do # an AMI id has no spaces
  words+=("$ami")
done
if [ -n "$INPUT_MANIFEST" ]; then words+=("$INPUT_MANIFEST"); fi
if [ -n "$INPUT_TO" ]; then words+=(--to "$INPUT_TO"); fi
while IFS= read -r line; do
  if [ -n "$line" ]; then words+=("$line"); fi
done <<<"$INPUT_ARGS"
case $INPUT_COMMAND in copy | sync) words+=(--github) ;; esac

exec "$venv/bin/amicopy" "${words[@]}"
