# Everything from nothing: each target makes .venv first, with the versions of constraints.txt.
PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: accelerator demo test lint types bench docs clean

.venv/.installed: pyproject.toml recorder/pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ./recorder -e '.[llm,neural,dev]'
	touch $@

# The recorder's C part, for each interpreter here that it knows. Nothing needs it: what is missing is said, and skipped.
accelerator:
	@for python in python3.12 python3.13; do \
	  $$python -c pass 2>/dev/null || { echo "accelerator: NOT BUILT: no $$python here" >&2; continue; }; \
	  $$python recorder-accelerator/build.py; \
	done

demo: .venv/.installed
	$(BIN)/python examples/demo.py

test: .venv/.installed accelerator
	$(BIN)/pytest -n 2 --dist loadfile

lint: .venv/.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

types: .venv/.installed
	$(BIN)/mypy

bench: .venv/.installed
	$(BIN)/python benchmarks/$(NAME).py

docs: .venv/.installed
	$(BIN)/python docs/make_cli_reference.py

clean:
	rm -rf .venv .demo recorder/tracelens_recorder/accelerators
