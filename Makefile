# Two commands on a fresh machine: `make demo` and `make test`. They need Python 3.11 or newer, make and git; everything
# else goes into .venv beside this file. All names are relative, so the checkout may lie in a folder with spaces.

PYTHON ?= python3
PYTEST_ARGS ?= -n auto
DEMO_DIR ?= build/demo

ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif
READY := .venv/.ready

.PHONY: help demo test lint format bench clean

help:
	@echo "make demo    make a sample, cut and join it, and show what each step cost"
	@echo "make test    run the tests"
	@echo "make lint    run the linter, the formatter's check and the type checker"
	@echo "make format  format the code"
	@echo "make bench   measure against ffmpeg -c copy"
	@echo "make clean   remove the environment, caches and the demo's files"

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "ffzero needs Python 3.11 or newer; name one with: make PYTHON=python3.11 ..." >&2; exit 1; }
	@echo "Making the environment .venv ..."
	@$(PYTHON) -m venv .venv
	@"$(BIN)/python" -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $@

demo: $(READY)
	@rm -rf "$(DEMO_DIR)"
	@"$(BIN)/python" -m ffzero demo "$(DEMO_DIR)"

test: $(READY)
	@"$(BIN)/python" -m pytest $(PYTEST_ARGS)

lint: $(READY)
	@"$(BIN)/python" -m ruff check .
	@"$(BIN)/python" -m ruff format --check .
	@"$(BIN)/python" -m mypy

format: $(READY)
	@"$(BIN)/python" -m ruff check --fix .
	@"$(BIN)/python" -m ruff format .

bench: $(READY)
	@"$(BIN)/python" -m benchmarks

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
