# setup, demo, notebook, test, check, bench: each makes .venv first; EXTRAS=dev,coco,torch,... adds extras.
PYTHON ?= python3
EXTRAS ?=
VENV := .venv
BIN := $(VENV)/bin
COMMA := ,
# The tests need the extra dev, whatever else is asked for.
TEST_EXTRAS = $(if $(EXTRAS),dev$(COMMA)$(EXTRAS),dev)

.PHONY: setup demo notebook test lint check bench clean

setup:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "limner needs Python 3.11 or later; name one with make PYTHON=..."; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".$(if $(EXTRAS),[$(EXTRAS)])"

demo: setup
	$(BIN)/limner demo

# JupyterLab neither looks for updates nor for news.
notebook:
	@$(MAKE) --no-print-directory setup EXTRAS=notebook
	@test -d limner-demo/dataset || $(BIN)/limner demo
	$(BIN)/jupyter lab --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate \
		--LabApp.news_url=None $(JUPYTER_ARGS) notebooks

test:
	@$(MAKE) --no-print-directory setup EXTRAS=$(TEST_EXTRAS)
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n auto

lint:
	@$(MAKE) --no-print-directory setup EXTRAS=$(TEST_EXTRAS)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict src
	$(BIN)/lint-imports

check: lint test

bench:
	@$(MAKE) --no-print-directory setup EXTRAS=coco,torch
	@for script in train_step decode memory load metrics opening pca; do \
		echo "benchmarks/$$script.py" && $(BIN)/python benchmarks/$$script.py || exit; done

clean:
	rm -rf $(VENV) limner-demo dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
