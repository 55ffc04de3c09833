# Everything here first makes .venv ready (see infra/bootstrap.sh), which takes no time when it is.
READY := sh infra/bootstrap.sh
PYTEST := .venv/bin/python -m pytest
FAST := not thorough and not integration and not model and not scheduler
THOROUGH := thorough and not integration and not model and not scheduler
# two processes, each with servers of its own; a file's tests stay together, since they share what is dear
TWO := -n 2 --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help ready demo up down status doctor test test-fast lint types bench check

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; do \
	    printf '  make %-10s %s\n' "$$name" "$$text"; done

ready: ## Install uv and the locked packages into the project
	@$(READY)

demo: ready ## A year of a real shop's logs, from raw files to recommendations
	@.venv/bin/penchant demo

up: ready ## Start PostgreSQL, Valkey, Airflow, MLflow and the API in the background
	@.venv/bin/penchant up

down: ready ## Stop what 'up' started
	@.venv/bin/penchant down

status: ready ## What runs, where to click, how to log in
	@.venv/bin/penchant status

doctor: ready ## Check this machine
	@.venv/bin/penchant doctor

test: ready ## All tests: fast, thorough, integration, model, scheduler
	@$(call run_tests,1/5 fast,$(FAST),$(TWO))
	@$(call run_tests,2/5 thorough (properties; the whole sample),$(THOROUGH),$(TWO))
	@$(call run_tests,3/5 integration (real servers),integration and not model and not scheduler,$(TWO))
	@$(call run_tests,4/5 model (TensorFlow),model and not scheduler,$(TWO))
	@$(call run_tests,5/5 scheduler (Airflow from end to end),scheduler)

test-fast: ready ## The tests that need no server, no TensorFlow, no scheduler, and no patience
	@$(call run_tests,fast,$(FAST),$(TWO))

lint: ready ## ruff and the import contracts
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/lint-imports

types: ready ## mypy, strict
	.venv/bin/mypy

bench: ready ## Measure speed beside peers, into docs/benchmarks.md (BENCH="windows lookup", SIZE=large)
	@.venv/bin/python -m tests.benchmarks $(BENCH) --size $(or $(SIZE),normal)

check: lint types test ## Everything that CI runs

# pytest says 5 when a stage has no test: no failure
define run_tests
echo "== tests $(1): pytest -m \"$(2)\""; $(PYTEST) -q -m "$(2)" $(3) || [ $$? -eq 5 ]
endef
