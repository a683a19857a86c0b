# SPDX-License-Identifier: Apache-2.0
# The front door: `make help`. Set-up is .ci/setup; everything else is plain CMake, Ninja and CTest.

CONFIG ?= configs/quickstart.yaml
CTEST := ctest -j2 --output-on-failure --no-tests=error
# ThreadSanitizer of GCC 12 cannot start under strong address randomisation (vm.mmap_rnd_bits > 28).
TSAN_RUN = $(shell setarch --addr-no-randomize true 2>/dev/null && echo setarch --addr-no-randomize)
# Statistics take an hour under a sanitizer, and run no code that the other tests leave out; operators start no threads.
STATISTICS := MeanIsTheVector|ErrorIsWithin|StochasticSign|Dithering|Induced|Compose
THREADLESS := $(STATISTICS)|CompressorLaws|ForeignPayload|BrokenOperators|RandK|Then|Positions|Codes|Natural|SignOf|Cast|Format
# Clones of this tree share what ccache has compiled.
export CCACHE_BASEDIR ?= $(CURDIR)

.NOTPARALLEL:
.PHONY: help setup build build-tests train test test-all test-arm test-torch python format clean

help:
	@echo "make train     set up, build, and run $(CONFIG)"
	@echo "                 CONFIG=file.yaml, DATA=folder (data.root), ARGS='--nproc 4 optimizer.lr=0.1 ...'"
	@echo "make test      set up, build, and run the fast tests"
	@echo "make test-all  the slow tests as well, and the torch-free ones under the sanitizers"
	@echo "make test-arm  the core's bytes on aarch64: cross-built, its laws, golden files and kernels under qemu (slow)"
	@echo "make test-torch V=2.13.0   the tests that concern torch against another version (5 GB in build-torch-V)"
	@echo "make python    set up, and install the Python package beside its torch"
	@echo "make build     set up, and build the program build/gradwire"
	@echo "make setup     Debian packages (as root, only the missing ones), libtorch, CMake's configuration"
	@echo "make format    clang-format over the C++ files"
	@echo "make clean     delete the build folders; .venv stays"
	@echo "libtorch: TORCH_DIR=<site-packages>/torch, else the torch >= 2.11 of the python3 on PATH, else one in .venv"

setup:
	@.ci/setup

build: setup
	cmake --build build --target gradwire

train: build
	build/gradwire train $(CONFIG) $(if $(DATA),"data.root=$(DATA)") $(ARGS)

build-tests:
	@.ci/setup --tests
	cmake --build build

test: build-tests
	$(CTEST) --test-dir build -LE slow

test-all: build-tests
	$(CTEST) --test-dir build
	cmake --preset asan
	cmake --build build-asan
	$(CTEST) --test-dir build-asan -LE slow -E '$(STATISTICS)'
	cmake --preset tsan
	$(TSAN_RUN) cmake --build build-tsan
	$(TSAN_RUN) $(CTEST) --test-dir build-tsan -LE slow -E '$(THREADLESS)'

test-arm:
	@.ci/setup --arm
	cmake --build build-arm
	$(CTEST) --test-dir build-arm -E '$(STATISTICS)'

test-torch:
	@.ci/test-torch "$(V)"

python:
	@.ci/setup --python

format:
	find include src hooks train tests -name '*.h' -o -name '*.cc' | xargs $$(command -v clang-format-14 || echo clang-format) -i

clean:
	rm -rf build build-asan build-tsan build-arm build-wheel build-torch-*
