#!/usr/bin/env bash
# Build everything that is shipped and try it: wheel and sdist, a single file, the Lambda bundle; lint what cannot run here.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
work=$root/build/ship
tools=$root/.venv-ship/bin
rm -rf "$work"
mkdir -p "$work"

echo "wheel and sdist: built twice, at another time and with other permissions"
make --no-print-directory dist
(umask 077 && mkdir "$work/again" && git archive HEAD | tar -x -C "$work/again" -m)
PIP_CONSTRAINT=packaging/build.txt "$tools/python" -m build --quiet --outdir "$work/again/dist" "$work/again"
if git diff --quiet HEAD -- && [ -z "$(git status --porcelain)" ]; then
  for file in dist/*; do cmp "$file" "$work/again/dist/$(basename "$file")"; done
else
  echo "  not compared: there are uncommitted changes"
fi
"$tools/python" -m twine check --strict dist/*

# A local EC2 for all of them.
.venv/bin/amicopy sandbox >"$work/environment" 2>"$work/sandbox.log" &
sandbox=$!
trap 'kill "$sandbox" 2>/dev/null || true' EXIT
until grep -q AWS_ENDPOINT_URL "$work/environment"; do
  kill -0 "$sandbox"
  sleep 0.2
done
mapfile -t environment < <(sed -n 's/^export //p' "$work/environment" | tr -d "'\"")

# Without a home directory, with nothing to write to but /tmp where the system allows that, and no other variables.
bare=(env -i "PATH=/usr/bin:/bin" "XDG_CACHE_HOME=/tmp/amicopy-cache" "SHIV_ROOT=/tmp/amicopy-shiv" "${environment[@]}")
# shellcheck disable=SC2016
inside='mount --rbind / / && mount -o remount,ro,bind / && mount -t tmpfs tmpfs /tmp && cd / && exec "$@"'
# A checkout below /tmp would be hidden.
if [ "${root#/tmp/}" = "$root" ] && unshare --mount sh -c "$inside" sh true 2>/dev/null; then
  bare=(unshare --mount sh -c "$inside" sh "${bare[@]}")
fi
copy=(copy ami-0a11ce5a3b1e00001 --to "us-west-2,eu-west-1" --no-wait --quiet)

rehearse() { # NAME COMMAND…
  local name=$1
  shift
  "${bare[@]}" "$@" --version
  "${bare[@]}" "$@" "${copy[@]}"
  echo "$name: runs"
}

python=$(.venv/bin/python -c 'import sys; print(sys._base_executable)')
"$python" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check dist/*.whl
rehearse "wheel" "$work/venv/bin/amicopy"

make --no-print-directory single-file
rehearse "single file ($(du -h build/amicopy.pyz | cut -f1))" "$python" -I -S "$root/build/amicopy.pyz"

# For this platform, so that it can run; then for Lambda's.
make --no-print-directory lambda LAMBDA=
cat >"$work/invoke.py" <<'PYTHON'
import resource
import sys
import time

sys.path.insert(0, sys.argv[1])
started = time.process_time()
from amicopy.aws_lambda import handler


class Context:
    def get_remaining_time_in_millis(self):
        return 60_000


cold = handler({}, Context())
used = time.process_time() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
assert cold["copies"], cold
assert peak < 200, peak
sys.stderr.write(f"Lambda bundle: first pass with imports {used:.2f} s of CPU, {peak:.0f} MB\n")
PYTHON
cp examples/simple.yaml build/lambda/amis.yaml
"${bare[@]}" AWS_LAMBDA_FUNCTION_NAME=amicopy LAMBDA_TASK_ROOT="$root/build/lambda" \
  "$python" -I -S "$work/invoke.py" "$root/build/lambda" >/dev/null
make --no-print-directory lambda
megabytes=$(du -sm build/lambda | cut -f1)
[ "$megabytes" -lt 60 ] || { echo "the Lambda bundle has $megabytes MB"; exit 1; }

echo "templates, workflows, image, manifests: linted"
"$tools/cfn-lint" examples/lambda/*.yaml
workflows=(.github/workflows/*.yml examples/github-workflow.yml examples/units/github-matrix.yml)
"$tools/actionlint" "${workflows[@]}"
"$tools/zizmor" --offline --no-progress --quiet --config .github/zizmor.yml "${workflows[@]}" action.yml .github/dependabot.yml
"$tools/check-jsonschema" --builtin-schema vendor.github-actions action.yml
"$tools/check-jsonschema" --builtin-schema vendor.dependabot .github/dependabot.yml
"$tools/hadolint" packaging/Dockerfile
"$tools/shellcheck" --exclude=SC1090,SC1091 packaging/*.sh examples/*.sh examples/units/*.sh
"$tools/kubernetes-validate" --strict examples/kubernetes/*.yaml examples/units/indexed-job.yaml >/dev/null
echo "shipped: all that can be built here was built and run"
