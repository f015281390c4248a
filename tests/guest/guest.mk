# SPDX-License-Identifier: GPL-2.0-or-later
# Test guests: every folder here but harness/ becomes build/guests/<folder>.elf.

GUEST_DIR := tests/guest
GUEST_NAMES := $(filter-out harness,$(patsubst $(GUEST_DIR)/%/,%,$(sort $(dir $(wildcard $(GUEST_DIR)/*/*.c)))))
GUEST_ELFS := $(patsubst %,build/guests/%.elf,$(GUEST_NAMES))

build/$(GUEST_DIR)/%.o: $(GUEST_DIR)/%.c
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS) -I$(GUEST_DIR)/harness -c $< -o $@

# The harness carries the guest's name, so it is compiled once for each.
define guest_rules
build/$(GUEST_DIR)/$(1)/harness.o: $(GUEST_DIR)/harness/harness.c
	@mkdir -p $$(@D)
	$$(CC) $$(GUEST_CFLAGS) -I$(GUEST_DIR)/harness -DGUEST_NAME='"$(1)"' -c $$< -o $$@

build/guests/$(1).elf: $(patsubst %.c,build/%.o,$(wildcard $(GUEST_DIR)/$(1)/*.c)) \
                       build/$(GUEST_DIR)/$(1)/harness.o $(FRONTS_LIB) $(FRONTS)/runtime/runtime.lds
	@mkdir -p $$(@D)
	$$(CC) $$(GUEST_LDFLAGS) $$(filter %.o,$$^) -Wl,--whole-archive $(FRONTS_LIB) -Wl,--no-whole-archive -o $$@

-include $(patsubst %.c,build/%.d,$(wildcard $(GUEST_DIR)/$(1)/*.c)) build/$(GUEST_DIR)/$(1)/harness.d
endef
$(foreach g,$(GUEST_NAMES),$(eval $(call guest_rules,$(g))))

ALL_TARGETS += $(GUEST_ELFS)
guests: $(GUEST_ELFS)

# HV=paravane (default) or xen; GUESTS="hello traps" for some of them.
HV ?= paravane
guest-tests: guests
	tests/guest/run.py --hv $(HV) $(GUESTS)
.PHONY: guests guest-tests
