# Every target works from a clean clone: it makes the virtual environment that it needs.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# Documents with tables and help texts that are written by the code itself.
GENERATED := README.md docs/commands.md docs/errors.md

.PHONY: demo test torture check fix clean

$(VENV)/ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: $(VENV)/ready  ## copy a three-volume AMI to two regions of a local EC2, twice
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/demo.sh

test: $(VENV)/ready  ## the tests: loopback only, no credentials, no real waiting
	@$(BIN)/python -m pytest

torture: $(VENV)/ready  ## the long search for a broken promise: AMICOPY_TORTURE=2000 sequences, every kill point
	@export AMICOPY_TORTURE=$${AMICOPY_TORTURE:-2000} AMICOPY_TORTURE_SEED=$${AMICOPY_TORTURE_SEED:-$$(date +%s)}; \
	$(BIN)/python -m pytest -s tests/test_torture_crashes.py tests/test_torture_faults.py

check: $(VENV)/ready  ## what CI runs
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/cog --check --diff $(GENERATED)
	@$(MAKE) --no-print-directory test

fix: $(VENV)/ready  ## let the tools mend what they can, and write the generated parts of the documents
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(BIN)/cog -r $(GENERATED)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .hypothesis dist
