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

# ---- build/dom0.img

DOM0_PARTS = $(foreach item,$(DOM0_FILES),$(firstword $(subst :, ,$(item))))

$(B)/dom0.img: tests/image/mkimage.py tests/image/dom0.list $(wildcard tests/image/etc/*) \
               $(PKGS)/ready $$(DOM0_PARTS)
	tests/image/mkimage.py --root $(PKGS)/root --list tests/image/dom0.list \
	    $(addprefix --add ,$(DOM0_FILES)) --output $@

ALL_TARGETS += $(B)/dom0.img

include tests/guest/guest.mk
