# SPDX-License-Identifier: GPL-2.0-or-later
# The hypervisor: one metal image, and the same portable sources as a host library for tests and fuzzers.

HV_BUILD := $(B)/hypervisor

# Folders whose code never touches the machine but through machine.h; compiled twice. Files named *_metal.c or
# *.S are for the machine only. cpu/ and boot/ hold a few portable files, listed here.
HV_PORTABLE_DIRS := lib mm domain sched time event grant irq hypercall dom0 emul console
HV_PORTABLE := $(filter-out %_metal.c,$(foreach d,$(HV_PORTABLE_DIRS),$(wildcard hypervisor/$(d)/*.c))) \
	$(wildcard hypervisor/cpu/cpuid_policy*.c hypervisor/boot/acpi*.c hypervisor/boot/cmdline.c)
HV_METAL := $(filter-out $(HV_PORTABLE),$(foreach d,$(HV_PORTABLE_DIRS) boot entry cpu,$(wildcard hypervisor/$(d)/*.c)) \
	$(wildcard hypervisor/lib/metal/*.c))
HV_METAL := $(filter-out hypervisor/entry/asm_offsets.c,$(HV_METAL))
HV_ASM := $(foreach d,boot entry cpu,$(wildcard hypervisor/$(d)/*.S))

HV_WARN := -Wall -Wextra -Werror -Wshadow -Wundef -Wvla -Wcast-qual -Wconversion -Wmissing-prototypes \
	-Wimplicit-fallthrough -Wstrict-prototypes -Wno-error=unused-but-set-variable
HV_CPP := -Ihypervisor -Ihypervisor/include -D__XEN_TOOLS__
HV_TYPES := -include hypervisor/include/types.h
HV_HIDDEN := -include hypervisor/lib/metal/visibility.h
HV_CFLAGS := -std=gnu11 -O2 -g -MMD -MP $(HV_WARN) $(HV_CPP) $(HV_HIDDEN) $(HV_TYPES) -Ihypervisor/lib/metal -I$(HV_BUILD)/gen \
	-ffreestanding -fpie -fvisibility=hidden -mno-red-zone -mgeneral-regs-only -fno-stack-protector \
	-fno-strict-aliasing -fno-common -fcf-protection=none -fno-asynchronous-unwind-tables -fno-jump-tables \
	-fno-tree-vectorize -fno-tree-loop-distribute-patterns -Wframe-larger-than=2048

HV_OBJS := $(patsubst hypervisor/%.c,$(HV_BUILD)/%.o,$(HV_PORTABLE) $(HV_METAL)) \
	$(patsubst hypervisor/%.S,$(HV_BUILD)/%.S.o,$(HV_ASM))

ALL_TARGETS += $(B)/paravane

# Boot-only decoders of the kernel's payload: Debian's static libraries (xz, zstd, zlib), fed by dom0/.
HV_LIBS := $(foreach l,zstd z,$(shell $(CC) -print-file-name=lib$(l).a))
HV_HOST_LIBS += -llzma -lzstd -lz

$(HV_BUILD)/gen/asm_offsets.h: hypervisor/entry/asm_offsets.c
	@mkdir -p $(@D)
	$(CC) $(filter-out -MMD -MP,$(HV_CFLAGS)) -MMD -MP -MT $@ -MF $(@:.h=.d) -S -o $(@:.h=.s) $<
	sed -n 's/^->\([A-Z0-9a-z_]*\) \$$*\(-\{0,1\}[0-9]*\).*/#define \1 \2/p' $(@:.h=.s) > $@

$(HV_BUILD)/%.o: hypervisor/%.c
	@mkdir -p $(@D)
	$(CC) $(HV_CFLAGS) -c -o $@ $<

$(HV_BUILD)/%.S.o: hypervisor/%.S $(HV_BUILD)/gen/asm_offsets.h
	@mkdir -p $(@D)
	$(CC) -g -MMD -MP $(HV_CPP) -I$(HV_BUILD)/gen -D__ASSEMBLY__ -c -o $@ $<

$(B)/paravane.elf: $(HV_OBJS) hypervisor/hypervisor.lds
	$(LD) -nostdlib -static -no-pie -z noexecstack --no-warn-rwx-segments -z max-page-size=4096 --build-id=none -T hypervisor/hypervisor.lds \
		-o $@ $(HV_OBJS) $(HV_LIBS)

# A flat image: both multiboot headers carry load addresses, so QEMU and GRUB need no ELF.
$(B)/paravane: $(B)/paravane.elf
	objcopy -O binary $< $@

# ---- the same code on the host ----

HV_SAN := -fsanitize=address,undefined -fno-sanitize-recover=all
HV_HOST_CFLAGS := -std=gnu11 -O1 -g -MMD -MP $(HV_WARN) $(HV_CPP) $(HV_TYPES) -fno-strict-aliasing -fno-omit-frame-pointer -pthread

HV_HOST_OBJS := $(patsubst %.c,$(HV_BUILD)/host/%.o,$(HV_PORTABLE) $(wildcard tests/fakes/*.c))
HV_FUZZ_OBJS := $(patsubst %.c,$(HV_BUILD)/fuzz/%.o,$(HV_PORTABLE) $(wildcard tests/fakes/*.c))

$(HV_BUILD)/host/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(HV_HOST_CFLAGS) -Itests/fakes $(HV_SAN) -c -o $@ $<

$(HV_BUILD)/libhv_host.a: $(HV_HOST_OBJS)
	rm -f $@ && ar rcs $@ $^

HV_UNIT := $(patsubst tests/unit/hypervisor/%.c,$(B)/unit/hypervisor/%,$(wildcard tests/unit/hypervisor/*_test.c))
UNIT_TESTS += $(HV_UNIT)

# domain_fake.o goes first: its weak look-ups win in tests that do not pull in domain.c for another reason.
$(B)/unit/hypervisor/%: $(HV_BUILD)/host/tests/unit/hypervisor/%.o $(HV_BUILD)/host/tests/fakes/domain_fake.o $(HV_BUILD)/libhv_host.a
	@mkdir -p $(@D)
	$(CC) $(HV_SAN) -pthread -o $@ $^ $(HV_HOST_LIBS) -lcunit

# The same once more under ThreadSanitizer, for what runs on several CPUs without a lock: make tsan
HV_TSAN_TESTS := event fifo time sched grant mm_race vcpu_race
HV_TSAN_OBJS := $(patsubst %.c,$(HV_BUILD)/tsan/%.o,$(HV_PORTABLE) $(wildcard tests/fakes/*.c tests/fakes/tsan/*.c))

$(HV_BUILD)/tsan/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(HV_HOST_CFLAGS) -Itests/fakes -fsanitize=thread --param tsan-distinguish-volatile=1 -c -o $@ $<

$(HV_BUILD)/libhv_tsan.a: $(HV_TSAN_OBJS)
	rm -f $@ && ar rcs $@ $^

$(B)/tsan/%: $(HV_BUILD)/tsan/tests/unit/hypervisor/%.o $(HV_BUILD)/tsan/tests/fakes/domain_fake.o $(HV_BUILD)/libhv_tsan.a
	@mkdir -p $(@D)
	$(CC) -fsanitize=thread -pthread -o $@ $^ $(HV_HOST_LIBS) -lcunit

TSAN_RUN := TSAN_OPTIONS=halt_on_error=1:suppressions=tests/fakes/tsan/suppressions

.PHONY: tsan
tsan: $(patsubst %,$(B)/tsan/%_test,$(HV_TSAN_TESTS)) $(B)/tsan/hypercall_twin
	for t in $(filter %_test,$^); do $(TSAN_RUN) $$t || exit 1; done
	$(TSAN_RUN) $(B)/tsan/hypercall_twin seed=$(TWIN_SEED) steps=20000 calls=500000 threads quiet

# docs/locking.md carries the table of include/lock_rank.h.
LOCK_TABLE = sed -n 's/^ *X(\([A-Z]*\), *"\(.*\)").*/| \1 | \2 |/p' hypervisor/include/lock_rank.h

.PHONY: docs-locking check-locking
docs-locking:
	{ sed '/^| [A-Z]/d' docs/locking.md; $(LOCK_TABLE); } > $(B)/locking.md && mv $(B)/locking.md docs/locking.md

check-locking:
	@grep '^| [A-Z]' docs/locking.md > $(B)/locking.have; $(LOCK_TABLE) | diff $(B)/locking.have - || \
	    { echo "docs/locking.md is out of date: make docs-locking"; exit 1; }

CHECK_TARGETS += check-locking

# The hypercall fuzzer's twin: the grammar of the fuzzer guest drives the portable hypervisor through its hypercall table.
TWIN_C := $(wildcard tests/fuzz/hypercall/*.c) $(filter-out %/main.c,$(wildcard tests/fuzz/hypervisor/twin/*.c))
TWIN_MAIN := tests/fuzz/hypervisor/twin/main.c
TWIN_CPP := -Itests/fuzz/hypercall -Itests/fuzz/hypervisor/twin
$(HV_BUILD)/host/tests/fuzz/%.o $(HV_BUILD)/tsan/tests/fuzz/%.o $(HV_BUILD)/fuzz/tests/fuzz/%.o: HV_HOST_CFLAGS += $(TWIN_CPP)

$(B)/fuzz/hypercall_twin: $(patsubst %.c,$(HV_BUILD)/host/%.o,$(TWIN_C) $(TWIN_MAIN)) $(HV_BUILD)/libhv_host.a
	@mkdir -p $(@D)
	$(CC) $(HV_SAN) -pthread -o $@ $^ $(HV_HOST_LIBS)

# Repeatable on one thread, racing on two. The long run: make twin TWIN_CALLS=n TWIN_SEED=n (part of make fuzz).
$(B)/tsan/hypercall_twin: $(patsubst %.c,$(HV_BUILD)/tsan/%.o,$(TWIN_C) $(TWIN_MAIN)) $(HV_BUILD)/libhv_tsan.a
	@mkdir -p $(@D)
	$(CC) -fsanitize=thread -pthread -o $@ $^ $(HV_HOST_LIBS)

TWIN_CALLS ?= 100000000
TWIN_SEED ?= 1
.PHONY: check-twin twin
check-twin: $(B)/fuzz/hypercall_twin
	@$< seed=1 calls=300000 > $(B)/twin.txt && $< seed=1 calls=100000 threads >> $(B)/twin.txt || { tail -5 $(B)/twin.txt; exit 1; }

twin: $(B)/fuzz/hypercall_twin
	$< seed=$(TWIN_SEED) calls=$(TWIN_CALLS)
	$< seed=$(TWIN_SEED) calls=$$(($(TWIN_CALLS) / 10)) threads

CHECK_TARGETS += check-twin
check: $(B)/fuzz/hypercall_twin

$(B)/fuzz/hypervisor/hypercall_fuzz: $(patsubst %.c,$(HV_BUILD)/fuzz/%.o,$(TWIN_C))

-include $(patsubst %.c,$(HV_BUILD)/host/%.d,$(TWIN_C) $(TWIN_MAIN)) $(patsubst %.c,$(HV_BUILD)/fuzz/%.d,$(TWIN_C))

# libFuzzer targets: tests/fuzz/hypervisor/<name>_fuzz.c
HV_FUZZ := $(patsubst tests/fuzz/hypervisor/%.c,$(B)/fuzz/hypervisor/%,$(wildcard tests/fuzz/hypervisor/*_fuzz.c))
FUZZ_TARGETS += $(HV_FUZZ)

$(HV_BUILD)/fuzz/%.o: %.c
	@mkdir -p $(@D)
	clang-14 $(HV_HOST_CFLAGS) -Wno-unknown-warning-option -Wno-gnu-folding-constant -Wno-implicit-int-conversion -Wno-sign-conversion -Wno-implicit-fallthrough -Itests/fakes \
		-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -c -o $@ $<

$(HV_BUILD)/libhv_fuzz.a: $(HV_FUZZ_OBJS)
	rm -f $@ && ar rcs $@ $^

$(B)/fuzz/hypervisor/%: $(HV_BUILD)/fuzz/tests/fuzz/hypervisor/%.o $(HV_BUILD)/fuzz/tests/fakes/domain_fake.o $(HV_BUILD)/libhv_fuzz.a
	@mkdir -p $(@D)
	clang-14 -fsanitize=fuzzer,address,undefined -pthread -o $@ $(filter %.o,$^) $(filter %.a,$^) $(HV_HOST_LIBS)

.SECONDARY:
-include $(HV_OBJS:.o=.d) $(HV_HOST_OBJS:.o=.d) $(HV_FUZZ_OBJS:.o=.d) $(HV_TSAN_OBJS:.o=.d) $(HV_BUILD)/gen/asm_offsets.d
-include $(patsubst %.c,$(HV_BUILD)/host/%.d,$(wildcard tests/unit/hypervisor/*_test.c))
-include $(patsubst %.c,$(HV_BUILD)/fuzz/%.d,$(wildcard tests/fuzz/hypervisor/*_fuzz.c))
