# Each target makes the environment it needs. PYTHON chooses the interpreter; the default is the first of these that is
# 3.11 or newer.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv/bin
PIP := pip install --quiet --disable-pip-version-check

# The interpreters of `make test-all`: all that are installed.
PYTHONS ?= $(shell for v in 3.11 3.12 3.13 3.14; do command -v python$$v >/dev/null && echo python$$v; done)

# The transports of `make test-transports`, besides the default one that `make test` uses. It takes `grpclib` as well.
TRANSPORTS ?= connect-1.1 connect-2

# The processes of the tests: one more than there are cores, since a third of the tests wait for sockets and processes.
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)

# Without bytecode, each of the thousands of processes of the tests would compile the generated code again.
PYTEST := env -u PYTHONDONTWRITEBYTECODE $(VENV)/python -m pytest --numprocesses $(WORKERS) --dist worksteal

.PHONY: demo test test-all test-transports test-frames interop check generate docs bench mutants setup clean

demo: .venv/demo
	$(VENV)/python examples/tour.py

# Without the reference SDK, which is large, the tests that exchange values with it are skipped and say so.
test: .venv/dev
	-@$(MAKE) --silent .reference/ready
	$(PYTEST)

test-all: .venv/dev
	-@$(MAKE) --silent .reference/ready
	@for python in $(PYTHONS); do \
		echo "== $$python"; \
		$$python -m venv .venv-$$python && .venv-$$python/bin/$(PIP) -e '.[dev]' \
			&& env -u PYTHONDONTWRITEBYTECODE .venv-$$python/bin/python -m pytest --numprocesses $(WORKERS) --dist worksteal || exit 1; \
	done

test-transports: .venv/dev
	@for transport in $(TRANSPORTS); do \
		echo "== $$transport"; \
		FLYTE_TEST_TRANSPORT=$$transport $(PYTEST) tests/remote || exit 1; \
	done

# Data frames and arrays, also against the official SDK. Their libraries are large, so `make test` skips these tests.
test-frames: .venv/dev
	-@$(MAKE) --silent .reference/frames
	@echo "Installing NumPy, pandas, pyarrow and polars into .venv (some 30 seconds)"
	@$(VENV)/$(PIP) -e '.[numpy,pandas,polars]'
	$(PYTEST) tests/types tests/files tests/interop tests/test_docs.py

# Calls through foreign proxies and to foreign servers, and installs beside the official SDK. A table says what passed with
# which version, and what is missing.
interop: .venv/dev
	-@$(MAKE) --silent .peers/ready .reference/ready
	INTEROP=1 $(PYTEST) tests/proxies tests/downstream/test_beside_flyte.py

check: .venv/dev
	$(VENV)/flyte-codegen check
	$(VENV)/flyte-codegen report --strict > /dev/null
	$(VENV)/ruff check --no-cache src codegen tests examples benchmarks docs
	$(VENV)/ruff format --no-cache --check src codegen tests examples benchmarks docs
	$(VENV)/lint-imports
	$(VENV)/mypy src generated codegen
	$(VENV)/pyright
	$(PYTEST) -m static tests/downstream
	@$(MAKE) --silent docs

generate: .venv/dev
	$(VENV)/flyte-codegen generate

docs: .venv/dev
	NO_MKDOCS_2_WARNING=1 $(VENV)/mkdocs build --quiet
	@echo "The documentation is in build/site: open build/site/index.html"

bench: .venv/dev .reference/ready
	$(VENV)/python -m benchmarks

# Changes one thing at a time in a module, runs the tests, and prints the changes that no test noticed.
mutants: .venv/dev
	@$(VENV)/$(PIP) -e '.[mutants]'
	$(VENV)/python tests/mutants.py $(MODULE) $(TESTS)

setup: .venv/dev

clean:
	rm -rf .venv .venv-* .reference .peers build/bench build/mutants build/site .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name one with make PYTHON=..." >&2; exit 1; }
	@echo "Making .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv .venv

.venv/demo: .venv/bin/python pyproject.toml
	@echo "Installing flyte-remote into .venv (some 10 seconds)"
	@$(VENV)/$(PIP) -e .
	@touch $@

.venv/dev: .venv/bin/python pyproject.toml
	@echo "Installing flyte-remote and its development tools into .venv (some 40 seconds)"
	@$(VENV)/$(PIP) -e '.[dev]'
	@touch .venv/demo $@

# The SDK that we are measured against and exchange values with, away from ours: both are called flyte.
.reference/ready: tests/interop/reference.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name one with make PYTHON=..." >&2; exit 1; }
	@echo "Installing the reference SDK into .reference (some 20 seconds)"
	@$(PYTHON) -m venv .reference
	@.reference/bin/$(PIP) -r $<
	@touch $@

.reference/frames: .reference/ready
	@echo "Installing NumPy, pandas and pyarrow into .reference (some 20 seconds)"
	@.reference/bin/$(PIP) numpy pandas pyarrow
	@touch $@

# Envoy, away from the client's environment.
.peers/ready: tests/proxies/requirements.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name one with make PYTHON=..." >&2; exit 1; }
	@echo "Installing Envoy into .peers (some 10 seconds)"
	@$(PYTHON) -m venv .peers
	@.peers/bin/$(PIP) -r $<
	@touch $@
