.DEFAULT_GOAL := help
.PHONY: help demo dev test soak check format docs lock clean

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/installed
export VIRTUAL_ENV := $(CURDIR)/.venv

help: ## show this help
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## run the whole pipeline once on real local servers, and print the answers
	@$(BIN)/pin-pipeline demo

dev: $(READY) ## local servers and the Dagster UI, until Ctrl-C
	@$(BIN)/pin-pipeline dev

test: $(READY) ## all tests, on real local servers
	@$(BIN)/pytest --numprocesses 2 --dist worksteal

soak: $(READY) ## kill the streaming jobs forty times, and audit what they wrote: a quarter of an hour
	@$(BIN)/pytest -m soak

check: $(READY) ## lint, types and definitions
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/dg check defs
	$(BIN)/dagster definitions validate -w workspace.yaml

format: $(READY) ## format the code
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

docs: $(READY) ## write the page of rules anew from the record definitions
	$(BIN)/python -m pin_pipeline.records.rules_page > docs/records.md

lock: $(READY) ## resolve requirements.lock anew from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --all-extras --group dev --no-strip-extras --generate-hashes \
		--no-header --no-emit-index-url --upgrade pyproject.toml --output-file requirements.lock

clean: ## stop the local servers, remove their state and the environment
	@if [ -x $(BIN)/pin-pipeline ]; then $(BIN)/pin-pipeline down; fi
	rm -rf .pin_pipeline .venv

$(READY): requirements.lock pyproject.toml setup.cfg
	@command -v $(PYTHON) > /dev/null || { echo "Python 3.11 or newer is needed, but there is no $(PYTHON): install it, or name yours by make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { echo "Python 3.11, 3.12 or 3.13 is needed, $(PYTHON) is another: name one by make PYTHON=python3.11" >&2; exit 1; }
	@java -version > /dev/null 2>&1 || { echo "Java 17 or newer is needed for Kafka and Spark, but there is no java that runs: install a JRE and put it on PATH" >&2; exit 1; }
	@echo "installing the locked dependencies into .venv (about two minutes) ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock > .venv/pip.log 2>&1 \
		|| { echo "The dependencies could not be installed: check the network and try again; pip's own words are in .venv/pip.log" >&2; exit 1; }
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable . >> .venv/pip.log 2>&1 \
		|| { echo "The project could not be installed into .venv: see .venv/pip.log" >&2; exit 1; }
	@echo "fetching and preparing Spark (about two minutes) ..."
	@$(BIN)/python -m pin_pipeline.local.spark > .venv/spark.log 2>&1 || { tail -n 1 .venv/spark.log >&2; exit 1; }
	@touch $@
