# SPDX-License-Identifier: GPL-2.0-or-later
#
# XenStore verbs and their library, $(VANE_STORE_LIB): everything of dom0-tools/store/ and the
# schema. dom0-tools.mk includes this file and links the library (with $(VANE_STORE_LIBS)) into vane.

VANE_STORE_DIR    := dom0-tools/store
VANE_STORE_LIB    := $(B)/lib/libvane-store.a
VANE_STORE_LIBS   := -lxenstore
VANE_STORE_SRC    := $(wildcard $(VANE_STORE_DIR)/*.c)
VANE_STORE_OBJ    := $(VANE_STORE_SRC:%.c=$(B)/%.o)
VANE_STORE_TESTS  := $(B)/unit/store_tree_test $(B)/unit/store_live_test $(B)/unit/store_on_test \
                     $(B)/unit/store_hostile_test
VANE_STORE_HELP   := $(B)/unit/store_tool $(B)/unit/xenstored_host.so
VANE_STORE_CFLAGS := $(STORE_CFLAGS) -I$(VANE_STORE_DIR)  -Itests/unit/store

ALL_TARGETS += $(VANE_STORE_LIB)
UNIT_TESTS  += $(VANE_STORE_TESTS)
FUZZ_TARGETS += $(B)/fuzz/store_fuzz

$(B)/$(VANE_STORE_DIR)/%.o: $(VANE_STORE_DIR)/%.c $(wildcard $(VANE_STORE_DIR)/*.h) $(STORE_GEN)
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) $(VANE_STORE_CFLAGS) -c -o $@ $<

$(VANE_STORE_LIB): $(VANE_STORE_OBJ)
	@mkdir -p $(@D)
	rm -f $@
	ar rcs $@ $^

# The tests build the sources again, with sanitizers.
$(B)/unit/store_tool $(VANE_STORE_TESTS): $(B)/unit/%: tests/unit/store/%.c tests/unit/store/store_host.c \
        tests/unit/store/sample.c tests/unit/store/live.c $(VANE_STORE_SRC) \
        $(STORE_SRC) $(STORE_GEN) $(wildcard $(VANE_STORE_DIR)/*.h tests/unit/store/*.h)
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) $(SANITIZE) $(VANE_STORE_CFLAGS) -o $@ $(filter %.c,$(sort $^)) \
	    $(VANE_STORE_LIBS) -lcunit -lpthread

$(B)/fuzz/store_fuzz: tests/fuzz/store_fuzz.c $(VANE_STORE_SRC) $(STORE_SRC) $(STORE_GEN)
	@mkdir -p $(@D)
	$(CLANG) $(HOST_CFLAGS) $(VANE_STORE_CFLAGS) -fsanitize=fuzzer,address,undefined \
	    -fno-sanitize-recover=all -o $@ $(filter %.c,$(sort $^)) $(VANE_STORE_LIBS)

# Figures on the host, without sanitizers: `make store-bench` prints NAME VALUE UNIT.
VANE_STORE_BENCH := $(B)/bench/store_bench $(B)/bench/store_tool $(B)/bench/xenstored_host.so

$(B)/bench/store_bench: tests/bench/store_bench.c tests/unit/store/store_host.c tests/unit/store/sample.c
$(B)/bench/store_tool: tests/unit/store/store_tool.c
$(B)/bench/store_bench $(B)/bench/store_tool: $(VANE_STORE_SRC) $(STORE_SRC) $(STORE_GEN)
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) $(VANE_STORE_CFLAGS) -o $@ $(filter %.c,$(sort $^)) $(VANE_STORE_LIBS)

$(B)/bench/xenstored_host.so: $(B)/unit/xenstored_host.so
	@mkdir -p $(@D)
	cp $< $@

.PHONY: store-bench
store-bench: $(VANE_STORE_BENCH)
	@$(B)/bench/store_bench

$(B)/unit/xenstored_host.so: tests/unit/store/xenstored_host.c
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) -shared -fPIC -o $@ $< -ldl

$(VANE_STORE_TESTS): | $(VANE_STORE_HELP)
