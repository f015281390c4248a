# SPDX-License-Identifier: MIT
# PV front ends and the tiny guest runtime, freestanding. build/pv-frontends/libruntime.a is what a guest links.


FRONTS := pv-frontends
FRONTS_OUT := build/pv-frontends
FRONTS_DIRS := runtime ring xenbus blkfront netfront console
FRONTS_C := $(foreach d,$(FRONTS_DIRS),$(wildcard $(FRONTS)/$(d)/*.c))
FRONTS_S := $(foreach d,$(FRONTS_DIRS),$(wildcard $(FRONTS)/$(d)/*.S))
FRONTS_O := $(patsubst %.c,build/%.o,$(FRONTS_C)) $(patsubst %.S,build/%.S.o,$(FRONTS_S)) \
            $(patsubst %.c,$(FRONTS_OUT)/%.o,$(STORE_SRC))
FRONTS_LIB := $(FRONTS_OUT)/libruntime.a

GUEST_WARN := -Wall -Wextra -Werror -Wshadow -Wundef -Wvla -Wcast-qual -Wconversion -Wmissing-prototypes \
              -Wimplicit-fallthrough -Wstrict-prototypes
# No red zone and no vector registers: traps are bounced onto the interrupted stack, at any instruction.
GUEST_CFLAGS := -std=gnu11 -O2 -g -ffreestanding -fno-builtin -fno-pic -fno-pie -mcmodel=kernel -mno-red-zone \
                -mgeneral-regs-only -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables \
                -fno-strict-aliasing -MMD -MP $(GUEST_WARN) $(foreach d,$(FRONTS_DIRS),-I$(FRONTS)/$(d)) $(STORE_CFLAGS)
GUEST_LDFLAGS := -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,max-page-size=4096 \
                 -Wl,-T,$(FRONTS)/runtime/runtime.lds

build/$(FRONTS)/%.o: $(FRONTS)/%.c | $(STORE_GEN)
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS) -c $< -o $@

$(FRONTS_OUT)/%.o: %.c | $(STORE_GEN)
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS) -c $< -o $@

build/$(FRONTS)/%.S.o: $(FRONTS)/%.S
	@mkdir -p $(@D)
	$(CC) -DVIRT_BASE=0xffffffff80000000 -MMD -MP -c $< -o $@

$(FRONTS_LIB): $(FRONTS_O)
	@rm -f $@
	$(AR) rcs $@ $^

pv-frontends: $(FRONTS_LIB)
.PHONY: pv-frontends

ALL_TARGETS += $(FRONTS_LIB)

-include $(FRONTS_O:.o=.d)

# ---- the same modules on the host, against a peer that may lie

FRONTS_HOST_C := $(foreach d,ring xenbus blkfront netfront console,$(wildcard $(FRONTS)/$(d)/*.c)) \
                 $(STORE_SRC) tests/unit/pv-frontends/peer.c
FRONTS_HOST_FLAGS := $(HOST_CFLAGS) -Wno-conversion -Wno-format-truncation -Wno-unknown-warning-option -fno-strict-aliasing -MMD -MP -Itests/unit/pv-frontends \
                     $(foreach d,ring xenbus blkfront netfront console,-I$(FRONTS)/$(d)) $(STORE_CFLAGS)
FRONTS_HOST_O := $(patsubst %.c,$(B)/pv-frontends/host/%.o,$(FRONTS_HOST_C))
FRONTS_FUZZ_O := $(patsubst %.c,$(B)/pv-frontends/fuzz/%.o,$(FRONTS_HOST_C))
FRONTS_UNIT := $(patsubst tests/unit/pv-frontends/%.c,$(B)/unit/pv-frontends/%,$(wildcard tests/unit/pv-frontends/*_test.c))
FRONTS_FUZZ := $(patsubst tests/fuzz/pv-frontends/%.c,$(B)/fuzz/pv-frontends/%,$(wildcard tests/fuzz/pv-frontends/*_fuzz.c))
UNIT_TESTS += $(FRONTS_UNIT)
FUZZ_TARGETS += $(FRONTS_FUZZ)

$(B)/pv-frontends/host/%.o: %.c | $(STORE_GEN)
	@mkdir -p $(@D)
	$(CC) $(FRONTS_HOST_FLAGS) $(SANITIZE) -c $< -o $@

$(B)/pv-frontends/fuzz/%.o: %.c | $(STORE_GEN)
	@mkdir -p $(@D)
	$(CLANG) $(FRONTS_HOST_FLAGS) -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -c $< -o $@

$(B)/unit/pv-frontends/%: $(B)/pv-frontends/host/tests/unit/pv-frontends/%.o $(FRONTS_HOST_O)
	@mkdir -p $(@D)
	$(CC) $(SANITIZE) -o $@ $^ -lcunit

FRONTS_SCRIBBLE_O := $(B)/pv-frontends/fuzz/tests/fuzz/pv-frontends/scribble.o

$(B)/fuzz/pv-frontends/%: $(B)/pv-frontends/fuzz/tests/fuzz/pv-frontends/%.o $(FRONTS_SCRIBBLE_O) $(FRONTS_FUZZ_O)
	@mkdir -p $(@D)
	$(CLANG) -fsanitize=fuzzer,address,undefined -o $@ $^

-include $(FRONTS_HOST_O:.o=.d) $(FRONTS_FUZZ_O:.o=.d) $(FRONTS_SCRIBBLE_O:.o=.d)
