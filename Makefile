# Everything below makes its own virtual environment; all it needs is Python 3.10 or later and cargo.
PYTHON ?= python3
CARGO ?= cargo
DEV := .venv
LIGHT := .venv-light
RELEASE := .venv-release
WHEEL := .venv-wheel
PREFIX ?= /usr/local
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# The many short processes of the tests read what the first has compiled, whatever the environment says.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help demo test test-rust test-python test-slow test-thorough test-torch-range lint format develop bench bench-peers results fuzz foreign install-codec clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

demo: $(LIGHT)/.installed ## Compress and restore a real photo with the shipped model (no torch)
	@$(LIGHT)/bin/python examples/demo.py --output demo

test: test-rust test-python ## Set everything up and run all tests but those marked slow

test-rust:
	$(CARGO) test --locked

test-python: develop
	$(DEV)/bin/python -m pytest -n auto --dist worksteal

test-slow: develop ## The tests marked slow, which test leaves out: repetitions, and what takes seconds
	LCRS_TEST_SLOW=1 $(CARGO) test --locked --test memory --test it -- memory_ scan:: golden::
	$(DEV)/bin/python -m pytest -n auto --dist worksteal --timeout 3600 --ignore tests/release -m slow

test-thorough: develop ## All of Python's tests, every process begun from nothing, 1000 examples of properties: hours
	$(CARGO) build --locked -p lcrs-codec
	LCRS_TEST_SLOW=1 LCRS_HYPOTHESIS=slow $(DEV)/bin/python -m pytest -n auto --dist worksteal --timeout 3600 --ignore tests/release

# The torch of both ends of what pyproject.toml allows, each with a Python and a NumPy that it fits.
OLDEST_TORCH = $(shell sed -n 's/^torch = \["torch>=\(.*\)"\]/\1/p' pyproject.toml)
OLDEST_PYTHON ?= $(shell for python in python3.10 python3.11 python3.12 $(PYTHON); do $$python -c "" 2>/dev/null && echo $$python && break; done)
NEWEST_PYTHON ?= $(PYTHON)
TORCH_TESTS := ops layers lowering losses optimizers entropy_models latent_codecs models registry shims zoo codec transforms

test-torch-range: ## The tests that need torch, with the oldest and the newest torch that is allowed (two environments)
	$(OLDEST_PYTHON) -m venv .venv-torch-oldest
	.venv-torch-oldest/bin/pip install --quiet "torch==$(OLDEST_TORCH)" "numpy<2" --editable ".[test]"
	$(NEWEST_PYTHON) -m venv .venv-torch-newest
	.venv-torch-newest/bin/pip install --quiet --upgrade torch --editable ".[test]"
	for end in oldest newest; do \
		.venv-torch-$$end/bin/python -c "import torch; print('torch', torch.__version__)" && \
		.venv-torch-$$end/bin/python -m pytest -p no:cacheprovider -n auto --dist worksteal $(addprefix tests/,$(TORCH_TESTS)) || exit 1; \
	done

lint: develop ## Formatting, lints, types, the stub against the binary, and the documentation
	$(CARGO) fmt --all -- --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(DEV)/bin/ruff check .
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/mypy
	$(DEV)/bin/python -m mypy.stubtest lcrs._lcrs
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --quiet --no-deps
	$(SPHINX)

# Pages that nothing has changed for are not made again.
SPHINX := $(DEV)/bin/python -m sphinx -W --keep-going -q -b html docs build/docs
docs: develop ## The documentation site, in build/docs; warnings are errors
	$(SPHINX)

format: $(DEV)/.installed ## Format Rust and Python in place
	$(CARGO) fmt --all
	$(DEV)/bin/ruff check --fix .
	$(DEV)/bin/ruff format .

develop: $(DEV)/.installed ## Build the native module into .venv
	$(DEV)/bin/maturin develop --release --quiet

bench: develop ## Criterion benchmarks of the coder and the exact engine
	$(CARGO) bench --locked -p lcrs-benches

bench-peers: ## The coders and image models of lcrs and its peers, side by side
	benches/python/make_peers_env.sh .venv-peers
	.venv-peers/bin/python benches/python/coders.py
	.venv-peers/bin/python benches/python/models.py

# Under half an hour on two cores; a run that was ended goes on. FIRST=2 tries it on two pictures.
results: develop ## Every figure of rate and distortion in the README: make results PICTURES=folder of Kodak
	@test -n "$(PICTURES)" || { echo "make results PICTURES=FOLDER, the folder of the 24 Kodak pictures"; exit 2; }
	$(DEV)/bin/python benches/python/results.py benches/kodak.json --pictures $(PICTURES) $(if $(FIRST),--first $(FIRST)) $(if $(OUTPUT),--output $(OUTPUT))

# SANITIZER=none where the toolchain has no AddressSanitizer; the variable makes a stable compiler accept its flag.
SANITIZER ?= address
fuzz: export RUSTC_BOOTSTRAP = 1
fuzz: ## A minute of fuzzing (needs cargo-fuzz and a C++ compiler)
	for target in $$(sed -n 's/^name = "\(.*\)"$$/\1/p' rust/fuzz/Cargo.toml | tail -n +2); do \
		mkdir -p rust/fuzz/corpus/$$target; \
		$(CARGO) fuzz run --fuzz-dir rust/fuzz --sanitizer $(SANITIZER) $$target rust/fuzz/corpus/$$target rust/fuzz/seeds/coder \
			-- -max_total_time=12 -max_len=8192 || exit 1; \
	done

foreign: ## Tests and golden files on aarch64 and big-endian s390x, under qemu-user (Debian)
	tests/foreign/run.sh

install-codec: ## Build the program lcrs-codec and install it in PREFIX (/usr/local), its model beside it
	$(CARGO) build --release --locked -p lcrs-codec
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/lcrs/models
	install -m 755 $${CARGO_TARGET_DIR:-target}/release/lcrs-codec $(DESTDIR)$(PREFIX)/bin/
	install -m 644 python/lcrs/zoo/weights/*.lcrm $(DESTDIR)$(PREFIX)/share/lcrs/models/

.PHONY: docs wheels sdist crates test-release test-wheel addresses release-check
# Linux targets that wheels are made for; a foreign one needs its standard library (rustup target add TARGET).
TARGETS ?= x86_64-unknown-linux-gnu
wheels: $(RELEASE)/.installed ## Wheels for Linux, in dist: one for all Pythons; TARGETS="x86_64-unknown-linux-gnu ..."
	for target in $(TARGETS); do \
		case $$target in *-musl) tag=musllinux_1_2;; *) tag=manylinux2014;; esac; \
		PATH="$$PWD/$(RELEASE)/bin:$$PATH" $(RELEASE)/bin/maturin build --release --locked --zig \
			--target $$target --compatibility $$tag --out dist || exit 1; \
	done

# The lock file of a source distribution lists the crates of its own members alone: those that cargo then puts beside it.
sdist: $(RELEASE)/.installed ## The source distribution, in dist, with vendored crates: it builds without a network
	rm -rf build/sdist
	$(RELEASE)/bin/maturin sdist --out build/sdist
	cd build/sdist && tar -xzf lcrs-*.tar.gz && rm lcrs-*.tar.gz && cd lcrs-* && mkdir .cargo \
		&& $(CARGO) vendor vendor >.cargo/config.toml 2>vendor.log \
		&& rm vendor.log && grep -q vendored-sources .cargo/config.toml
	! diff Cargo.lock build/sdist/lcrs-*/Cargo.lock | grep '^>' # nothing but what is not needed is gone
	mkdir -p dist
	cd build/sdist && tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf - lcrs-* \
		| gzip -9n >../../dist/$$(echo lcrs-*).tar.gz

crates: ## Packages the three crates as a registry would get them, and builds each from its package
	$(CARGO) package --locked --allow-dirty -p lcrs-core -p lcrs-format -p lcrs-codec

test-release: develop ## What lies in dist: wheels in bare environments, the source distribution without a network
	LCRS_TEST_SLOW=1 $(DEV)/bin/python -m pytest tests/release

# Programs of an environment lie elsewhere on Windows.
WHEEL_PYTHON := $(WHEEL)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)/python
test-wheel: export LCRS_TEST_SLOW = 1
test-wheel: ## The wheel in dist that fits this machine, whichever: golden files and the coder, without torch
	$(PYTHON) -m venv --clear $(WHEEL)
	$(WHEEL_PYTHON) -m pip install --quiet numpy pillow safetensors hypothesis pytest pytest-timeout pytest-xdist
	$(WHEEL_PYTHON) -m pip install --quiet --no-index --find-links dist lcrs
	$(WHEEL_PYTHON) -m pytest -n auto --dist worksteal --timeout 1800 tests/golden tests/coding tests/release/test_wheel.py

addresses: ## Write where the project lives: make addresses REPOSITORY=https://... DOCUMENTATION=https://...
	@$(PYTHON) tests/release/addresses.py -- "$(REPOSITORY)" "$(DOCUMENTATION)"

release-check: ## Whether everything that a release says is there
	@$(PYTHON) tests/release/addresses.py --check

# The wheel needs no torch; sources newer than the stamp rebuild it. The environment of developers, where it is, has
# the native module compiled already, for the same interpreter.
$(LIGHT)/.installed: pyproject.toml Cargo.toml Cargo.lock $(shell find rust python -name '*.rs' -o -name '*.py' -o -name '*.toml' -o -name '*.lcrm')
	@echo "Building lcrs and installing it into $(LIGHT), with NumPy, Pillow and safetensors: a few minutes, once"
	@$(PYTHON) -m venv --clear $(LIGHT)
	@rm -rf build/wheel
	if [ -e $(DEV)/.installed ]; then \
		$(DEV)/bin/maturin build --release --quiet --interpreter "$$PWD/$(DEV)/bin/python" --out build/wheel; \
	fi
	$(LIGHT)/bin/pip install --quiet $$(ls build/wheel/lcrs-*.whl 2>/dev/null || echo .)
	@du -sh $(LIGHT) | awk '{print "  done: " $$1 " in " $$2}'
	@touch $@

$(DEV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(DEV)
	$(DEV)/bin/pip install --quiet --editable ".[dev,docs]"
	@touch $@

$(RELEASE)/.installed: pyproject.toml
	$(PYTHON) -m venv $(RELEASE)
	$(RELEASE)/bin/pip install --quiet "maturin>=1.9,<2" ziglang
	@touch $@

clean: ## Remove what the other targets made
	rm -rf $(DEV) $(LIGHT) $(RELEASE) $(WHEEL) .venv-peers .venv-torch-oldest .venv-torch-newest target demo dist build
