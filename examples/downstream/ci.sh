#!/bin/sh
# The checks before merging a change. Works on a laptop and on any CI with Python, make and git.
set -eu
cd "$(dirname "$0")"
make check
make test
# Build the package, and check that it contains the generated client.
.venv/bin/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
.venv/bin/python -m zipfile --list dist/*.whl | grep -q 'library_sdk_api/exports.py'
