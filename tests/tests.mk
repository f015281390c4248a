# SPDX-License-Identifier: GPL-2.0-or-later
#
# Packages, the Dom0 image and everything that runs: see the targets' comments in the Makefile's head.

# $(PKGS)/list changes only when the boot packages of tests/packages do, so that a new host package
# or a fresh time stamp does not fetch again.
$(PKGS)/list: FORCE
	@mkdir -p $(@D)
	@grep '^boot ' tests/packages | cmp -s - $@ || grep '^boot ' tests/packages >$@

$(PKGS)/ready: $(PKGS)/list
	tests/rig/deps.sh boot $(PKGS)
	touch $@

.PHONY: FORCE
FORCE:

deps:
	@tests/rig/deps.sh host
	@$(MAKE) --no-print-directory -s $(PKGS)/ready

print-kernel: $(PKGS)/ready
	@ls $(PKGS)/root/boot/vmlinuz-*-amd64

# ---- bench: static programs in both images, and what runs them

BENCH_PROGRAMS := pvbench pvtime pvio

$(BENCH_PROGRAMS:%=$(B)/bench/%): $(B)/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) -static -s -o $@ $<

DOM0_FILES += $(foreach p,$(BENCH_PROGRAMS),$(B)/bench/$(p):/usr/bin/$(p))
DOMU_FILES += $(foreach p,$(BENCH_PROGRAMS),$(B)/bench/$(p):/usr/bin/$(p))

# BENCH="inside guest boot life density io fronts store": only some groups.
bench: $$(IMAGES) $(B)/paravane $$(VANE_STORE_BENCH)
	tests/bench/bench.py $(addprefix --only ,$(BENCH))

# ---- agents: what the rig runs inside Dom0 and inside guests (see each one's head)

$(B)/agents/%: tests/agents/%.c
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) -D_GNU_SOURCE $(AGENT_FLAGS) -o $@ $< $(AGENT_LIBS)

$(B)/agents/domwatch $(B)/agents/domfill $(B)/agents/logcost: AGENT_LIBS = -lxenctrl
$(B)/agents/checker: AGENT_FLAGS = -static -s -pthread
$(B)/agents/checker: AGENT_LIBS = -lz
$(B)/agents/churn: AGENT_FLAGS = -static -s

DOM0_FILES += $(B)/agents/rexec:/usr/bin/rexec $(B)/agents/domwatch:/usr/bin/domwatch \
              $(B)/agents/domfill:/usr/bin/domfill $(B)/agents/killat:/usr/bin/killat $(B)/agents/logcost:/usr/bin/logcost
DOMU_FILES += $(B)/agents/checker:/usr/bin/checker $(B)/agents/churn:/usr/bin/churn

# ---- what the rig runs beside its machines

$(B)/rig/%: tests/rig/%.c
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) -D_GNU_SOURCE -o $@ $<

RIG_PROGRAMS := $(B)/rig/etherswitch

# ---- build/dom0.img

DOMU_PARTS = $(foreach item,$(DOMU_FILES),$(firstword $(subst :, ,$(item))))
DOM0_PARTS = $(foreach item,$(DOM0_FILES),$(firstword $(subst :, ,$(item))))

$(B)/dom0.img: tests/image/mkimage.py tests/image/dom0.list $(wildcard tests/image/etc/*) \
               $(PKGS)/ready $$(DOM0_PARTS)
	tests/image/mkimage.py --root $(PKGS)/root --list tests/image/dom0.list \
	    $(addprefix --add ,$(DOM0_FILES)) --output $@

# Packed: a guest of 96 MiB holds the archive and what was in it at the same time.
$(B)/domu.img: tests/tests.mk tests/image/mkimage.py tests/image/domu.list $(wildcard tests/image/etc/*) $(PKGS)/ready $$(DOMU_PARTS)
	tests/image/mkimage.py --root $(PKGS)/root --list tests/image/domu.list \
	    $(addprefix --add ,$(DOMU_FILES)) --output $(B)/domu.cpio
	gzip -9nc $(B)/domu.cpio >$@

$(B)/qemu.img: tests/image/mkimage.py tests/image/qemu.list $(PKGS)/ready
	tests/image/mkimage.py --root $(PKGS)/root --list tests/image/qemu.list --output $@

$(B)/guests.img: tests/image/mkimage.py tests/image/guests.list $(B)/domu.img $(PKGS)/ready
	tests/image/mkimage.py --root $(PKGS)/root --list tests/image/guests.list --add $(B)/domu.img:/guests/domu.img \
	    --add $$(ls $(PKGS)/root/boot/vmlinuz-*-amd64):/guests/vmlinuz --output $@

IMAGES := $(B)/dom0.img $(B)/domu.img $(B)/guests.img $(B)/qemu.img $(RIG_PROGRAMS)
ALL_TARGETS += $(IMAGES)

# A Debian 12 guest: its disk, a mirror for its apt, and the initramfs that finds the disk.
$(B)/debian/disk.img: tests/image/mkdebian.sh tests/packages tests/image/debian/eth.network
	tests/image/mkdebian.sh $(B)/debian

$(B)/debian/initrd.img: tests/image/mkimage.py $(wildcard tests/image/debian/*) $(B)/agents/checker $(PKGS)/ready
	@mkdir -p $(@D)
	tests/image/mkimage.py --root $(PKGS)/root --list tests/image/debian/initrd.list \
	    --add $(B)/agents/checker:/cargo/checker --output $@

$(B)/debian.img: tests/image/mkimage.py tests/image/debian/debian.cfg $(B)/debian/initrd.img $(B)/debian/disk.img
	echo "dir /guests" >$(B)/debian/guests.list
	tests/image/mkimage.py --root $(PKGS)/root --list $(B)/debian/guests.list \
	    --add $(B)/debian/initrd.img:/guests/debian-initrd.img --add tests/image/debian/debian.cfg:/guests/debian.cfg --output $@

debian: $(B)/debian.img

# A CD image that GRUB boots on BIOS and UEFI machines alike.
$(B)/paravane.iso: tests/image/iso/grub.cfg $(B)/paravane $(B)/dom0.img $(PKGS)/ready
	rm -rf $(B)/iso
	mkdir -p $(B)/iso/boot/grub
	cp tests/image/iso/grub.cfg $(B)/iso/boot/grub/
	cp $(B)/paravane $(B)/dom0.img $(B)/iso/boot/
	cp $(PKGS)/root/boot/vmlinuz-*-amd64 $(B)/iso/boot/vmlinuz
	grub-mkrescue -o $@ $(B)/iso 2>$(B)/iso.log || { cat $(B)/iso.log; exit 1; }

iso: $(B)/paravane.iso

# What a machine needs to boot on HV.
BOOTABLE = $(IMAGES) $(if $(filter paravane,$(HV)),$(B)/paravane $(B)/paravane.iso)

# ---- everything that runs

JOBS ?= 2

.PHONY: debian unit system check soak run bench iso coverage coverage-run

unit: $(UNIT_TESTS)
	tests/rig/suite.py --unit $(UNIT_TESTS)

# HV=paravane (default) or xen; TESTS="disk time": only the tests whose names contain one of these.
system: $$(BOOTABLE) $(if $(TESTS),$(if $(findstring debian,$(TESTS)),$(B)/debian.img),$(B)/debian.img)
	tests/rig/suite.py --hv $(HV) --jobs $(JOBS) --system $(addprefix --only ,$(TESTS))

check: all $(B)/paravane.iso $(B)/debian.img $(UNIT_TESTS) $(FUZZ_TARGETS)
	tests/rig/suite.py --hv paravane --jobs $(JOBS) --make $(CHECK_TARGETS) --unit $(UNIT_TESTS) \
	    --fuzz $(FUZZ_TARGETS) --fuzz-seconds $(FUZZ_CHECK_SECONDS) --guests --system

# Everything long: coverage-guided fuzzers, 10^8 hypercalls on the host build, 10^7 in guests.
fuzz: $(FUZZ_TARGETS)
	tests/rig/suite.py --fuzz $(FUZZ_TARGETS) --fuzz-seconds $(FUZZ_SECONDS)
	$(MAKE) --no-print-directory twin guest-fuzz

# The portable half of the hypervisor under its unit tests and the hypercall twin, in a build of its own.
coverage:
	$(MAKE) --no-print-directory B=$(B)/coverage PKGS=$(PKGS) HV_SAN=--coverage coverage-run
	@tests/rig/coverage.sh $(B)/coverage | tee $(B)/coverage.txt

coverage-run: $(HV_UNIT) $(B)/fuzz/hypercall_twin
	@find $(B) -name '*.gcda' -delete
	@for test in $(HV_UNIT); do $$test >/dev/null || echo "coverage: $$test failed"; done
	@$(B)/fuzz/hypercall_twin calls=1000000 >/dev/null || echo "coverage: hypercall_twin failed"

run: $$(IMAGES) $(B)/debian.img $(if $(filter paravane,$(HV)),$(B)/paravane)
	@tests/rig/run.py --hv $(HV)

soak: $$(BOOTABLE) $(B)/debian.img
	tests/rig/suite.py --hv $(HV) --jobs $(JOBS) --system --slow
	$(MAKE) --no-print-directory guest-soak

include tests/guest/guest.mk
include tests/model/model.mk
