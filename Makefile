# Every target needs Python 3.11+ and make alone: .venv is made on first use.
PYTHON ?= python3
FAISS ?= $(if $(shell command -v nvidia-smi 2>/dev/null),gpu,cpu)
BIN := .venv/bin
RUN := lightning_configs/run
PROFILE ?= smoke
WORKERS ?= 1
LOCKED ?= 0
RUNS ?= runs
PAPER := table1 table2 table3 table4 table5 table6 figure2 figure3 figure4 figure5 ladder

.DEFAULT_GOAL := help

.PHONY: help install demo test lint types unit fuzz realdata movielens paper $(PAPER) docs wheel lock report dashboard wandb-sync benchmark clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9_-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/.installed ## make .venv with everything (FAISS=cpu|gpu; LOCKED=1: the exact versions of constraints.txt)

.venv/.installed: pyproject.toml
	@echo "Installing into .venv (about 3 minutes: PyTorch is large) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mmrec needs Python 3.11 or newer: make PYTHON=python3.12 " + "install")'
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(if $(filter 1,$(LOCKED)),-c constraints.txt) -e '.[$(FAISS),dev]'
	@touch $@

demo: install ## prepare, train, test, explain and report on the embedded toy shop (about two minutes)
	@$(BIN)/mmrec demo

test: lint types unit ## lint, type-check and test

lint: install ## ruff: rules and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: install ## mypy, strict
	@$(BIN)/mypy

unit: install ## pytest without the slow and the real-data tests
	@$(BIN)/pytest

fuzz: install ## look for input files that the readers misread (minutes; prints the smallest one)
	@$(BIN)/pytest --hypothesis-profile=fuzz tests/data/test_fuzz.py

realdata: install ## pytest with the slow and the real-data tests (MMREC_DATA=folder of the raw data)
	@$(BIN)/pytest --run-slow

movielens: install ## the full model on MovieLens with posters (MMREC_DATA=folder of the raw data)
	@$(BIN)/lightning fit --config $(RUN)/movielens_mm_racl_kal.yaml

paper: install ## all tables and figures of the paper; one alone: make table5 (PROFILE=smoke|ml1m|hm|paper, WORKERS=1)
	@$(BIN)/mmrec paper all --profile $(PROFILE) --workers $(WORKERS)

$(PAPER): install
	@$(BIN)/mmrec paper $@ --profile $(PROFILE) --workers $(WORKERS)

benchmark: install ## speed against other libraries, the short set (makes .venv-replay and .venv-recbole; MMREC_DATA as above)
	@$(BIN)/python benchmarks/startup.py
	@$(BIN)/python benchmarks/sasrec_against_replay.py
	@$(BIN)/python benchmarks/gru4rec_against_recbole.py --steps 20 --rounds 1
	@$(BIN)/python benchmarks/lightgcn_against_recbole.py
	@$(BIN)/python benchmarks/pairs_against_plain.py
	@$(BIN)/python benchmarks/neighbours.py --rounds 3
	@$(BIN)/python benchmarks/parts.py
	@$(BIN)/python benchmarks/processes.py

docs: install ## the documentation as a site in site/; a dead link or an undocumented public name fails
	@$(BIN)/python tools/build_site.py

wheel: install ## wheel and sdist in dist/
	@$(BIN)/python -m build

lock: ## write constraints.txt anew: the newest versions that fit, for Python 3.11 and newer
	@$(PYTHON) -m venv .venv-lock
	@.venv-lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	@.venv-lock/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-header --no-annotate \
		--extra cpu --extra dev --output-file constraints.txt pyproject.toml

report: install ## one HTML page of all results, report.html (RUNS=folder of runs or results)
	@$(BIN)/mmrec report $(RUNS) --out report.html

dashboard: install ## W&B workspaces and reports (RUNS, PROFILE; needs an account)
	@$(BIN)/mmrec dashboard $(RUNS) --profile $(PROFILE)

wandb-sync: install ## send runs that were recorded offline to W&B (RUNS; needs an account)
	@$(BIN)/mmrec sync $(RUNS)

clean: ## remove .venv and caches; data/ and runs/ stay
	@rm -rf .venv .venv-* .pytest_cache .mypy_cache .ruff_cache .hypothesis
