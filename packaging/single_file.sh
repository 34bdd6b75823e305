#!/usr/bin/env bash
# Build build/amicopy.pyz, one file with amicopy and all that it needs, for this platform and this version of Python:
# packaging/single_file.sh PYTHON SHIV WHEEL
set -euo pipefail
python=$1 shiv=$2 wheel=$3
rm -rf build/single-file
"$python" -m pip install --quiet --disable-pip-version-check --target build/single-file "$wheel"
"$python" packaging/trim_botocore.py build/single-file
"$shiv" --reproducible --compressed --site-packages build/single-file --entry-point amicopy.cli:run \
  --output-file build/amicopy.pyz
