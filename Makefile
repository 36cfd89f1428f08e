# Every command that a person or CI types. Nothing needs to be activated: each target runs what .venv holds.
#   make PYTHON=python3.12 ...    picks another interpreter, 3.11 to 3.13, and remakes .venv for it

PYTHON ?=
ENGINE ?= docker
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: venv
venv: ## make .venv from requirements.lock, unless it is made
	@scripts/bootstrap.sh $(PYTHON)

.PHONY: repro
repro: check-params ## run the pipeline: what is out of date is made again, then shown in MLflow
	@python -m pipeline repair
	dvc repro
	@python -m pipeline sync

.PHONY: ui
ui: venv ## open MLflow's pages on this machine
	@exec python -m pipeline ui

.PHONY: check-params
check-params: venv ## check params.yaml
	@python -m pipeline check

.PHONY: check
check: venv ## lint and type-check all that is written here
	ruff check
	ruff format --check
	mypy
	hadolint Dockerfile
	python -m pipeline check

.PHONY: format
format: venv ## put Python files into the one format, and mend what ruff can mend
	ruff check --fix
	ruff format

.PHONY: mnist
mnist: venv  # into the user's cache, where tests find it without a network
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && python -m pipeline prepare --train "$$folder/train.npz" \
		--validation "$$folder/validation.npz" --test "$$folder/test.npz" --summary "$$folder/summary.json"

.PHONY: test
test: mnist ## run the tests that a contributor runs, held to 90% of lines and branches together
	python -m pytest -m "not slow" -n auto --maxprocesses 4 --dist loadfile --cov --cov-report=term:skip-covered --cov-fail-under=90

.PHONY: test-slow
test-slow: mnist ## run the tests that take minutes
	python -m pytest -m slow

.PHONY: lock
lock: venv ## write requirements.lock anew from pyproject.toml; UPGRADE=1 takes newer versions
	@python scripts/lock.py $(if $(UPGRADE),--upgrade)

.PHONY: image
image: ## build the container images mnistgan:train and mnistgan:ui (ENGINE=podman for another engine)
	$(ENGINE) build --target train --tag mnistgan:train .
	$(ENGINE) build --target ui --tag mnistgan:ui .

.PHONY: image-test
image-test: venv ## build the images by buildah, as root and without a container engine, and try them
	@python scripts/image_test.py

.PHONY: clean
clean: ## remove what tools left; keeps .venv, data, models, pictures, checkpoints, mlruns and DVC's cache
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis htmlcov .coverage .coverage.*
	find . -path ./.venv -prune -o -path ./.git -prune -o -type d -name __pycache__ -exec rm -rf {} +
	@echo "kept: .venv, data, models, pictures, checkpoints, journal, mlruns, .dvc/cache; make clean-all removes them too"

.PHONY: clean-all
clean-all: clean ## remove all that git ignores: every run, weight and cache too
	rm -rf data models pictures checkpoints journal .dvc/cache .dvc/tmp .venv
	find mlruns -mindepth 1 ! -name .gitkeep -delete
