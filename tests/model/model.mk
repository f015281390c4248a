# SPDX-License-Identifier: GPL-2.0-or-later
#
# Protocols as SPIN models: all interleavings, and variants that must fail.

.PHONY: check-migrate-model
check-migrate-model:
	tests/model/check.sh tests/model/migrate.pml $(B)/model/migrate 1 2 3 4 5 6 7 8

CHECK_TARGETS += check-migrate-model
