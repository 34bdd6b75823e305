#!/usr/bin/env bash
# Build build/amicopy.pyz, one file with amicopy and all that it needs, for this platform and this version of Python:
# packaging/single_file.sh PYTHON SHIV WHEEL
set -euo pipefail
python=$1 shiv=$2 wheel=$3
rm -rf build/single-file
"$python" -m pip install --quiet --disable-pip-version-check --target build/single-file "$wheel"
"$python" packaging/trim_botocore.py build/single-file
# Compiled parts are for one version of Python only; without this another one would fail somewhere in the middle.
version=$("$python" -c 'import sys; print(*sys.version_info[:2], sep=", ")')
cat >build/preamble.py <<PYTHON
import sys
if sys.version_info[:2] != ($version):
    built, here = (".".join(map(str, pair)) for pair in (($version), sys.version_info[:2]))
    sys.stderr.write(f"error: this file was built for Python {built}, and this is Python {here}.\\n")
    sys.stderr.write(f"  next   Start it with that version: python{built} amicopy.pyz. Or build another one.\\n")
    sys.exit(2)
PYTHON
"$shiv" --reproducible --compressed --site-packages build/single-file --preamble build/preamble.py --entry-point amicopy.cli:run \
  --output-file build/amicopy.pyz
