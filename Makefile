# The commands of this repository. Needs make, git and Python >= 3.11 with venv, and for node/ Node.js >= 20.19.
# Everything else lands in .venv and node/node_modules.

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.setup-done
NODE_STAMP := node/node_modules/.setup-done
WORKERS ?= 2
# Something where there is a Node that serves; the fault suite skips its rows for Node workers without.
NODE_FITS = $(shell node -p 'const [a, b] = process.versions.node.split(".").map(Number); a > 20 || (a == 20 && b >= 19) || ""' 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-python test-node node-built interop faults lint bench bench-node sync clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

setup: $(STAMP) ## install all that the other commands need into .venv (they call it themselves)

$(STAMP): python/pyproject.toml python/requirements-dev.txt tools/setup
	@PYTHON="$(PYTHON)" tools/setup
	@touch $@

$(NODE_STAMP): node/package.json node/package-lock.json tools/setup-node
	@PYTHON="$(PYTHON)" tools/setup-node
	@touch $@

demo: $(STAMP) ## watch tasks run on an embedded server
	@$(BIN)/doshit demo

test: node-built test-python test-node interop ## run every test

test-python: $(STAMP) ## run the tests of the Python package
	@cd python && ../$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

test-node: $(NODE_STAMP) ## run the tests of the Node package
	@cd node && npm test --silent -- $(ARGS)

node-built: $(NODE_STAMP)
	@cd node && npm run build --silent

interop: $(STAMP) node-built ## run the tests of Python, Node and plain commands together
	@cd interop && ../$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

faults: $(STAMP) $(if $(NODE_FITS),node-built) ## break everything on purpose: the whole fault suite, with its table
	@cd python && ../$(BIN)/python -m pytest tests/faults --all-rows -n $(WORKERS) $(ARGS)

lint: $(STAMP) $(if $(shell command -v node),$(NODE_STAMP)) ## check style, types, import layers and the shared protocol files
	@tools/lint

bench: $(STAMP) ## measure, beside floors of the same run
	@$(BIN)/python benchmarks/run.py $(ARGS)

bench-node: $(STAMP) $(NODE_STAMP) ## measure Node's client and worker beside BullMQ and Bee-Queue
	@cd node && npm run build --silent
	@cd benchmarks/node && npm ci --loglevel=error
	@cd benchmarks/node && node enqueue.mjs $(ARGS) && node drain.mjs $(ARGS)
	@cd benchmarks/node && node drain.mjs --isolated $(ARGS) && node latency.mjs $(ARGS)

sync: $(STAMP) ## copy protocol/lua and protocol/tables into the packages
	@$(BIN)/python tools/sync.py

clean: ## remove what the other commands made
	@rm -rf .venv python/dist python/.mypy_cache python/.ruff_cache python/.pytest_cache python/.import_linter_cache python/.hypothesis
	@rm -rf node/node_modules node/dist node/build node/.server
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
