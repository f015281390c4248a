/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * contract.h - does a write keep to the schema?  For code that has paths as text
 *
 * NULL when it does, else a line that says how it does not, in @buf. No I/O.
 */
#ifndef STORE_CONTRACT_H
#define STORE_CONTRACT_H

#include <stddef.h>

const char *store_contract_breach(const char *path, const char *value, char *buf, size_t size);

#endif
