# Every target sets up .venv first if that is needed: `make run` is enough in a fresh clone.

PYTHON = python3
EXPERIMENT = baseline
RESULTS = results
ARGS =

VENV = .venv
BIN = $(VENV)/bin
READY = $(VENV)/.installed
PIP = $(BIN)/python -m pip install -qq --disable-pip-version-check --no-input

LOCK = CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/python -m piptools compile --quiet --generate-hashes --strip-extras \
	--allow-unsafe --no-emit-options --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

# Whatever the calling shell has active, only .venv is used.
unexport PYTHONPATH PYTHONHOME PYTHONSTARTUP VIRTUAL_ENV CONDA_PREFIX __PYVENV_LAUNCHER__
unexport PIP_USER PIP_TARGET PIP_PREFIX PIP_ROOT PIP_REQUIRE_VIRTUALENV PIP_REQUIRE_HASHES PIP_CONSTRAINT
unexport PIP_REQUIREMENT PIP_NO_DEPS PIP_NO_BINARY PIP_PRE PIP_DRY_RUN PIP_NO_BUILD_ISOLATION
unexport MYPYPATH PYTEST_ADDOPTS

# A checkout that was copied or moved must not go on running the code of the old place.
ifneq ($(wildcard $(READY)),)
ifneq ($(shell cat $(READY)),$(CURDIR))
$(shell rm -f $(READY))
endif
endif

# A published result goes when the new one is there, and not before.
define publish
	trap : HUP INT TERM; was=results/.was; mkdir -p $$was; \
	restore() { rm -rf results/$$1; ! test -e $$was/$$1 || mv $$was/$$1 results; }; \
	for left in $$(ls $$was); do restore $$left; done; \
	for experiment in $(1); do \
		! test -e results/$$experiment || mv results/$$experiment $$was; \
		$(BIN)/sim run experiment=$$experiment out=results/$$experiment || { restore $$experiment; rmdir $$was; \
			echo "results/$$experiment is as it was before; what was done of the new one is not kept" >&2; exit 1; }; \
		rm -rf $$was/$$experiment; \
	done; rmdir $$was
endef

.DEFAULT_GOAL := help
.PHONY: help run test verify verify-short verify-docs check-results bench results calibrate lock audit clean

help: ## this list
	@echo "make TARGET [ARGS=\"...\"] [PYTHON=python3.12]"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' Makefile

run: $(READY) ## run the study EXPERIMENT=baseline; ARGS="key=value ..." changes its settings
	@$(BIN)/sim run experiment=$(EXPERIMENT) $(ARGS)

test: $(READY) ## style, types and tests; ARGS goes to pytest
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

verify: $(READY) ## the whole statistical verification suite
	@$(BIN)/python -m pytest -n 2 tests/verification $(ARGS)

verify-short: $(READY) ## the quick part of it
	@$(BIN)/python -m pytest -n 2 tests/verification -m short $(ARGS)

verify-docs: $(READY) ## make docs/verification.md anew: every check with its picture, and the tables (about 20 minutes)
	@$(BIN)/python -m tests.verification.docs

check-results: $(READY) ## run the first replications of each published result again: do they still come out the same?
	@$(BIN)/sim reproduce $$(dirname $(RESULTS)/*/manifest.json) replications=2 $(ARGS)

bench: $(READY) ## how fast the simulation runs, beside rivals: makes results/benchmarks (an hour; ARGS=--quick)
	@$(BIN)/python -c 'import numba, salabim' 2>/dev/null || $(PIP) --require-hashes -r bench.lock || \
		echo "numba and salabim cannot be installed: they are left out" >&2
	@$(BIN)/python tests/benchmarks/bench.py $(ARGS)
	@$(BIN)/python docs/generate.py

results: $(READY) ## make the published results of results/README.md anew (about an hour)
	@$(call publish,$$($(BIN)/sim list | cut -d ' ' -f 1 | grep -v calibrated))
	@$(BIN)/python docs/generate.py

calibrate: $(READY) ## hold the parameters to the dated counts again (about 5 minutes): makes conf/data/states.json
	@$(call publish,calibrated)
	@cp results/calibrated/states.json conf/data/states.json
	@$(BIN)/python docs/generate.py

lock: $(READY) ## refresh requirements.lock and bench.lock after a change of pyproject.toml; ARGS=--upgrade for newer versions
	@$(LOCK) --extra cluster --extra dev --extra provenance $(ARGS) --output-file requirements.lock pyproject.toml
	@$(LOCK) --extra bench --constraint requirements.lock $(ARGS) --output-file bench.lock pyproject.toml

audit: requirements.lock ## ask PyPI and OSV for known vulnerabilities of what is locked (needs the internet)
	@trap 'rm -rf .audit' EXIT; $(PYTHON) -m venv --clear .audit && \
		.audit/bin/python -m pip install -qq --disable-pip-version-check pip-audit && \
		.audit/bin/pip-audit --strict --disable-pip --require-hashes -r requirements.lock $(ARGS)

clean: ## remove .venv, caches and builds; results stay
	@rm -rf $(VENV) .audit build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is written last, so that an interrupted installation starts afresh. First pip itself and what builds
# the one dependency without a wheel, then the rest, each against the hashes in requirements.lock.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null || { \
		echo "Python 3.11, 3.12 or 3.13 is needed, and '$(PYTHON)' is $$(command -v $(PYTHON) >/dev/null && $(PYTHON) -V 2>&1 || echo missing). Name one: make PYTHON=python3.12" >&2; \
		exit 1; }
	@if test -e $@ && $(BIN)/python -c '' 2>/dev/null; then echo "Updating $(VENV) ..."; else \
		echo "Setting up $(VENV) (about a minute, once) ..."; $(PYTHON) -m venv --clear $(VENV); fi
	@rm -f $@
	@awk '/^[a-z]/ { keep = /^(pip|setuptools)==/ } keep' requirements.lock > $(VENV)/build.lock
	@$(PIP) --require-hashes --no-deps -r $(VENV)/build.lock
	@$(PIP) --require-hashes --no-build-isolation -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@printf '%s\n' "$(CURDIR)" > $@
