.DEFAULT_GOAL := help
.PHONY: help demo dev test soak check format docs lock release clean

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/installed
ARCHIVE := .venv/spark/classes.jsa
export VIRTUAL_ENV := $(CURDIR)/.venv

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## run the whole pipeline once on local servers and print the query results
	@$(BIN)/pin-pipeline demo

dev: $(READY) ## run the local servers and the Dagster UI until Ctrl-C
	@$(BIN)/pin-pipeline dev

test: $(ARCHIVE) ## run the tests, on local servers
	@$(BIN)/pytest --numprocesses 3 --dist loadgroup

soak: $(ARCHIVE) ## kill the streaming jobs and the processes of dev, run in other environments, and reconcile (25 minutes)
	@$(BIN)/pytest -m soak

check: $(READY) ## check style, types, import rules, vocabulary and Dagster definitions
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tools.check_vocabulary
	$(BIN)/dg check defs
	$(BIN)/dagster definitions validate -w workspace.yaml

format: $(READY) ## format the code and apply safe lint fixes
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

docs: $(READY) ## generate docs/reference/records.md and docs/reference/configuration.md from the code
	$(BIN)/python -m tools.records_page > docs/reference/records.md
	$(BIN)/python -m tools.configuration_page > docs/reference/configuration.md

lock: $(READY) ## upgrade requirements.lock to the latest versions that pyproject.toml allows
	$(BIN)/uv pip compile --quiet --universal --all-extras --group dev --no-strip-extras --generate-hashes \
		--no-emit-index-url --upgrade pyproject.toml --output-file requirements.lock

release: $(READY) ## build the wheel, the sources and the software bill of materials into dist/
	rm -rf dist
	$(BIN)/uv build --quiet --no-build-isolation
	$(BIN)/uv tool run --quiet --from cyclonedx-bom==7.5.0 cyclonedx-py requirements requirements.lock --output-file dist/sbom.json

clean: ## stop the local servers, and delete their state and the virtualenv
	@if [ -x $(BIN)/pin-pipeline ]; then $(BIN)/pin-pipeline down; fi
	rm -rf .pin_pipeline .venv

$(READY): requirements.lock pyproject.toml setup.cfg
	@case $$(uname -s) in Linux | Darwin) ;; *) echo "unsupported system: $$(uname -s) is not Linux or macOS; on Windows, use WSL 2" >&2; exit 1 ;; esac
	@command -v $(PYTHON) > /dev/null || { echo "$(PYTHON) not found: install Python 3.11, 3.12 or 3.13, or pass its path, as in: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { echo "unsupported Python version: $(PYTHON) is not Python 3.11, 3.12 or 3.13; pass one of them, as in: make PYTHON=python3.11" >&2; exit 1; }
	@echo "installing the locked dependencies into .venv (about a minute) ..."
	@$(PYTHON) -m venv .venv
	@# setuptools first: it builds pyspark and the project, which otherwise download another version that is not locked.
	@awk '/^[a-z]/ { keep = /^(setuptools|uv)==/ } keep' requirements.lock > .venv/bootstrap.lock
	@{ $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r .venv/bootstrap.lock \
		&& $(BIN)/uv pip install --quiet --require-hashes --no-deps --no-build-isolation -r requirements.lock; } > .venv/install.log 2>&1 \
		|| { echo "installing the dependencies failed: check the network connection and try again; see .venv/install.log for the error of pip or uv" >&2; exit 1; }
	@$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable . >> .venv/install.log 2>&1 \
		|| { echo "installing the project into .venv failed: see .venv/install.log for the error of uv" >&2; exit 1; }
	@echo "downloading the jars ..."
	@$(BIN)/python -m pin_pipeline.local.installation > .venv/jars.log 2>&1 || { tail -n 1 .venv/jars.log >&2; exit 1; }
	@touch $@

# Only the tests start Kafka and Spark so often that the archives pay off: recording them takes a minute.
$(ARCHIVE): $(READY)
	@echo "recording the class archives of Kafka and Spark (about a minute) ..."
	@$(BIN)/python -m pin_pipeline.local.class_archives > .venv/archives.log 2>&1 || { tail -n 1 .venv/archives.log >&2; exit 1; }
