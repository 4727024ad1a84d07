# Everything a person or CI does with this project. Each target sets up what it needs.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
# the GPU build where an NVIDIA driver answers, else the CPU build; never both
DEVICE ?= $(shell nvidia-smi >/dev/null 2>&1 && echo gpu || echo cpu)
DEMO   := var/demo

.PHONY: run test setup lint bench clean

run: $(VENV)/.run $(DEMO)/.drawn  ## set up and run the daemon with the shipped model, a broker and a sample feed
	@exec $(BIN)/automl-edge run --config docs/demo.toml

test: $(VENV)/.setup lint  ## set up and pass the tests
	$(BIN)/python -m pytest

setup: $(VENV)/.setup  ## the pinned environment that the tests need

lint: $(VENV)/.setup  ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.setup  ## the benchmarks, as ratios taken in one run
	$(BIN)/python -m bench

clean:  ## remove what the other targets made
	rm -rf $(VENV) var

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "automl-edge needs Python 3.11 or newer; try make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: constraints/run-$(DEVICE).txt pyproject.toml | $(VENV)/bin/python
	$(PIP) install --require-hashes -r constraints/run-$(DEVICE).txt
	$(PIP) install --no-deps --editable .
	@touch $@

$(VENV)/.setup: constraints/dev.txt $(VENV)/.run
	$(PIP) install --constraint constraints/dev.txt --editable '.[demo,train,dev]'
	@touch $@

$(DEMO)/.drawn: | $(VENV)/.run
	$(BIN)/automl-train data draw $(DEMO)/pictures --count 60 --seed 7
	@mkdir -p $(DEMO)/inbox
	@touch $@
