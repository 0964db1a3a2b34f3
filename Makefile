PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test check format bench

demo: $(STAMP)  ## serve the bundled sample site on loopback, crawl it, show the report and the first items
	@$(BIN)/python -m scrapekit.testing.demo

test: $(VENV)/.installed-dev  ## everything, with branch coverage
	$(BIN)/python -m pytest -n 4 --dist loadgroup --cov --cov-report=term --cov-fail-under=95 $(ARGS)

check: $(VENV)/.installed-dev  ## style, types, and the documentation as a site, in site/
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)  ## against Scrapy and a hand-written loop, in one run (needs nginx and python3-doc)
	$(BIN)/python bench/run.py $(ARGS)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(STAMP): pyproject.toml $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-dev: $(STAMP)
	$(BIN)/python -m pip install --quiet --group dev
	@touch $@
