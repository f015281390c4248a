# SPDX-License-Identifier: MIT
# PV front ends and the tiny guest runtime, freestanding. build/pv-frontends/libruntime.a is what a guest links.


FRONTS := pv-frontends
FRONTS_OUT := build/pv-frontends
FRONTS_DIRS := runtime ring xenbus blkfront netfront console
FRONTS_C := $(foreach d,$(FRONTS_DIRS),$(wildcard $(FRONTS)/$(d)/*.c))
FRONTS_S := $(foreach d,$(FRONTS_DIRS),$(wildcard $(FRONTS)/$(d)/*.S))
FRONTS_O := $(patsubst %.c,build/%.o,$(FRONTS_C)) $(patsubst %.S,build/%.S.o,$(FRONTS_S))
FRONTS_LIB := $(FRONTS_OUT)/libruntime.a

GUEST_WARN := -Wall -Wextra -Werror -Wshadow -Wundef -Wvla -Wcast-qual -Wconversion -Wmissing-prototypes \
              -Wimplicit-fallthrough -Wstrict-prototypes
# No red zone and no vector registers: traps are bounced onto the interrupted stack, at any instruction.
GUEST_CFLAGS := -std=gnu11 -O2 -g -ffreestanding -fno-builtin -fno-pic -fno-pie -mcmodel=kernel -mno-red-zone \
                -mgeneral-regs-only -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables \
                -fno-strict-aliasing -MMD -MP $(GUEST_WARN) $(foreach d,$(FRONTS_DIRS),-I$(FRONTS)/$(d))
GUEST_LDFLAGS := -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,max-page-size=4096 \
                 -Wl,-T,$(FRONTS)/runtime/runtime.lds

build/$(FRONTS)/%.o: $(FRONTS)/%.c
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
