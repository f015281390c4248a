# SPDX-License-Identifier: GPL-2.0-or-later
#
# libvane (everything but cli/ and vaned's own loop), vaned, and vane twice: build/bin/vane is all of it in one
# program; Dom0's image has it as vane-full, and as vane the front that hands short commands to vaned's worker.

VANE_CFLAGS := -D_GNU_SOURCE $(STORE_CFLAGS) -iquote hypervisor -iquote hypervisor/include
# What can be linked in is: loading twenty shared libraries takes longer than all else of `vane destroy`
# (docs/performance.md). Not libxenstore: its archive is built without the thread that receives watch events.
VANE_LIBS   := -Wl,-Bstatic -Wl,--start-group -lxenctrl -lxenforeignmemory -lxenevtchn -lxengnttab \
               -lxentoollog -lxencall -lxendevicemodel -lxentoolcore -lxenhypfs -lxlutil -lxenlight -lxenguest \
               -lyajl_s -luuid -ljson-c -lz -lbz2 -llzma -llz4 -lzstd -lxxhash -Wl,--end-group -Wl,-Bdynamic -lxenstore \
               -lmnl
VANE_DIRS   := lib builder devices config stream migrate
VANE_LIB_C  := $(sort $(foreach d,$(VANE_DIRS),$(wildcard dom0-tools/$(d)/*.c))) \
               dom0-tools/daemon/client.c dom0-tools/daemon/metrics.c dom0-tools/daemon/policy.c
VANE_XZ_C   := hypervisor/dom0/xz.c hypervisor/dom0/lzma2.c
VANE_LIB    := $(B)/lib/libvane.a
VANE_CLI_C  := $(sort $(wildcard dom0-tools/cli/*.c))
VANED_C     := $(filter-out $(VANE_LIB_C),$(sort $(wildcard dom0-tools/daemon/*.c)))

ALL_TARGETS += $(B)/bin/vane $(B)/bin/vane-front $(B)/bin/vaned
DOM0_FILES  += $(B)/bin/vane-front:/usr/sbin/vane $(B)/bin/vane:/usr/sbin/vane-full $(B)/bin/vaned:/usr/sbin/vaned \
               $(B)/bin/vane-front:/usr/lib/vane/bin/xl

vane_objs = $(patsubst %.c,$(B)/%.o,$(1))

$(B)/dom0-tools/%.o: dom0-tools/%.c | $(STORE_GEN)
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) $(VANE_CFLAGS) -MMD -MP -c -o $@ $<

# The hypervisor's xz decoder (see builder/unpack.c).
VANE_XZ_O := $(VANE_XZ_C:hypervisor/dom0/%.c=$(B)/dom0-tools/builder/hv_%.o)
$(VANE_XZ_O): $(B)/dom0-tools/builder/hv_%.o: hypervisor/dom0/%.c
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) $(VANE_CFLAGS) -MMD -MP -c -o $@ $<

$(VANE_LIB): $(call vane_objs,$(VANE_LIB_C)) $(VANE_XZ_O)
	@mkdir -p $(@D)
	rm -f $@
	ar rcs $@ $^

# What people call: static, so that it starts in a third of the time (front/front.c).
$(B)/bin/vane-front: $(call vane_objs,$(wildcard dom0-tools/front/*.c))
	@mkdir -p $(@D)
	$(CC) -static -no-pie -o $@ $^

$(B)/bin/vane: $(call vane_objs,$(VANE_CLI_C)) $(VANE_LIB) $(VANE_STORE_LIB) $(STORE_LIB)
	@mkdir -p $(@D)
	$(CC) -o $@ $^ $(VANE_LIBS)

$(B)/bin/vaned: $(call vane_objs,$(VANED_C)) $(VANE_LIB) $(VANE_STORE_LIB) $(STORE_LIB)
	@mkdir -p $(@D)
	$(CC) -o $@ $^ $(VANE_LIBS)

# The one program that links OpenSSL: it reads what strangers send, and vane starts faster without.
$(B)/bin/vane-tls: $(call vane_objs,$(wildcard dom0-tools/tls/*.c))
	@mkdir -p $(@D)
	$(CC) -o $@ $^ -lssl -lcrypto

ALL_TARGETS += $(B)/bin/vane-tls
DOM0_FILES  += $(B)/bin/vane-tls:/usr/sbin/vane-tls

-include $(wildcard $(B)/dom0-tools/*/*.d)

# Tests: the pure parts under the sanitizers, with guest memory faked where the builder needs it.
VANE_TEST_PURE := $(VANE_XZ_C) dom0-tools/builder/xz_heap.c dom0-tools/builder/unpack.c dom0-tools/builder/elf.c dom0-tools/builder/build.c
VANE_TEST_CFG  := $(sort $(wildcard dom0-tools/config/*.c)) dom0-tools/lib/vane.c dom0-tools/lib/uuid.c dom0-tools/store/pipe.c
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
    $(addprefix dom0-tools/stream/,stream_in.c stream_record.c stream_out.c pack.c codec.c token_bucket.c)
$(B)/unit/dom0-tools/precopy_test: $(addprefix dom0-tools/stream/,precopy.c token_bucket.c)
$(B)/unit/dom0-tools/policy_test: dom0-tools/daemon/policy.c

$(B)/unit/dom0-tools/%: tests/unit/dom0-tools/%.c $(wildcard tests/unit/dom0-tools/*.h dom0-tools/*/*.h)
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) $(SANITIZE) $(VANE_CFLAGS) -o $@ $(filter %.c,$^) -lcunit $(VANE_LIBS)

$(B)/fuzz/dom0-tools/%: tests/fuzz/dom0-tools/%.c $(wildcard tests/unit/dom0-tools/*.h dom0-tools/*/*.h)
	@mkdir -p $(@D)
	$(CLANG) $(HOST_CFLAGS) $(VANE_CFLAGS) -fsanitize=fuzzer,address,undefined \
	    -fno-sanitize-recover=all -o $@ $(filter %.c,$^) $(VANE_LIBS)

# Migration: the two sides with a make-believe guest, records and messages by themselves.
MIGRATE_PURE  := $(addprefix dom0-tools/migrate/,record.c message.c) dom0-tools/lib/vane.c dom0-tools/lib/uuid.c dom0-tools/store/pipe.c
MIGRATE_TESTS := $(patsubst tests/unit/migrate/%.c,$(B)/unit/migrate/%,$(wildcard tests/unit/migrate/*_test.c))
UNIT_TESTS    += $(MIGRATE_TESTS)

$(B)/unit/migrate/handover_test: tests/unit/migrate/world.c $(MIGRATE_PURE) \
    $(addprefix dom0-tools/migrate/,source.c target.c link.c work.c xl.c)
$(B)/unit/migrate/handover_test: MIGRATE_LINK := -Wl,--wrap=record_store
$(B)/unit/migrate/record_test $(B)/unit/migrate/message_test: $(MIGRATE_PURE)
$(B)/unit/migrate/record_test: MIGRATE_LINK := -Wl,--wrap=write,--wrap=fsync,--wrap=rename
$(B)/unit/migrate/cards_test: dom0-tools/migrate/cards.c
$(B)/unit/migrate/tls_test: dom0-tools/tls/tls.c
$(B)/unit/migrate/tls_test: MIGRATE_LINK := -lssl -lcrypto

$(B)/unit/migrate/%: tests/unit/migrate/%.c $(wildcard tests/unit/migrate/*.h dom0-tools/*/*.h) | $(STORE_GEN)
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) $(SANITIZE) $(VANE_CFLAGS) -o $@ $(filter %.c,$^) -lcunit $(VANE_LIBS) $(MIGRATE_LINK)

FUZZ_TARGETS  += $(B)/fuzz/migrate/migrate_fuzz
$(B)/fuzz/migrate/migrate_fuzz: tests/fuzz/migrate/migrate_fuzz.c $(MIGRATE_PURE) $(wildcard dom0-tools/*/*.h) | $(STORE_GEN)
	@mkdir -p $(@D)
	$(CLANG) $(HOST_CFLAGS) $(VANE_CFLAGS) -fsanitize=fuzzer,address,undefined \
	    -fno-sanitize-recover=all -o $@ $(filter %.c,$^) $(VANE_LIBS)
