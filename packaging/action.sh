#!/usr/bin/env bash
# What the GitHub Action does: install amicopy into a virtual environment of the job, and run it.
set -euo pipefail

refuse() {
  echo "::error::amicopy: $1" >&2
  exit 2
}

# Only `args` may have options: the other inputs can come from whoever names an image, a file or a branch.
[[ $INPUT_COMMAND =~ ^[a-z][a-z-]*$ ]] || refuse "the input 'command' is not the name of a command"
[[ $INPUT_VERSION =~ ^[0-9A-Za-z.+!]*$ ]] || refuse "the input 'version' is not a version"
[[ $INPUT_MANIFEST != -* ]] || refuse "the input 'manifest' begins with a dash; write ./ before it"
words=("$INPUT_COMMAND")
read -r -d "" -a amis <<<"$INPUT_AMI" || true
for ami in ${amis[@]+"${amis[@]}"}; do
  [[ $ami =~ ^ami-[0-9a-f]+$ ]] || refuse "the input 'ami' has something that is not the id of an AMI"
  words+=("$ami")
done
if [ -n "$INPUT_MANIFEST" ]; then words+=("$INPUT_MANIFEST"); fi
if [ -n "$INPUT_TO" ]; then words+=("--to=$INPUT_TO"); fi
while IFS= read -r line; do
  if [ -n "$line" ]; then words+=("$line"); fi
done <<<"$INPUT_ARGS"
case $INPUT_COMMAND in copy | sync) words+=(--github) ;; esac

# Another version, or another ref of this action, gets an environment of its own.
venv=$RUNNER_TEMP/amicopy-${INPUT_VERSION:-${ACTION_PATH//[^0-9A-Za-z]/-}}
if ! [ -x "$venv/bin/amicopy" ]; then
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    refuse "Python 3.11 or newer is needed, and this is $(python3 --version); add a step with actions/setup-python"
  python3 -m venv "$venv"
  package=${INPUT_VERSION:+amicopy==$INPUT_VERSION}
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "${package:-$ACTION_PATH}"
fi
exec "$venv/bin/amicopy" "${words[@]}"
