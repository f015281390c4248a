# SPDX-License-Identifier: GPL-2.0-or-later
# Test guests: every folder here but harness/ becomes build/guests/<folder>.elf.

GUEST_DIR := tests/guest
GUEST_NAMES := $(filter-out harness,$(patsubst $(GUEST_DIR)/%/,%,$(sort $(dir $(wildcard $(GUEST_DIR)/*/*.c)))))
GUEST_ELFS := $(patsubst %,build/guests/%.elf,$(GUEST_NAMES))

build/$(GUEST_DIR)/%.o: $(GUEST_DIR)/%.c
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS) -I$(GUEST_DIR)/harness -c $< -o $@

build/$(GUEST_DIR)/%.S.o: $(GUEST_DIR)/%.S
	@mkdir -p $(@D)
	$(CC) -c $< -o $@

# The fuzzer's grammar is shared with its twin on the host (tests/fuzz/hypervisor/twin).
GRAMMAR := tests/fuzz/hypercall
GRAMMAR_C := $(wildcard $(GRAMMAR)/*.c)
build/$(GUEST_DIR)/fuzz/grammar/%.o: $(GRAMMAR)/%.c
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS) -D__XEN_TOOLS__ -I$(GUEST_DIR)/harness -I$(GUEST_DIR)/fuzz -I$(GRAMMAR) -c $< -o $@
build/$(GUEST_DIR)/fuzz/main.o: GUEST_CFLAGS += -I$(GUEST_DIR)/fuzz -I$(GRAMMAR)
build/guests/fuzz.elf: $(patsubst $(GRAMMAR)/%.c,build/$(GUEST_DIR)/fuzz/grammar/%.o,$(GRAMMAR_C))
-include $(patsubst $(GRAMMAR)/%.c,build/$(GUEST_DIR)/fuzz/grammar/%.d,$(GRAMMAR_C))

HARNESS_LIB := build/$(GUEST_DIR)/libharness.a
HARNESS_O := $(patsubst %.c,build/%.o,$(filter-out %/harness.c,$(wildcard $(GUEST_DIR)/harness/*.c)))
$(HARNESS_LIB): $(HARNESS_O)
	@rm -f $@
	$(AR) rcs $@ $^

# harness.c carries the guest's name, so it is compiled once for each.
define guest_rules
build/$(GUEST_DIR)/$(1)/harness.o: $(GUEST_DIR)/harness/harness.c
	@mkdir -p $$(@D)
	$$(CC) $$(GUEST_CFLAGS) -I$(GUEST_DIR)/harness -DGUEST_NAME='"$(1)"' -c $$< -o $$@

build/guests/$(1).elf: $(patsubst %.c,build/%.o,$(wildcard $(GUEST_DIR)/$(1)/*.c)) \
                       $(patsubst %.S,build/%.S.o,$(wildcard $(GUEST_DIR)/$(1)/*.S)) \
                       build/$(GUEST_DIR)/$(1)/harness.o $(HARNESS_LIB) $(FRONTS_LIB) $(FRONTS)/runtime/runtime.lds
	@mkdir -p $$(@D)
	$$(CC) $$(GUEST_LDFLAGS) -Wl,--strip-debug $$(filter %.o,$$^) -Wl,--start-group $(HARNESS_LIB) $(FRONTS_LIB) -Wl,--end-group -o $$@

-include $(patsubst %.c,build/%.d,$(wildcard $(GUEST_DIR)/$(1)/*.c)) build/$(GUEST_DIR)/$(1)/harness.d
endef
$(foreach g,$(GUEST_NAMES),$(eval $(call guest_rules,$(g))))

-include $(HARNESS_O:.o=.d)

ALL_TARGETS += $(GUEST_ELFS)
guests: $(GUEST_ELFS)

# HV=paravane (default) or xen; GUESTS="hello traps" for some of them.
HV ?= paravane
guest-tests: guests $(if $(filter paravane,$(HV)),$(B)/paravane)
	tests/guest/run.py --hv $(HV) $(GUESTS)
.PHONY: guests guest-tests

# Many seeds, two vCPUs racing: FUZZ_SEEDS="1 2 3" FUZZ_CALLS=n operations a vCPU; the defaults are more than 10^7
# hypercalls. A failing run is repeated by its seed.
FUZZ_SEEDS ?= 1 2 3 4 5 6 7 8
FUZZ_CALLS ?= 700000
guest-fuzz: guests
	for seed in $(FUZZ_SEEDS); do \
	    tests/guest/run.py --hv $(HV) --timeout 7200 --args "seed=$$seed calls=$(FUZZ_CALLS)" fuzz || exit 1; done
.PHONY: guest-fuzz

# Each item of the hostile list, H1..H113, is named by a test, or docs/caveats.md says why it is not shown.
check-hardening:
	@{ grep -rhow 'H[0-9]*' --include='*.c' tests/guest tests/unit tests/fuzz; \
	   sed -n '/^## Hostile-guest items/,/^## Front/p' docs/caveats.md | grep -ow 'H[0-9]*'; } | sort -u >$(B)/hardening.have
	@missing=$$(seq -f H%g 113 | sort | comm -23 - $(B)/hardening.have); \
	    [ -z "$$missing" ] || { echo "no test names, and docs/caveats.md does not explain:" $$missing; exit 1; }
CHECK_TARGETS += check-hardening
.PHONY: check-hardening

# What the hostile suite repeats, as often as its items ask for: a million rounds of a race, a thousand destructions at
# random, a minute of scribbling (H26, H27, H46, H58, H65, H68, H97, H103); and vCPUs that start and stop with 8 on 2 CPUs.
guest-soak: guests $(if $(filter paravane,$(HV)),$(B)/paravane)
	tests/guest/run.py --hv $(HV) --domu --scenarios --timeout 7200 --args long
	tests/guest/run.py --hv $(HV) --timeout 3600 --append dom0_max_vcpus=8 --args long h-vcpu
.PHONY: guest-soak

# The guests that need devices, as files of Dom0.
TINY := hello disk net worker smp traveller
$(B)/tiny.img: tests/image/mkimage.py $(GUEST_DIR)/tiny.list $(TINY:%=$(B)/guests/%.elf) $(PKGS)/ready
	tests/image/mkimage.py --root $(PKGS)/root --list $(GUEST_DIR)/tiny.list \
	    $(foreach g,$(TINY),--add $(B)/guests/$(g).elf:/tiny/$(g).elf) --output $@
IMAGES += $(B)/tiny.img
ALL_TARGETS += $(B)/tiny.img
