# Everything a person types here. Python 3.11 or newer, make and a package index are all it needs.
PYTHON ?= python3
PORT ?= 8000
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Tests write thousands of small databases: into memory, where there are 2 GB of it to write to. Four run at a time, also
# on two cores: much of what they do is waiting.
MEMORY := $(shell df -Pk /dev/shm 2>/dev/null | awk 'END { if ($$4 > 2000000) print "/dev/shm" }')
LOCK := $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make locks"

.PHONY: run test check bench faults shots pictures vendor dev docs texts locks clean

run: .venv/.runtime  ## start the demonstration clinic on 127.0.0.1:$(PORT)
	@exec $(BIN)/tracker demo --port $(PORT)

test: .venv/.dev  ## the whole suite, with PostgreSQL and a browser where the machine has them
	@$(if $(MEMORY),TMPDIR=$(MEMORY)) $(BIN)/python -m pytest -n 4 --dist worksteal

check: .venv/.dev  ## format, lint, types, floors, dependencies, templates, migrations
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry tracker
	$(BIN)/python -m pytest -q tests/test_templates.py tests/test_migrations.py

bench: .venv/.dev  ## how fast it is: a table, and build/bench.json (ONLY="help pages" for some)
	@$(BIN)/python -m tests.benchmarks $(ONLY)

faults: .venv/.dev  ## what it withstands: a table, and build/faults.json; takes minutes
	@$(BIN)/python -m tests.faults $(ONLY)

shots: .venv/.dev  ## a picture of every page under build/shots (ONLY="today" for some)
	@$(BIN)/python -m tests.browser.shots $(ONLY)

pictures: .venv/.dev  ## the two pictures of the README
	@$(BIN)/python -m tests.browser.shots today.show patients.show
	@cp build/shots/today.show-1280x800-light.png docs/pictures/today.png
	@cp build/shots/patients.show-1280x800-light.png docs/pictures/patient.png

vendor: .venv/.runtime  ## the front-end files in tracker/static/vendor
	@$(BIN)/python hatch_build.py

dev: .venv/.dev  ## the virtual environment with everything a developer needs

docs: .venv/.runtime  ## write the pages in docs/ that are made from the code
	$(BIN)/python -m tracker.config > docs/configuration.md
	$(BIN)/python -m tracker.rules.document > docs/clinical-rules.md

texts: .venv/.dev  ## bring the Spanish catalogue up to date with the texts that patients read
	@$(BIN)/python -m tests.translations

locks: .venv/.dev  ## write requirements/*.txt anew from pyproject.toml
	$(LOCK) pyproject.toml -o requirements/runtime.txt
	$(LOCK) --group pyproject.toml:dev -c requirements/runtime.txt -o requirements/dev.txt
	$(LOCK) --group pyproject.toml:build -c requirements/runtime.txt -o requirements/build.txt
	$(LOCK) --group pyproject.toml:node -o requirements/node.txt

clean:  ## remove what was built; the data in var/ stays
	rm -rf .venv node_modules build dist tracker/static/vendor

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; try: make PYTHON=python3.13 run" if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "Python cannot make a virtual environment here (Debian: apt-get install python3-venv)"; exit 1; }

.venv/.packages: requirements/runtime.txt requirements/build.txt requirements/node.txt | .venv/bin/python
	@echo "Fetching what it is built from, into .venv ..."
	@$(PIP) install -q --require-hashes -r requirements/runtime.txt -r requirements/build.txt
	@if $(BIN)/python hatch_build.py --node-missing; then $(PIP) install -q --require-hashes -r requirements/node.txt; fi
	@touch $@

.venv/.runtime: .venv/.packages pyproject.toml hatch_build.py package-lock.json tracker/static/icons.txt
	@$(PIP) install -q --no-build-isolation --no-deps -e .
	@touch $@

.venv/.dev: .venv/.runtime requirements/dev.txt
	@$(PIP) install -q --require-hashes -r requirements/dev.txt
	@touch $@
