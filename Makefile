# Paths are relative throughout: make can't handle a checkout in a folder with spaces otherwise.
# Everything generated goes to .venv/, build/ and .run/, which git ignores.

# The first of these that is Python 3.11 or newer; `make PYTHON=/path/to/python3 ...` chooses another.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo "$$python" && break; done)
WORKERS ?= 2
LENGTH ?= short
ARGS ?=
SEED ?=
VENV := .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help demo run test check chaos model bench seed simulator test-stripe lock install

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile
	@echo '  ARGS="..." is passed on, as in: make test ARGS="-k webhook"'

demo: install ## Run the main job on this machine and compare the books; exits 0 only if they agree
	@$(VENV) -m sandbox.demo $(ARGS)

run: install ## Run the whole system on this machine until Ctrl-C
	@$(VENV) -m sandbox.run $(ARGS)

test: install ## Run all tests, on embedded servers unless TOLLGATE_TEST_REDIS_URL and TOLLGATE_TEST_DATABASE_URL are set
	@$(VENV) -m pytest -n $(WORKERS) --dist loadgroup $(ARGS)

check: install ## Check style, types, imports between packages, migrations and the OpenAPI document
	@$(VENV) -m ruff check .
	@$(VENV) -m ruff format --check .
	@$(VENV) -m mypy
	@.venv/bin/lint-imports
	@$(VENV) -m sandbox.check

seed: install ## Fill the running system's database with 200 payments and 40 invoices in every state
	@$(VENV) -m sandbox.seed $(ARGS)

model: install ## Play the shipped SQL and scripts against all that can go wrong, 200,000 steps; SEED=n repeats a run
	@$(VENV) -m tests.model $(if $(SEED),--seed $(SEED)) $(ARGS)

chaos: install ## Kill, freeze and cut off everything under load, and judge from outside; LENGTH=long shows all figures
	@$(VENV) -m sandbox.chaos --length $(LENGTH) $(ARGS)

bench: install ## Measure how long the website waits for a client secret; fails above the promised 150 ms (p95)
	@$(VENV) -m bench.waiting $(ARGS)

simulator: install ## Run the Stripe simulator alone
	@$(VENV) -m sandbox.simulator $(ARGS)

test-stripe: install ## Run the end-to-end tests against Stripe's test mode; needs TOLLGATE_TEST_STRIPE_KEY=sk_test_...
	@case "$$TOLLGATE_TEST_STRIPE_KEY" in sk_test_*|rk_test_*) ;; *) \
		echo "make test-stripe: set TOLLGATE_TEST_STRIPE_KEY to a key of Stripe's test mode (sk_test_...)" >&2; exit 2;; esac
	@$(VENV) -m pytest -m stripe $(ARGS)

lock: install ## Resolve setup.cfg's dependencies anew into requirements/
	@$(VENV) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--output-file requirements/production.txt setup.cfg
	@$(VENV) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--extra development --output-file requirements/development.txt setup.cfg

install: ## Install the locked dependencies into .venv/, if they have changed
	@test -n "$(PYTHON)" || { echo 'make: no Python 3.11 or newer found; install one, or name it: make PYTHON=/path/to/python3' >&2; exit 1; }
	@"$(PYTHON)" -I -B sandbox/installation.py
