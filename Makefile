# Every target works from a clean clone: it makes the virtual environment that it needs.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# What the benchmark runs beside amicopy; large, so `make bench PEERS=no` leaves them out.
PEERS  := yes
PEER_VENV := .venv-bench
# What builds and lints what is shipped.
SHIP_VENV := .venv-ship
BENCH  :=
# How a session starts matters to each command and each service that it calls, not to each of its options.
STOCK := $(addprefix tests/commands/,accounts/test_copy.py boot cancel copy/test_copy.py copy/test_completing.py \
	copy/test_failing.py scan sync/test_publish.py test_notify.py test_python_api.py)
# Documents with tables and help texts that are written by the code itself.
GENERATED := README.md $(addprefix docs/,commands.md errors.md exit-codes.md explanation/cost.md iam.md json.md \
	manifest.md python.md)

.PHONY: demo sample-disk dist lambda ship single-file test stock contracts contract torture bench docs man check fix clean

$(VENV)/ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: $(VENV)/ready  ## copy a three-volume AMI to two regions of a local EC2, twice
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/demo.sh

test: $(VENV)/ready  ## the tests: loopback only, no credentials, no real waiting
	@$(BIN)/python -m pytest -n auto --dist worksteal

stock: $(VENV)/ready  ## the tests of each command as a whole on botocore's own session and model
	@AMICOPY_STOCK_BOTOCORE=1 $(BIN)/python -m pytest $(STOCK)

contracts:  ## the contract tests with the lowest and the newest supported boto3, each in an environment of its own
	@PYTHON=$(PYTHON) .ci/contracts

contract: $(VENV)/ready  ## moto's own tests of AMIs, snapshots, tags and regions, against the sandbox
	@$(BIN)/python -m tests.foreign.moto_suite

torture: $(VENV)/ready  ## the long search for a broken promise: AMICOPY_TORTURE=2000 sequences, every kill point
	@export AMICOPY_TORTURE=$${AMICOPY_TORTURE:-2000} AMICOPY_TORTURE_SEED=$${AMICOPY_TORTURE_SEED:-$$(date +%s)}; \
	$(BIN)/python -m pytest -s tests/properties/test_crashes.py tests/properties/test_crashes_in_accounts.py \
		tests/properties/test_faults.py tests/properties/test_among_others.py \
		tests/properties/test_accounts_among_others.py tests/properties/test_fan_out.py \
		tests/properties/test_hostile_disks.py

docs: $(VENV)/ready  ## the site, into build/docs; a link that leads nowhere is an error
	@$(BIN)/sphinx-build -q -E -W -n --keep-going -b html docs build/docs

man: $(VENV)/ready  ## the manual pages, into build/man: man -l build/man/amicopy-copy.1
	@$(BIN)/python docs/man.py build/man

# What a function in Lambda runs on. Its wheels are fetched for that platform, whatever this one is.
LAMBDA := --platform manylinux2014_aarch64 --python-version 3.13 --only-binary=:all:

lambda: $(VENV)/ready  ## the bundle of the Lambda functions, into build/lambda
	@rm -rf build/lambda build/wheel
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir build/wheel .
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --target build/lambda $(LAMBDA) build/wheel/*.whl
	@$(BIN)/python packaging/trim_botocore.py build/lambda
	@du -sh build/lambda

$(SHIP_VENV)/ready: packaging/tools.txt
	$(PYTHON) -m venv $(SHIP_VENV)
	$(SHIP_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --requirement packaging/tools.txt
	@touch $@

sample-disk: $(VENV)/ready  ## the disk of the sandbox's image app-server, with mke2fs
	@$(BIN)/python -m tests.support.sample_disk

dist: $(SHIP_VENV)/ready  ## wheel and sdist, into dist: the same bytes wherever they are built
	@rm -rf dist
	@PIP_CONSTRAINT=packaging/build.txt $(SHIP_VENV)/bin/python -m build --quiet --outdir dist .

single-file: $(VENV)/ready $(SHIP_VENV)/ready  ## one file with all that amicopy needs, into build/amicopy.pyz
	@rm -rf build/wheel
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir build/wheel .
	@packaging/single_file.sh $(BIN)/python $(SHIP_VENV)/bin/shiv build/wheel/*.whl

ship: $(VENV)/ready $(SHIP_VENV)/ready  ## build, try and lint everything that ships amicopy
	@packaging/check.sh

# A peer that cannot be installed is left out of the benchmark, which says so.
$(PEER_VENV)/ready:
	$(PYTHON) -m venv $(PEER_VENV)
	-$(PEER_VENV)/bin/python -m pip install --quiet --disable-pip-version-check awscli boto3 ansible
	@touch $@

bench: $(VENV)/ready $(if $(filter no,$(PEERS)),,$(PEER_VENV)/ready)  ## measure beside other tools; BENCH=--quick: less of it
	@$(BIN)/python -m tests.bench $(BENCH)

check: $(VENV)/ready  ## what CI runs
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/cog --check --diff $(GENERATED)
	@$(MAKE) --no-print-directory docs test

fix: $(VENV)/ready  ## apply automatic fixes, and update the generated parts of the documents
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(BIN)/cog -r $(GENERATED)

clean:
	rm -rf $(VENV) $(PEER_VENV) $(SHIP_VENV) .venv-lowest .venv-newest .mypy_cache .ruff_cache .hypothesis build dist
