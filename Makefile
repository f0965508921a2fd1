# What a newcomer, and CI, can do. `make help` lists it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := env --unset=PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help install run serve test golden bench chaos endurance fuzz check check-stackwalker check-types check-security \
	check-dead-code check-style check-imports check-pythons audit docs pictures screenshots clean lock \
	install-systemd systemd-test services services-installed stackwalker stackwalker-built stackwalker-own \
	stackwalker-wheel stackwalker-from-source tests-compiled samples

# $(call cargo,...) runs cargo for stackwalker/, offline and where bin/install-stackwalker builds. What has no cargo does
# without, but for CI.
define cargo
	@if command -v cargo >/dev/null; then \
		cd stackwalker && cargo fetch --quiet --locked && set -x && \
		CARGO_NET_OFFLINE=true CARGO_TARGET_DIR="$(CURDIR)/.local/stackwalker" cargo $(1); \
	else \
		echo 'cargo is missing, and so this is left out: cargo $(1)'; test "$$CI" != true; \
	fi
endef

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-26s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.installed stackwalker ## the command, .venv/bin/socorro, with a stackwalker beside it

run: $(VENV)/.installed stackwalker ## process the bundled sample crash through the real daemon, and print its report
	bin/process-sample

serve: $(VENV)/.installed stackwalker ## take crashes over HTTP and show them in a browser, with the sample crashes to begin with; PORT=8000
	@bin/serve-samples $(if $(PORT),--web.port=$(PORT))

test: ## set up what tests need, and run all of them
	@# Of two at once, one has the network to wait for and the other the processors to use. Only one may use pip.
	$(MAKE) --no-print-directory --jobs=2 $(VENV)/.installed-for-tests stackwalker-built
	$(MAKE) --no-print-directory --jobs=3 stackwalker services-installed tests-compiled
	$(call cargo,test --release --locked)
	$(PYTEST) --numprocesses=auto --dist=loadfile --no-loadscope-reorder

services: $(VENV)/.made ## start RabbitMQ, PostgreSQL, S3 and Elasticsearch on this machine; bin/services --help
	bin/services start

services-installed: $(VENV)/.made
	bin/services install || test "$$CI" != true

# Each worker reads from files what this compiles.
tests-compiled: $(VENV)/.installed-for-tests
	$(PYTEST) --collect-only -qq >/dev/null

stackwalker-built:
	$(call cargo,test --quiet --release --locked --no-run)

golden: $(VENV)/.installed-for-tests ## run the golden cases, print each difference; CASES=FILE: others of the same form
	$(BIN)/python -m tests.golden.run $(CASES)

bench: $(VENV)/.installed-for-tests stackwalker ## measure what rules, services, symbols, stackwalks and the daemon cost, into benchmarks/results; CRASHES=DIRECTORY
	$(BIN)/python -m benchmarks.rules $(CRASHES)
	$(BIN)/python -m benchmarks.services $(CRASHES)
	$(BIN)/python -m benchmarks.symbol_cache
	$(BIN)/python -m benchmarks.symbol_supplier
	$(BIN)/python -m benchmarks.stackwalk $(CRASHES)
	$(BIN)/python -m benchmarks.daemon $(CRASHES)

chaos: $(VENV)/.installed-for-tests stackwalker ## break everything at random, see that no crash is lost; SECONDS=600 SEED=n CONFIG=embedded|serve PROCESSORS=2 FIRST=former
	$(BIN)/python -m tests.chaos --seconds=$(or $(SECONDS),600) $(if $(SEED),--seed=$(SEED)) \
		--configuration=$(or $(CONFIG),production) $(if $(PROCESSORS),--processors=$(PROCESSORS)) \
		$(if $(FIRST),--first=$(FIRST))

endurance: $(VENV)/.installed-for-tests stackwalker ## whether the daemon grows over CRASHES=10000, and what it costs when idle
	$(BIN)/python -m benchmarks.endurance --crashes=$(or $(CRASHES),10000)

fuzz: $(VENV)/.installed-for-fuzzing stackwalker ## feed minidumps, symbol files and indexes that no one made to what reads them; SECONDS=3600
	$(BIN)/python -m tests.fuzz --seconds=$(or $(SECONDS),3600)

check: $(VENV)/.installed-for-tests ## style, types, import contract, dead code, docs; of the stackwalker, too
	@# The longest first. Each prints what it has to say at its end, and after a failure the others go on to theirs.
	$(MAKE) --no-print-directory --jobs=2 --output-sync --keep-going \
		check-stackwalker check-types docs check-security check-dead-code check-style check-imports

check-stackwalker:
	$(call cargo,fmt --check)
	$(call cargo,clippy --release --locked --all-targets -- -D warnings)

check-types:
	$(BIN)/mypy

check-security:
	@# On stderr it tells of each string beside one that is let through; findings are on stdout.
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml \
		socorro_processor bin/serve-samples bin/services bin/servers 2>$(VENV)/bandit.log \
		|| { grep -v 'nosec encountered' $(VENV)/bandit.log; false; }

check-dead-code:
	$(BIN)/vulture

check-style:
	$(BIN)/ruff format --check
	$(BIN)/ruff check

check-imports:
	$(BIN)/lint-imports

check-pythons: stackwalker ## the unit tests with each of Python 3.11 to 3.13 that is on the PATH; says which are not; TESTS=
	bin/check-pythons $(TESTS)

audit: $(VENV)/.installed-for-tests ## known vulnerabilities of the locked packages; needs PyPI's own JSON, which mirrors lack
	$(BIN)/pip-audit --strict --require-hashes --disable-pip --requirement requirements.txt

docs: $(VENV)/.installed-for-tests ## the docs as pages: docs/_build/index.html
	$(BIN)/sphinx-build --quiet --nitpicky --fail-on-warning --keep-going -b html docs docs/_build
	@echo docs/_build/index.html

pictures: ## draw the pictures of the docs from docs/pictures/*.dot (needs Graphviz)
	$(PYTHON) docs/pictures/render.py

screenshots: $(VENV)/.installed-for-tests stackwalker ## take the pictures of pages in docs/pictures (needs chromium)
	$(BIN)/python -m tests.browser.screenshots

lock: $(VENV)/.installed-for-tests ## renew the locked versions: requirements.txt, requirements-dev.txt
	$(BIN)/pip-compile --quiet --upgrade --strip-extras --generate-hashes --allow-unsafe --no-emit-index-url \
		--no-emit-find-links --no-emit-options --no-header --extra=web --output-file=requirements.txt setup.py
	$(BIN)/pip-compile --quiet --upgrade --strip-extras --generate-hashes --allow-unsafe --no-emit-index-url \
		--no-emit-find-links --no-emit-options --no-header --extra=dev --output-file=requirements-dev.txt setup.py

stackwalker: $(VENV)/.made ## find, build or get the stackwalkers: socorro-stackwalk, minidump-stackwalk
	bin/install-stackwalker --link-into $(BIN)

stackwalker-own: $(VENV)/.made ## build socorro-stackwalk with cargo
	bin/install-stackwalker --own --link-into $(BIN)

stackwalker-wheel: $(VENV)/.installed-for-stackwalker-wheel ## socorro-stackwalk as a wheel, in dist/, for hosts without Rust (needs cargo)
	cd stackwalker && cargo fetch --quiet --locked
	PATH="$(abspath $(BIN)):$$PATH" maturin build --manifest-path stackwalker/Cargo.toml --release --locked --offline --zig \
		--compatibility manylinux_2_17 --target-dir .local/stackwalker --out dist

stackwalker-from-source: $(VENV)/.made ## build minidump-stackwalk with cargo
	bin/install-stackwalker --from-source --link-into $(BIN)

install-systemd: ## install units and timers of systemd; DESTDIR=, and SOCORRO= where the command is not this checkout's
	bin/install-systemd "$(or $(SOCORRO),$(abspath $(BIN)/socorro))" "$(DESTDIR)"

systemd-test: $(VENV)/.installed-for-tests stackwalker ## run the units under a systemd, in qemu, as root: 20 minutes; PRODUCTION=yes CHECKS='start stop'
	$(BIN)/python -m tests.systemd $(if $(PRODUCTION),--production) $(CHECKS)

samples: stackwalker ## make the sample crashes anew (needs cargo and g++)
	samples/make-samples

clean: ## remove all that was made here
	rm -rf $(VENV) .local build dist docs/_build *.egg-info .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache \
		.import_linter_cache samples/crash-guard/target samples/symbols.index stackwalker/target
	bin/services remove
	find . -name __pycache__ -type d -exec rm -rf {} +

# The package itself is put in editable: a change of the code needs no new installation.
$(VENV)/.installed: requirements.txt setup.py $(VENV)/.made
	$(BIN)/pip install --quiet --require-hashes -r requirements.txt
	PYTHONWARNINGS='ignore:Editable installation' $(BIN)/pip install --quiet --no-deps -e .
	touch $@

$(VENV)/.installed-for-tests: requirements-dev.txt setup.py $(VENV)/.made
	@# Python compiles what is imported, which is not half of it.
	$(BIN)/pip install --quiet --no-compile --require-hashes -r requirements-dev.txt
	PYTHONWARNINGS='ignore:Editable installation' $(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	touch $@ $(VENV)/.installed

$(VENV)/.installed-for-fuzzing: requirements-fuzz.txt $(VENV)/.installed-for-tests
	$(BIN)/pip install --quiet --require-hashes -r requirements-fuzz.txt
	touch $@

$(VENV)/.installed-for-stackwalker-wheel: requirements-stackwalker-wheel.txt $(VENV)/.made
	$(BIN)/pip install --quiet --require-hashes -r requirements-stackwalker-wheel.txt
	touch $@

$(VENV)/.made:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	touch $@
