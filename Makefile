# Each target makes .venv itself when it is missing. PYTHON chooses the interpreter; by default the first of these that
# is 3.11 or newer.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv/bin

.PHONY: demo test check generate bench setup clean

demo: .venv/demo
	$(VENV)/python examples/tour.py

# Without the reference SDK, which is large, the tests that exchange values with it are skipped and say so.
test: .venv/dev
	-@$(MAKE) --silent .reference/ready
	$(VENV)/python -m pytest

check: .venv/dev
	$(VENV)/flyte-codegen check
	$(VENV)/flyte-codegen report --strict > /dev/null
	$(VENV)/ruff check src codegen tests examples benchmarks
	$(VENV)/ruff format --check src codegen tests examples benchmarks
	$(VENV)/mypy src generated codegen
	$(VENV)/pyright

generate: .venv/dev
	$(VENV)/flyte-codegen generate

bench: .venv/dev .reference/ready
	$(VENV)/python -m benchmarks

setup: .venv/dev

clean:
	rm -rf .venv .reference build/bench .mypy_cache .pytest_cache .ruff_cache

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name one with make PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/demo: .venv/bin/python pyproject.toml
	$(VENV)/pip install --quiet --disable-pip-version-check -e .
	touch $@

.venv/dev: .venv/bin/python pyproject.toml
	$(VENV)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch .venv/demo $@

# The SDK that we are measured against and exchange values with, away from ours: both are called flyte.
.reference/ready: tests/interop/reference.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name one with make PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv .reference
	.reference/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@
