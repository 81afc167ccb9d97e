# A thin face: every rule is one command that can be typed by hand.
JOBS ?= $(shell nproc)
CTEST = ctest --test-dir build --output-on-failure --no-tests=error -j$(JOBS)

.PHONY: all setup configure build programs test test-external test-slow demo bench fuzz lint format clean

all: setup build

setup:
	@.ci/setup

configure:
	@mkdir -p build
	@cmake --preset release >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }

build: configure
	@cmake --build build -j$(JOBS)

# The default tests; the rest stand under the labels slow external browser fuzz bench gpu.
test: all
	@$(CTEST) -LE 'slow|external|browser|fuzz|bench|gpu'

# Reads the fixtures in place; without MORTISE_FIXTURES each test says that it is skipped.
test-external: all
	@$(CTEST) -L external

test-slow: all
	@$(CTEST) -L slow

# The programs, the SDK and the packs, without the tests.
programs: setup configure
	@cmake --build build -j$(JOBS) --target sdk/all schemas/all host/all plugins/all

demo: programs
	@python3 tests/e2e/demo.py

# Each prints its figures beside limits that it probes in the same run. The training step is compared with
# the peer's where MORTISE_PEERS and MORTISE_PEERS_ENV say where that lies.
bench: all
	@echo "== mortise bench check"; build/bin/mortise bench check
	@for program in build/bin/bench_*; do echo "== $$program"; OMP_WAIT_POLICY=passive $$program || exit 1; done
	@echo "== small_files"; python3 tests/bench/small_files.py
	@echo "== plugin_authors"; python3 tests/bench/plugin_authors.py --clean-build
	@if [ -n "$$MORTISE_PEERS" ]; then echo "== peers_60m"; python3 tests/bench/peers_60m.py; \
	 else echo "== peers_60m: not run, MORTISE_PEERS is not set (see tests/bench/peers_60m.py)"; fi

# Twenty seconds of each fuzzer, with sanitizers.
fuzz: setup
	@cmake --preset fuzz >/dev/null && cmake --build build-fuzz -j$(JOBS) --target fuzzers
	@ctest --test-dir build-fuzz --output-on-failure --no-tests=error -L fuzz

# Each file alone, as clang reads it.
lint: setup
	@cmake --preset lint >/dev/null && cmake --build build-lint -j$(JOBS) --target schemas/all >/dev/null
	@git ls-files 'host/*.cpp' | xargs -P$(JOBS) -n4 clang-tidy-16 -p build-lint --quiet

format:
	@git ls-files '*.cpp' '*.h' '*.hpp' '*.c' | xargs clang-format-16 -i

clean:
	@rm -rf build build-*
