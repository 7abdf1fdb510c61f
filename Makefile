# On a machine with Python >= 3.11 and make, `make demo` and `make test` need nothing else.
# PYTHON=/path/to/python chooses the interpreter; ARGS="..." is handed to the command or to pytest; JOBS=0 runs the tests
# in one process.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PYTHON ?=
VENV := .venv
VENV_MINIMUM := .venv-minimum
BIN := $(VENV)/bin
PIP := -m pip --quiet --quiet --disable-pip-version-check --no-input install
ARGS ?=
# Two processes take two thirds of the time of one; more need about 1 GB each.
JOBS ?= 2
PARALLEL := --numprocesses $(JOBS) --dist worksteal

# $(call make_venv,FOLDER,CANDIDATES): an environment that works is kept, whatever its Python.
define make_venv
	@if ! $(1)/bin/python -m pip --version >/dev/null 2>&1; then \
	  found=; \
	  for candidate in $(if $(PYTHON),"$(PYTHON)",$(2)); do \
	    if "$$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	      found="$$candidate"; break; \
	    fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "error: no Python >= 3.11 with venv found (tried: $(if $(PYTHON),$(PYTHON),$(2))); install one or pass PYTHON=/path/to/python" >&2; \
	    exit 1; \
	  fi; \
	  "$$found" -m venv --clear $(1); \
	fi
endef

.PHONY: help demo test test-long test-minimum lint bench papers clean

help:
	@echo "make demo          create $(VENV), install, run the demo (pictures in ./qkernels-demo)"
	@echo "make test          create $(VENV), install, run the default tests"
	@echo "make test-long     run the tests marked slow"
	@echo "make test-minimum  run the default tests on the lowest supported versions ($(VENV_MINIMUM))"
	@echo "make lint          ruff, ruff format, mypy --strict, import-linter"
	@echo "make bench         run the benchmarks, writing JSON records"
	@echo "make papers        reproduce published results, one table of targets and results"
	@echo "make clean         delete the environments and the caches"

$(VENV)/.created:
	$(call make_venv,$(VENV),python3.13 python3.12 python3.11 python3 python)
	@touch $@

$(VENV_MINIMUM)/.created:
	$(call make_venv,$(VENV_MINIMUM),python3.11 python3.12 python3.13)
	@touch $@

# One stamp per set of dependencies; pyproject.toml is what can change them.
$(VENV)/.installed-%: pyproject.toml | $(VENV)/.created
	@echo "installing qkernels ($*) into $(VENV); the first time takes a few minutes"
	@$(BIN)/python $(PIP) --editable ".$(if $(filter-out run,$*),[$*])"
	@touch $@

$(VENV_MINIMUM)/.installed: pyproject.toml requirements-minimum.txt | $(VENV_MINIMUM)/.created
	@echo "installing the lowest supported versions into $(VENV_MINIMUM)"
	@$(VENV_MINIMUM)/bin/python $(PIP) --constraint requirements-minimum.txt --editable ".[test]"
	@touch $@

.PRECIOUS: $(VENV)/.installed-%

demo: $(VENV)/.installed-run
	@$(BIN)/qkernels demo $(ARGS)

test: $(VENV)/.installed-test
	@$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

test-long: $(VENV)/.installed-test
	@$(BIN)/python -m pytest -m slow $(PARALLEL) $(ARGS)

test-minimum: $(VENV_MINIMUM)/.installed
	@$(VENV_MINIMUM)/bin/python -m pytest $(PARALLEL) $(ARGS)

lint: $(VENV)/.installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy --strict
	@$(BIN)/lint-imports

bench: $(VENV)/.installed-benchmarks
	@$(BIN)/python -m benchmarks $(ARGS)

papers: $(VENV)/.installed-run
	@$(BIN)/python examples/papers $(ARGS)

clean:
	rm -rf $(VENV) $(VENV_MINIMUM) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
