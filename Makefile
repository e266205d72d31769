# make demo   the main job on sample patients, then stays up; ONCE=1 ends after it, IMAGES=DIR adds your radiographs
# make test   linters, types, import contracts and the whole test suite

VENV ?= .venv
PYTHON ?= python3
PIP = $(VENV)/bin/python -m pip --disable-pip-version-check

.PHONY: demo test check lint types suite clean

demo: $(VENV)/.runtime
	@$(VENV)/bin/cds demo $(if $(ONCE),--once) $(if $(IMAGES),--images "$(IMAGES)") $(if $(BUNDLE),--bundle "$(BUNDLE)")

# Side by side: mypy alone would hold one core for a minute, where it has no cache yet.
test: $(VENV)/.development
	@$(MAKE) --no-print-directory --jobs=3 --output-sync=line --keep-going lint types suite

check: lint types

lint: $(VENV)/.development
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports

types: $(VENV)/.development
	$(VENV)/bin/mypy

# One test process per core, each computing by one thread: more of them would wait for one another, spinning.
# Python keeps what it compiled, whatever it is told elsewhere: the tests start some hundred processes.
suite: $(VENV)/.development
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive PYTHONDONTWRITEBYTECODE= \
		$(VENV)/bin/python -m pytest --numprocesses=auto --dist=loadfile --no-loadscope-reorder

# --no-deps: the lock names every package, so pip has nothing to work out. All but what torch needs of an
# accelerator, which depends on the build of torch that this machine gets; torch itself pins that.
$(VENV)/.runtime: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Sightline needs Python 3.11 or newer; name one with make PYTHON=/path/to/python3"; exit 1; }
	@echo "Installing into $(VENV): about two minutes, once."
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --no-deps -r requirements.lock
	$(PIP) install --quiet --constraint requirements.lock torch
	$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.development: $(VENV)/.runtime requirements-dev.lock
	$(PIP) install --no-deps -r requirements-dev.lock
	@touch $@

clean:
	rm -rf $(VENV) .data .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
