# SPDX-License-Identifier: GPL-2.0-or-later
#
# Paravane: one Makefile, one <dir>/<dir>.mk per part, included below.
#
# The contract of a part's .mk file. It is read with the variables of this file already set, writes
# only below $(B), never recurses into another make, and does two things:
#
#   1. defines its rules (all paths from the top of the tree; order-only `| $(B)/dir` or mkdir -p $(@D));
#   2. appends (+=) to these lists, which this file turns into targets:
#
#   ALL_TARGETS    what `make all` builds: programs, libraries, build/paravane.
#   UNIT_TESTS     programs of the host build, one per module, run from the top of the tree without
#                  arguments. Exit status 0 means passed. A program that also prints a line
#                  "N passed, N failed" is counted with these numbers, any other as one test.
#   FUZZ_TARGETS   libFuzzer programs $(B)/fuzz/<name>; seeds in tests/fuzz/corpus/<name>/ (may be
#                  absent). `make check` replays the seeds and fuzzes FUZZ_CHECK_SECONDS each,
#                  `make fuzz` fuzzes FUZZ_SECONDS each.
#                  (Kernels that test the hypervisor from inside are tests/guest/*, see guest.mk.)
#   CHECK_TARGETS  phony targets that check something without running it (imports, layout, style);
#                  each counts as one test of `make check`.
#   DOM0_FILES     what the part puts into build/dom0.img, as <file>:<absolute path in the image>;
#                  shared libraries a program needs come along by themselves. DOMU_FILES likewise
#                  for the small guest, build/domu.img.
#
# Names others rely on: build/paravane (the multiboot image), build/dom0.img, build/bin/vane,
# `make -s print-kernel` (path of Debian's vmlinuz, fetched from its package).

B        := build
PKGS     ?= $(B)/pkgs
CC       := gcc
CLANG    := clang
PYTHON   := python3

FUZZ_SECONDS       ?= 300
FUZZ_CHECK_SECONDS ?= 5

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wundef -Wvla -Wcast-qual -Wconversion \
            -Wmissing-prototypes -Wimplicit-fallthrough
HOST_CFLAGS := -std=gnu11 -O2 -g $(WARNINGS)
SANITIZE    := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

ALL_TARGETS   :=
UNIT_TESTS    :=
FUZZ_TARGETS  :=
CHECK_TARGETS :=
DOM0_FILES    :=
DOMU_FILES    :=

# What this machine lacks is installed before anything else is read: some rules look for libraries when make
# reads them. Silent and offline when all is there.
ifneq ($(filter-out clean,$(or $(MAKECMDGOALS),all)),)
ifneq ($(shell tests/rig/deps.sh host >&2 && echo ready),ready)
$(error packages are missing and could not be installed: see the message above)
endif
endif

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
.SECONDEXPANSION:

PARTS := xenstore-schema hypervisor dom0-tools pv-frontends tests
-include $(foreach part,$(PARTS),$(part)/$(part).mk)

.PHONY: all run check unit guest-tests system bench fuzz iso soak coverage clean deps print-kernel

all: $(ALL_TARGETS)

# Only what make wrote; fetched packages stay (rm -r build removes them too).
clean:
	find $(B) -mindepth 1 -maxdepth 1 ! -name pkgs -exec rm -rf {} +
