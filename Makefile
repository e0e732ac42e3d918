# Two commands do everything on a machine with Python and make: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
READY = $(VENV)/.ready
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

PROOFS = build/proofs.json

# No test in these folders measures time or looks at other processes: workers share them, one for each of two cores.
# All other tests, those of new folders too, have the machine for themselves.
SHARED = tests/assignments tests/reference tests/reports \
  $(addprefix tests/harness/,gradebook intake leaderboard release statistics)
WORKERS ?= 2
# The longest tests lie together: whoever has no more takes over from the other
BESIDE = --numprocesses $(WORKERS) --dist worksteal

.PHONY: demo test check fast reference clean

demo: $(READY)  ## mark the bundled cohort and say where the reports are
	$(BIN)/bareme demo --out bareme-demo

test: $(READY)  ## all tests, and that docs/reference.md still says what the oracle's proofs measure
	$(BIN)/python -m pytest $(SHARED) $(BESIDE) --proofs $(PROOFS)
	$(BIN)/python -m pytest $(SHARED:%=--ignore=%)
	$(BIN)/python benchmarks/reference_table.py $(PROOFS) --check

fast: $(READY)  ## the tests that take under a second each
	$(BIN)/python -m pytest -m "not slow"

check: $(READY)  ## format, lint, types, import direction, doctests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest --doctest-modules reference harness reports

reference: $(READY)  ## docs/reference.md, from what the oracle's proofs measure
	$(BIN)/python -m pytest tests/reference $(BESIDE) --proofs $(PROOFS)
	$(BIN)/python benchmarks/reference_table.py $(PROOFS)

clean:
	rm -rf $(VENV) bareme-demo build dist *.egg-info

# torch first: everything that needs it then finds the pinned build
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "bareme needs Python 3.11 or newer; say where it is: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { rm -rf $(VENV); echo "no venv module: apt install python3-venv (Debian, Ubuntu), then again" >&2; exit 1; }
	$(PIP) torch
	$(PIP) -e '.[test,check]'
	@touch $(READY)
