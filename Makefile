# Every command that a person or CI types. Nothing needs to be activated: each target runs what .venv holds.
#   make PYTHON=python3.12 ...    picks another interpreter, 3.11 to 3.13, and remakes .venv for it

PYTHON ?=
ENGINE ?= docker
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
# What would have .venv's Python import or run something else than .venv and this folder hold.
unexport PYTHONPATH PYTHONHOME PYTHONSAFEPATH PYTHONINSPECT PYTHONOPTIMIZE PYTHONPLATLIBDIR PYTHONWARNINGS
# DVC presumes a home and a /var/tmp to write to.
export HOME ?= $(or $(shell getent passwd "$$(id -u)" | cut -d: -f6),$(CURDIR)/.dvc/tmp/home)
ifneq ($(shell test -w /var/tmp && echo writable),writable)
export DVC_SITE_CACHE_DIR ?= $(CURDIR)/.dvc/tmp/site
endif
repro seeds compare smoke leaderboard: export NEEDS_GIT := yes

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: venv
venv: ## make .venv from requirements.lock, unless it is made
	@scripts/bootstrap.sh $(PYTHON)

.PHONY: venv-dev
venv-dev: ## the same with the development tools of requirements-dev.lock
	@scripts/bootstrap.sh --dev $(PYTHON)

.PHONY: venv-onnx
venv-onnx: venv ## add what `model export --format onnx` takes, from requirements-onnx.lock
	@python -m pip install --quiet --no-deps --require-hashes --requirement requirements-onnx.lock

.PHONY: venv-team
venv-team: venv ## add what a team's server and an object store take, from requirements-team.lock
	@python -m pip install --quiet --no-deps --require-hashes --requirement requirements-team.lock

.PHONY: services
services: venv-team ## start PostgreSQL, an object store and MLflow's server on both, here, to try what a team shares
	@python scripts/services.py start

.PHONY: services-stop
services-stop: venv ## end what make services started, and remove what it kept
	@python scripts/services.py stop

.PHONY: digits
digits: venv ## draw digits.png by the generator that was trained here, else by the published one
	@python -m pipeline generate --out digits.png --count 256

.PHONY: repro
repro: venv ## run the pipeline: what is out of date is made again, then shown in MLflow
	@python -m pipeline check --repair
	dvc repro
	@python -m pipeline sync

.PHONY: seeds
seeds: venv ## train the seeds 0 to N-1 (N=5), and record how far they differ; SPREAD=dask SCHEDULER=ADDRESS over machines
	@python -m pipeline check --repair
	@exec python -m pipeline seeds train --count $(or $(N),5) $(if $(SPREAD),--spread $(SPREAD)) $(if $(SCHEDULER),--scheduler $(SCHEDULER))

.PHONY: ui
ui: venv ## open MLflow's pages on this machine
	@exec python -m pipeline ui

.PHONY: serve
serve: venv ## answer requests for images over HTTP, on this machine: make serve PORT=8000
	@exec python -m pipeline model serve --port "$(or $(PORT),8000)"

.PHONY: report
report: export A ?= HEAD
report: export B ?= workspace
report: venv ## show how B differs from A in report.html: make report A=main B=workspace
	@python -m pipeline report --out report.html -- "$$A" "$$B"

.PHONY: compare
compare: export BASE ?= origin/main
compare: venv ## hold the last commit to gate.yaml beside BASE, as CI does: make compare BASE=origin/main
	@exec python -m scripts.compare -- "$$BASE"

# The commit that DVC keeps of it. DVC ends with 0 where it could keep none, too.
SMOKE = refs/exps/$$(git rev-parse HEAD | sed 's,^..,&/,')/smoke

.PHONY: smoke
smoke: mnist ## run every stage at small params, as an experiment beside the workspace, which it leaves as it is
	@python -m pipeline check --experiments
	@git update-ref -d "$(SMOKE)"
	dvc exp run --temp --force --name smoke -S train.recipe=fast -S recipes/dcgan.yaml:fast.images=512 \
		-S recipes/dcgan.yaml:fast.epochs=2 \
		-S evaluate.samples=1000
	@git rev-parse --quiet --verify "$(SMOKE)" >/dev/null \
		|| { echo "error: every stage ran, but DVC kept no experiment smoke; what it says above tells why" >&2; exit 2; }

.PHONY: check-params
check-params: venv ## check params.yaml
	@python -m pipeline check

.PHONY: check
check: venv-dev ## lint and type-check all that is written here
	ruff check
	ruff format --check
	mypy
	hadolint Dockerfile
	actionlint
	zizmor --offline --quiet .github
	python -m pipeline check

.PHONY: format
format: venv-dev ## put Python files into the one format, and mend what ruff can mend
	ruff check --fix
	ruff format

.PHONY: mnist
mnist: venv  # into the user's cache, where tests find it without a network
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && python -m pipeline prepare --train "$$folder/train.npz" \
		--validation "$$folder/validation.npz" --test "$$folder/test.npz" --summary "$$folder/summary.json"

.PHONY: test
test: venv-dev mnist ## run the tests that a contributor runs, held to 90% of lines and branches together; TESTS="FILES" runs those alone
	python -m pytest -m "not slow" -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder \
		$(or $(TESTS),--cov --cov-report=term:skip-covered --cov-fail-under=90)

.PHONY: test-slow
test-slow: venv-dev mnist ## run the tests that take minutes
	python -m pytest -m slow -n 2 --dist loadfile --no-loadscope-reorder --durations=25

.PHONY: leaderboard
leaderboard: venv ## train what docs/families.md lacks (hours), keep each seed in benchmarks/runs, and make the page
	python -m benchmarks.leaderboard train
	python -m benchmarks.leaderboard page

.PHONY: lock
lock: venv-dev ## write the locks anew from pyproject.toml; UPGRADE=1 takes newer versions
	@python scripts/lock.py $(if $(UPGRADE),--upgrade)

.PHONY: lock-bench
lock-bench: venv-dev ## write benchmarks/requirements.lock anew: PyTorch, which only `make bench-full` needs
	@python scripts/lock.py --benchmarks $(if $(UPGRADE),--upgrade)

.PHONY: bench
bench: venv ## measure speed and memory beside the article's loop into benchmarks/results.json; 5 minutes, nothing else running
	@exec python -m benchmarks.bench

.PHONY: bench-full
bench-full: venv ## the same with more rounds, PyTorch, a whole training and the recorded runs; half an hour
	@python scripts/bootstrap.py --venv benchmarks/.venv --lock benchmarks/requirements.lock \
		|| echo "goes on without PyTorch: its figures stay what they were" >&2
	@exec python -m benchmarks.bench --full

.PHONY: image
image: ## build the container images mnistgan:train, :ui and :serve (ENGINE=podman for another engine)
	$(ENGINE) build --target train --tag mnistgan:train .
	$(ENGINE) build --target ui --tag mnistgan:ui .
	$(ENGINE) build --target serve --tag mnistgan:serve .

.PHONY: image-test
image-test: venv-dev ## build the images by buildah, as root and without a container engine, and try them
	@python scripts/image_test.py

.PHONY: clean
clean: ## remove what tools left; keeps .venv, data, models, pictures, checkpoints, mlruns and DVC's cache
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis htmlcov .coverage .coverage.*
	find . -name .venv -prune -o -path ./.git -prune -o -type d -name __pycache__ -exec rm -rf {} +
	@echo "kept: .venv, data, models, pictures, checkpoints, journal, mlruns, .dvc/cache; make clean-all removes them too"

.PHONY: clean-all
clean-all: clean ## remove all that git ignores: every run, weight and cache too
	rm -rf data models pictures checkpoints journal comparison report.html digits.png .dvc/cache .dvc/tmp .venv benchmarks/.venv
	find mlruns -mindepth 1 ! -name .gitkeep -delete
