# Everything a person or CI does with this project. Each target sets up what it needs.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
# the GPU build where an NVIDIA driver answers, else the CPU build; never both
DEVICE ?= $(shell nvidia-smi >/dev/null 2>&1 && echo gpu || echo cpu)
DEMO   := var/demo
# the emulator of Azure's blob storage that the tests use
AZURITE := 3.35.0

.DEFAULT_GOAL := help
.PHONY: help run test test-azure-live setup lint bench faults faults-full clean

help:  ## show this list
	@sed -n 's/^\([a-z-]*\):.*  ## \(.*\)/  make \1\t\2/p' Makefile | expand -t 26

run: $(VENV)/.run $(DEMO)/.drawn  ## set up and run the daemon with the shipped model, a broker and a sample feed
	@exec $(BIN)/automl-edge run --config docs/demo.toml

test: $(VENV)/.setup lint  ## set up and pass the tests
	$(BIN)/python -m pytest

setup: $(VENV)/.setup  ## the pinned environment that the tests need

test-azure-live: $(VENV)/.setup  ## the whole line in real Azure, in the workspace that the environment names
	$(BIN)/python -m pytest tests/azure/live

lint: $(VENV)/.setup  ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.setup  ## the benchmarks, as ratios taken in one run
	$(BIN)/python -m bench

faults: $(VENV)/.setup  ## the fault suite in its short form: every row, a tenth of the counts
	$(BIN)/python -m tests.faults

faults-full: $(VENV)/.setup  ## the fault suite with all of its counts (about an hour)
	$(BIN)/python -m tests.faults --full

clean:  ## remove what the other targets made: the environment, the demo's data, caches
	rm -rf .venv var/demo var/daemon .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@rmdir var 2>/dev/null || true

# Debian's venv without the package python3-venv fails half-way and leaves a folder that looks finished: ask before.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "automl-edge needs Python 3.11 or newer, and $(PYTHON) is not; try: make run PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "$(PYTHON) cannot make environments; on Debian and Ubuntu: sudo apt-get install $(notdir $(PYTHON))-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: constraints/run-$(DEVICE).txt pyproject.toml | $(VENV)/bin/python
	$(PIP) install --require-hashes -r constraints/run-$(DEVICE).txt
	$(PIP) install --no-deps --editable .
	@touch $@

$(VENV)/.setup: constraints/dev.txt $(VENV)/.run
	$(PIP) install --constraint constraints/dev.txt --editable '.[demo,train,azure,dev]'
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm install --silent --no-save --no-audit --no-fund --prefix $(VENV)/azurite azurite@$(AZURITE) || \
	  echo "Azurite cannot be installed from npm: the tests that need Azure's blobs will be skipped" >&2
	@touch $@

$(DEMO)/.drawn: | $(VENV)/.run
	$(BIN)/automl-train data draw $(DEMO)/pictures --count 60 --seed 7
	@mkdir -p $(DEMO)/inbox
	@touch $@
