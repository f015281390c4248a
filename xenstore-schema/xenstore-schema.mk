# SPDX-License-Identifier: MIT
#
# For other parts: compile with $(STORE_CFLAGS), order after $(STORE_GEN), and link
# $(STORE_LIB) (hosted) or compile $(STORE_SRC) with your own flags (freestanding).

STORE_XS     := $(sort $(wildcard xenstore-schema/paths/*.xs))
STORE_GEN    := $(B)/gen/store_schema.h $(B)/gen/store_schema.c
STORE_SRC    := $(addprefix xenstore-schema/,store_path.c store_value.c store_access.c) \
                $(B)/gen/store_schema.c
STORE_CFLAGS := -Ixenstore-schema -I$(B)/gen
STORE_LIB    := $(B)/lib/libstore-schema.a
STORE_TEST   := $(B)/unit/store_roundtrip_test

ALL_TARGETS   += $(STORE_LIB)
UNIT_TESTS    += $(STORE_TEST)
CHECK_TARGETS += check-store-docs

$(B)/gen/xsgen: $(wildcard xenstore-schema/xsgen*.[ch]) xenstore-schema/store_core.h
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) -o $@ $(filter %.c,$^)

$(B)/gen/store_schema.h: XSGEN_OUTPUT := header
$(B)/gen/store_schema.c: XSGEN_OUTPUT := tables
$(B)/gen/store_roundtrip.h: XSGEN_OUTPUT := test
$(B)/gen/xenstore.md: XSGEN_OUTPUT := docs
$(STORE_GEN) $(B)/gen/store_roundtrip.h $(B)/gen/xenstore.md: $(B)/gen/xsgen $(STORE_XS)
	$< $(XSGEN_OUTPUT) $(STORE_XS) > $@

$(B)/store-schema/%.o: xenstore-schema/%.c xenstore-schema/store_core.h $(STORE_GEN)
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) $(STORE_CFLAGS) -fPIC -c -o $@ $<

$(B)/store-schema/store_schema.o: $(STORE_GEN) xenstore-schema/store_core.h
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) $(STORE_CFLAGS) -fPIC -c -o $@ $(B)/gen/store_schema.c

$(STORE_LIB): $(addprefix $(B)/store-schema/,store_path.o store_value.o store_access.o store_schema.o)
	@mkdir -p $(@D)
	rm -f $@
	ar rcs $@ $^

$(STORE_TEST): tests/unit/xenstore-schema/store_roundtrip_test.c $(STORE_SRC) $(STORE_GEN) \
               $(B)/gen/store_roundtrip.h xenstore-schema/store_core.h
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) $(SANITIZE) $(STORE_CFLAGS) -o $@ $(filter %.c,$(sort $^)) -lcunit

# docs/xenstore.md is committed for readers; store-docs writes it, the check keeps it true.
.PHONY: store-docs check-store-docs
store-docs: $(B)/gen/xenstore.md
	cp $< docs/xenstore.md
check-store-docs: $(B)/gen/xenstore.md
	cmp $< docs/xenstore.md

# What Dom0's tools build on the schema; its library must be known before dom0-tools.mk is read.
include dom0-tools/store/store.mk

# Paths are the schema's to spell: no string of the tools or the front ends begins like one.
STORE_SPELLED := "(/local/|/vm/|/libxl|/vane/|/tool/|device/|backend/|control/|console/|memory/|cpu/|error/)
CHECK_TARGETS += check-store-paths
.PHONY: check-store-paths
check-store-paths:
	@! grep -nE '$(STORE_SPELLED)' $(wildcard dom0-tools/*/*.[ch] pv-frontends/*/*.[ch])
