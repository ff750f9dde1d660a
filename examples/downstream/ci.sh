#!/bin/sh
# What has to pass before a change is merged. Runs the same on a laptop and on any CI that has Python, make and git.
set -eu
cd "$(dirname "$0")"
make check
make test
# The package that would be published, with the generated client in it.
.venv/bin/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
.venv/bin/python -m zipfile --list dist/*.whl | grep -q 'library_sdk_api/exports.py'
