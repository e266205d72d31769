# make demo   the main job on sample patients, then stays up; ONCE=1 ends after it, IMAGES=DIR adds your radiographs
# make test   linters, types, import contracts and the whole test suite

VENV ?= .venv
PYTHON ?= python3
PIP = $(VENV)/bin/python -m pip --disable-pip-version-check

.PHONY: demo test check clean

demo: $(VENV)/.runtime
	@$(VENV)/bin/cds demo $(if $(ONCE),--once) $(if $(IMAGES),--images "$(IMAGES)") $(if $(BUNDLE),--bundle "$(BUNDLE)")

test: check
	$(VENV)/bin/python -m pytest --numprocesses=auto --dist=loadfile

check: $(VENV)/.development
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

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
