# The commands of this repository. Needs make, git and Python >= 3.11 with venv, and for node/ Node.js >= 20.19.
# Everything else lands in .venv and node/node_modules.

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.setup-done
NODE_STAMP := node/node_modules/.setup-done
NODE_BUILT := node/dist/cli/main.js
# Not empty where the Node.js that node/ needs is here.
NODE_FITS = $(shell command -v npm >/dev/null && node -e 'const [major, minor] = process.versions.node.split(".").map(Number); \
	if (major > 20 || (major === 20 && minor >= 19)) console.log("yes")' 2>/dev/null)
# Most tests wait for signals of real servers, so more of them than CPUs take less time: on 2, 251 s against 397.
WORKERS ?= 4

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-python test-node interop faults lint bench bench-node sync clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

setup: $(STAMP) ## install all that the other commands need into .venv (they call it themselves)

$(STAMP): python/pyproject.toml python/requirements-dev.txt tools/setup
	@PYTHON="$(PYTHON)" tools/setup
	@touch $@

$(NODE_STAMP): node/package.json node/package-lock.json tools/setup-node
	@PYTHON="$(PYTHON)" tools/setup-node
	@touch $@

$(NODE_BUILT): $(NODE_STAMP) $(shell find node/src -name '*.ts')
	@cd node && npm run build --silent
	@touch $@

demo: $(STAMP) $(if $(NODE_FITS),$(NODE_BUILT)) ## watch tasks run on an embedded server
	@$(BIN)/doshit demo

test: $(NODE_BUILT) test-python test-node interop ## run every test

test-python: $(STAMP) ## run the tests of the Python package
	@cd python && ../$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

test-node: $(NODE_STAMP) ## run the tests of the Node package
	@cd node && npm test --silent -- $(ARGS)

interop: $(STAMP) $(NODE_BUILT) ## run the tests of Python, Node and plain commands together
	@cd interop && ../$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

# Its rows measure times, which a crowd would blur.
faults: WORKERS = 2
faults: $(STAMP) $(if $(NODE_FITS),$(NODE_BUILT)) ## break everything on purpose: the whole fault suite, with its table
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
