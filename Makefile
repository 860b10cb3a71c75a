# Everything runs in .venv/, which the first target that needs it creates.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip install --disable-pip-version-check -c constraints.txt
DATA := $(if $(ERRATA_DATA),$(ERRATA_DATA),$(if $(wildcard ../shared/data),$(abspath ../shared/data),data))

.PHONY: demo students test test-slow check docs bench mutants audit clean

demo: .venv/train
	$(BIN)/python -m errata demo

# The embedded student by every method, one after the other; `make demo` comes first.
students: .venv/train
	$(BIN)/python -m errata train sft --config recipes/train/sft.yaml
	$(BIN)/python -m errata train mapd --config recipes/train/mapd.yaml
	$(BIN)/python -m errata train edit --config recipes/train/edit.yaml
	$(BIN)/python -m errata train mcc-kd --config recipes/train/mcc_kd.yaml
	$(BIN)/python -m errata train nat --config recipes/train/nat.yaml
	$(BIN)/python -m errata train nce --config recipes/train/nce.yaml
	$(BIN)/python -m errata train ranker --config recipes/train/ranker.yaml
	$(BIN)/python -m errata train mapd --config recipes/train/combined.yaml
	$(BIN)/python -m errata train redi --config recipes/train/redi.yaml
	$(BIN)/python -m errata train dpo --config recipes/train/dpo.yaml
	$(BIN)/python -m errata train kto --config recipes/train/kto.yaml
	$(BIN)/python -m errata train gkd --config recipes/train/gkd.yaml
	$(BIN)/python -m errata train sdft --config recipes/train/sdft.yaml
	$(BIN)/python -m errata train grpo --config recipes/train/grpo.yaml

# Tests start many interpreters: without kept bytecode each of them would compile the package anew.
TESTS := PYTHONDONTWRITEBYTECODE= ERRATA_DATA=$(DATA) OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile

test: .venv/all
	$(TESTS)

# What takes more than a few seconds: long forms of the tests, several processes, whole recipes.
test-slow: .venv/all
	$(TESTS) -m 'slow and not gpu and not network'

check: .venv/all
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(MAKE) docs

# The site of docs/ into site/, strictly; the build needs no network.
docs: .venv/all
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet

bench: .venv/all
	$(BIN)/python -m benchmarks

# How many small faults the tests find, for ten minutes; it goes on where it ended.
mutants: .venv/all
	ERRATA_DATA=$(DATA) $(BIN)/python -m benchmarks.mutants

audit: .venv/all
	.ci/audit

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/train: .venv/bin/python pyproject.toml constraints.txt
	$(PIP) -e '.[train,report]'
	touch $@

.venv/all: .venv/bin/python pyproject.toml constraints.txt
	$(PIP) -e '.[train,report,dev,docs]'
	touch $@ .venv/train

clean:
	rm -rf .venv build dist *.egg-info
