# Each target makes .venv itself when it is missing. PYTHON chooses the interpreter (3.11 or newer).
PYTHON ?= $(shell command -v python3.13 >/dev/null 2>&1 && python3.13 -c '' 2>/dev/null && echo python3.13 || command -v python3.12 >/dev/null 2>&1 && python3.12 -c '' 2>/dev/null && echo python3.12 || command -v python3.11 >/dev/null 2>&1 && echo python3.11 || echo python3)
VENV := .venv/bin

.PHONY: demo test check generate setup clean

demo: .venv/demo
	$(VENV)/python examples/tour.py

test: .venv/dev
	$(VENV)/python -m pytest

check: .venv/dev
	$(VENV)/flyte-codegen check
	$(VENV)/ruff check src codegen tests examples
	$(VENV)/ruff format --check src codegen tests examples
	$(VENV)/mypy src generated codegen
	$(VENV)/pyright

generate: .venv/dev
	$(VENV)/flyte-codegen generate

setup: .venv/dev

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/demo: .venv/bin/python pyproject.toml
	$(VENV)/pip install --quiet --disable-pip-version-check -e .
	touch $@

.venv/dev: .venv/bin/python pyproject.toml
	$(VENV)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch .venv/demo $@
