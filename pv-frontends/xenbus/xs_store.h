/* SPDX-License-Identifier: MIT */
/*
 * xs_store.h - the schema's transport over the ring: store_get_*, store_put_* of store_schema.h on a client
 *
 * Paths are built relative to the domain's own home (STORE_SELF). Errors are those of xs.h, or a value that
 * breaks its type (-EINVAL, -ERANGE).
 */
#ifndef PV_XS_STORE_H
#define PV_XS_STORE_H

#include "xs.h"
#include "store_schema.h"

struct store_io {
    struct xs *xs;
    uint32_t tx;                        /* 0, or a transaction */
};

#endif
