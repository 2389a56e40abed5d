# Everything is done in .venv/ of this checkout; a stamp file says what is in it, so a second call needs no network.
PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
PIP    := $(PY) -m pip --disable-pip-version-check -qq install -c constraints.txt
DEEPEN := $(VENV)/bin/deepen

.DEFAULT_GOAL := help
.PHONY: help demo test test-services check check-format check-lint check-types check-rules bench docs clean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F '\t' '{ printf "  make %-14s %s\n", $$1, $$2 }'

demo: $(VENV)/.has-report ## train on 3,708 product-review sentences, show the ladder, predict three sentences
	@$(PY) scripts/demo_data.py
	$(DEEPEN) train --recipe recipes/demo.yaml --out runs/demo --overwrite
	$(DEEPEN) report runs/demo
	$(DEEPEN) predict runs/demo \
		--text "the battery died after two days and nobody answers my mails ." \
		--text "i expected little , and was wrong : it is a joy to use ." \
		--text "not bad at all for the price ."

test: $(VENV)/.has-dev ## run all tests (offline, two cores)
	@$(PY) -m pytest

test-services: $(VENV)/.has-dev ## run what needs a service or many minutes; what is not there is skipped with a reason
	@$(PY) -m pytest -m services -rs

check: check-format check-lint check-types check-rules ## format, lint, types and the rules of the house

check-format: $(VENV)/.has-dev
	@$(VENV)/bin/ruff format --check .

check-lint: $(VENV)/.has-dev
	@$(VENV)/bin/ruff check .

check-types: $(VENV)/.has-dev
	@$(VENV)/bin/mypy

check-rules: $(VENV)/.has-dev
	@$(PY) -m pytest -q --durations=0 --durations-min=5 tests/rules
	@$(PY) scripts/lines.py

bench: $(VENV)/.has-report ## measure the ladder on this machine
	$(DEEPEN) bench

docs: $(VENV)/.has-docs ## build docs/ as a site into build/site, which loads nothing from elsewhere
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --quiet --clean
	@echo "build/site/index.html; its search and its dark colours need a server: python3 -m http.server -d build/site"

clean: ## remove caches and build products; .venv/, data/ and runs/ stay
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist src/*.egg-info
	find src tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +

# torch goes in first and by its pin, so that no other package chooses another build of it. It brings setuptools, so the
# project needs no build environment of its own, and a changed pyproject.toml can be installed again without a network.
$(VENV)/.has-torch:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Deepen needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3.11 ..." >&2; exit 2; }
	@test -x $(PY) || { echo "making $(VENV)/"; $(PYTHON) -m venv $(VENV); }
	@df -Pk . | awk 'NR == 2 && $$4 < 2500000 \
		{ printf "only %.1f GB of disk are free here, and about 2.5 GB will be needed\n", $$4 / 1e6 > "/dev/stderr" }'
	@echo "installing torch: the largest part, a minute or several"
	@$(PIP) torch setuptools
	@touch $@

$(VENV)/.has-report: $(VENV)/.has-torch pyproject.toml constraints.txt
	@echo "installing deepen[report]: about half a minute"
	@$(PIP) --no-build-isolation -e '.[report]'
	@touch $@

$(VENV)/.has-docs: $(VENV)/.has-torch pyproject.toml constraints.txt
	@echo "installing deepen[docs]: about half a minute"
	@$(PIP) --no-build-isolation -e '.[docs]'
	@touch $@

# seqeval comes as a source archive that asks for a build environment; xgrammar asks for triton, which tests do without.
$(VENV)/.has-dev: $(VENV)/.has-torch pyproject.toml constraints.txt
	@echo "installing deepen[report,excel,tagging,ranking,tuning,diagnosis,export,serve,generate,dev]: about a minute"
	@$(PIP) seqeval
	@$(PIP) --no-build-isolation -e '.[report,excel,tagging,ranking,tuning,diagnosis,export,serve,generate,dev]'
	@$(PIP) --no-deps xgrammar apache-tvm-ffi
	@touch $@ $(VENV)/.has-report
