# Each target sets up by itself; `make` alone lists them. VENV=path works in another environment.
VENV ?= .venv
PYTEST_ARGS ?= -n 2
bin := $(VENV)/bin
stamp := $(VENV)/.installed
openjd := .venv-openjd/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo test soak fuzz lint format bench results clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

setup: $(stamp) ## make the environment; nothing to do while pyproject.toml and constraints.txt are unchanged

$(stamp): pyproject.toml constraints.txt scripts/setup.sh
	@scripts/setup.sh $(VENV)
	@touch $@

demo: $(stamp) ## render the shipped clip with the embedded model
	@$(bin)/python -m lumivid_fx.demo

# One thread a process: two pytest workers share two cores, and a second thread would only spin
# (GOMP_SPINCOUNT). Huge pages spare small tensors' page faults. No test may reach a model hub.
test: export OMP_NUM_THREADS := 1
test: export GOMP_SPINCOUNT := 0
test: export THP_MEM_ALLOC_ENABLE := 1
test: export HF_HUB_OFFLINE := 1
test: $(stamp) $(openjd) ## run the tests; PYTEST_ARGS='-k transfer' narrows them
	@scripts/apt.sh || true
	@$(bin)/python -m pytest $(PYTEST_ARGS)

# Where it cannot be made, the tests that run job bundles are skipped and say so.
$(openjd): scripts/openjd.sh
	@scripts/openjd.sh && touch $@ || echo 'test: no .venv-openjd, so exported job bundles are not run' >&2

# The seed is printed; SOAK_SEED=7 draws the same again, SOAK_JOBS=50 makes it shorter.
soak: $(stamp) ## jobs of four clients while runners, worker and clients are killed; a minute or two
	@$(bin)/python -m tests.worker.soak

# Each case is made from seed and number, and `python -m tests.media.fuzz --only 17` reads one again.
fuzz: export OMP_NUM_THREADS := 1
fuzz: $(stamp) ## read 2000 damaged files of every kind; FUZZ_COUNT=200 and FUZZ_SEED=7 change that
	@$(bin)/python -m tests.media.fuzz --count $(or $(FUZZ_COUNT),2000) --seed $(or $(FUZZ_SEED),0)

lint: $(stamp) ## what pre-commit runs: ruff and mypy
	@$(bin)/ruff check .
	@$(bin)/ruff format --check .
	@$(bin)/mypy
	@scripts/other_systems.sh $(bin)/mypy

format: $(stamp) ## let ruff mend what it can
	@$(bin)/ruff check --fix .
	@$(bin)/ruff format .

bench: $(stamp) ## print the benchmark tables
	@$(bin)/python -m benchmarks

# MAPS is the folder of environment maps; ABLATIONS may name a folder of runs for tables 4 and 5.
results: $(stamp) ## measure the embedded model: docs/results.md and docs/pictures.md; MAPS=folder
	@test -n "$(MAPS)" || { echo 'results: name the folder of environment maps: make results MAPS=folder' >&2; exit 2; }
	@$(bin)/lumivid evaluate tables --maps "$(MAPS)" --out docs $(if $(ABLATIONS),--ablations "$(ABLATIONS)") >/dev/null
	@$(bin)/lumivid evaluate pictures --maps "$(MAPS)" --out docs

clean: ## remove the environment, caches and builds
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist demo-out bench-out evaluation-out
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
