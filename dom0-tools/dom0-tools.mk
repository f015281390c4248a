# SPDX-License-Identifier: GPL-2.0-or-later
#
# libvane (everything but cli/ and vaned's own loop), vane and vaned.

VANE_CFLAGS := -D_GNU_SOURCE $(STORE_CFLAGS)
VANE_LIBS   := -lxenctrl -lxenforeignmemory -lxenevtchn -lxengnttab -lxenstore -lxentoollog \
               -lxlutil -lxenlight -lxenguest -ljson-c -lmnl -lz -lbz2 -llzma -llz4 -lzstd -lxxhash
VANE_DIRS   := lib builder devices config stream
VANE_LIB_C  := $(sort $(foreach d,$(VANE_DIRS),$(wildcard dom0-tools/$(d)/*.c))) \
               dom0-tools/daemon/client.c dom0-tools/daemon/metrics.c dom0-tools/daemon/policy.c
VANE_LIB    := $(B)/lib/libvane.a
VANE_CLI_C  := $(sort $(wildcard dom0-tools/cli/*.c))
VANED_C     := $(filter-out $(VANE_LIB_C),$(sort $(wildcard dom0-tools/daemon/*.c)))

ALL_TARGETS += $(B)/bin/vane $(B)/bin/vaned
DOM0_FILES  += $(B)/bin/vane:/usr/sbin/vane $(B)/bin/vaned:/usr/sbin/vaned $(B)/bin/vane:/usr/lib/vane/bin/xl

vane_objs = $(patsubst %.c,$(B)/%.o,$(1))

$(B)/dom0-tools/%.o: dom0-tools/%.c | $(STORE_GEN)
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) $(VANE_CFLAGS) -MMD -MP -c -o $@ $<

$(VANE_LIB): $(call vane_objs,$(VANE_LIB_C))
	@mkdir -p $(@D)
	rm -f $@
	ar rcs $@ $^

$(B)/bin/vane: $(call vane_objs,$(VANE_CLI_C)) $(VANE_LIB) $(VANE_STORE_LIB) $(STORE_LIB)
	@mkdir -p $(@D)
	$(CC) -o $@ $^ $(VANE_LIBS)

$(B)/bin/vaned: $(call vane_objs,$(VANED_C)) $(VANE_LIB) $(VANE_STORE_LIB) $(STORE_LIB)
	@mkdir -p $(@D)
	$(CC) -o $@ $^ $(VANE_LIBS)

-include $(wildcard $(B)/dom0-tools/*/*.d)

# Tests: the pure parts under the sanitizers, with guest memory faked where the builder needs it.
VANE_TEST_PURE := dom0-tools/builder/unpack.c dom0-tools/builder/elf.c dom0-tools/builder/build.c
VANE_TEST_CFG  := $(sort $(wildcard dom0-tools/config/*.c)) dom0-tools/lib/vane.c dom0-tools/lib/uuid.c
VANE_TESTS     := $(patsubst tests/unit/dom0-tools/%.c,$(B)/unit/dom0-tools/%,\
                    $(wildcard tests/unit/dom0-tools/*_test.c))
VANE_FUZZERS   := $(patsubst tests/fuzz/dom0-tools/%.c,$(B)/fuzz/dom0-tools/%,\
                    $(wildcard tests/fuzz/dom0-tools/*_fuzz.c))
UNIT_TESTS     += $(VANE_TESTS)
FUZZ_TARGETS   += $(VANE_FUZZERS)

$(B)/unit/dom0-tools/kernel_test: $(filter-out %/build.c,$(VANE_TEST_PURE))
$(B)/unit/dom0-tools/build_test $(B)/fuzz/dom0-tools/kernel_fuzz: $(VANE_TEST_PURE)
$(B)/unit/dom0-tools/config_test $(B)/fuzz/dom0-tools/config_fuzz: $(VANE_TEST_CFG)
$(B)/unit/dom0-tools/stream_test $(B)/fuzz/dom0-tools/stream_fuzz: $(VANE_TEST_CFG) \
    $(addprefix dom0-tools/stream/,stream_in.c stream_out.c pack.c codec.c token_bucket.c)
$(B)/unit/dom0-tools/precopy_test: $(addprefix dom0-tools/stream/,precopy.c token_bucket.c)
$(B)/unit/dom0-tools/policy_test: dom0-tools/daemon/policy.c

$(B)/unit/dom0-tools/%: tests/unit/dom0-tools/%.c $(wildcard tests/unit/dom0-tools/*.h dom0-tools/*/*.h)
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) $(SANITIZE) $(VANE_CFLAGS) -o $@ $(filter %.c,$^) -lcunit $(VANE_LIBS)

$(B)/fuzz/dom0-tools/%: tests/fuzz/dom0-tools/%.c $(wildcard tests/unit/dom0-tools/*.h dom0-tools/*/*.h)
	@mkdir -p $(@D)
	$(CLANG) $(HOST_CFLAGS) $(VANE_CFLAGS) -fsanitize=fuzzer,address,undefined \
	    -fno-sanitize-recover=all -o $@ $(filter %.c,$^) $(VANE_LIBS)
