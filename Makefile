# Everything a contributor does is one word. Needs python3 with pip; test-js also Node (20 or newer) with npm.

PORT ?= 8080
UV   := .uvtool/bin/uv
BIN  := .venv/bin
export VIRTUAL_ENV := $(CURDIR)/.venv
export UV_PYTHON_DOWNLOADS := never
unexport PYTHONDONTWRITEBYTECODE  # the suite starts hundreds of processes: what is compiled once is kept

COMPILE = $(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
    --custom-compile-command "make lock" $(UPGRADE)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup serve test suite again test-core test-js cover bench lint docs proto lock clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

setup: .venv/.stamp  ## make .venv as requirements.lock says, by hash

serve: setup  ## run the server on PORT (8080)
	$(BIN)/syncline serve --port $(PORT)

test: lint cover suite test-js  ## lint, types, the core to its last branch, and the whole suite

suite: setup  ## the whole suite, on all processors
	$(BIN)/python -m tests.browser.chromium
	$(BIN)/pytest -n logical --dist worksteal || $(MAKE) --no-print-directory again

again: setup  ## what failed last, alone: a machine too busy for a deadline is no bug; where there is none, it is one
	! grep -E '"tests/(core|simulation|replica|js|testing)/' .pytest_cache/v/cache/lastfailed
	$(BIN)/pytest --last-failed --last-failed-no-failures none

test-core: setup  ## the core alone, in seconds
	HISTORIES=50 $(BIN)/pytest -q -n logical --hypothesis-profile brief tests/core

test-js: setup js/node_modules/.stamp  ## the browser SDK: its types, and its tests on Node
	cd js && npm run --silent check && npm test --silent

cover: setup  ## the same, every line and branch of it
	rm -f .coverage*
	HISTORIES=50 $(BIN)/coverage run -m pytest -q -n logical --hypothesis-profile brief tests/core
	$(BIN)/coverage combine -q
	$(BIN)/coverage report

bench: setup  ## measure, beside the peers
	$(BIN)/python -m bench

lint: setup  ## rules, format, types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

docs: setup  ## build the documentation into site/
	$(BIN)/zensical build --clean --strict

proto: setup  ## make what the gRPC transport needs of spec/syncline.proto
	$(BIN)/python -m grpc_tools.protoc -Ispec --python_out=src/syncline/transports/grpc --pyi_out=src/syncline/transports/grpc spec/syncline.proto

lock: $(UV)  ## resolve the locks again from pyproject.toml (UPGRADE=--upgrade for the newest)
	$(COMPILE) --all-extras pyproject.toml -o requirements.lock
	$(COMPILE) --extra all --constraint requirements.lock --no-annotate pyproject.toml -o deploy/requirements.lock

clean:  ## remove everything that was made
	rm -rf .venv .uvtool js/node_modules js/types .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache .cache build dist site
	find . -name node_modules -prune -o -name __pycache__ -type d -exec rm -rf {} +

$(UV):
	python3 -m pip install -q --target .uvtool uv==0.13.8

.venv/.stamp: requirements.lock pyproject.toml | $(UV)
	test -x $(BIN)/python || $(UV) venv -q --python python3 .venv
	$(UV) pip install -q --require-hashes -r requirements.lock
	$(UV) pip install -q --no-deps --no-build-isolation -e .
	touch $@

js/node_modules/.stamp: js/package-lock.json js/package.json js/.npmrc
	cd js && npm ci --ignore-scripts --loglevel=error
	touch $@
