# One word per chore; `make help` lists them. Two commands do all the set-up on a fresh machine: `make demo` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTEST ?= $(BIN)/python -m pytest
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help install demo down test unit check format lock parts docs wheel clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  \033[1m%-9s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP) ## make .venv with everything, from the lock of this Python version

$(STAMP): pyproject.toml requirements/bootstrap.txt $(wildcard requirements/py*.txt) scripts/install
	@PYTHON=$(PYTHON) scripts/install $(VENV)
	@touch $@

demo: $(STAMP) ## train the sample request on this machine, from nothing to the result
	@scripts/demo

down: ## stop the server that the demo left running
	@RAILYARD_HOME=$(CURDIR)/.railyard/home $(BIN)/railyard down

test: $(STAMP) ## run every test ring whose parts are here; the others are shown as skipped
	@scripts/test $(ARGS)

unit: $(STAMP) ## run the fast ring alone
	@$(PYTEST) tests/unit -q $(ARGS)

check: $(STAMP) ## lint, format, types, layers, generated files
	@scripts/check

format: $(STAMP) ## put the code into its format
	@$(BIN)/ruff check --fix-only -q . && $(BIN)/ruff format -q .

docs: $(STAMP) ## write the generated parts of the documentation
	@$(BIN)/python scripts/generate.py

wheel: $(STAMP) ## build the wheel into dist/
	@$(BIN)/uv build --quiet --wheel --no-build-isolation --python $(BIN)/python -o dist . && ls dist

parts: ## build or install the parts that some tests need (S3 server)
	@scripts/parts

lock: $(STAMP) ## resolve the locks anew, one per Python version, without index addresses
	@scripts/lock

clean: ## remove what was built; .railyard (the demo's data) stays
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
