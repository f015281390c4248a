/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fpu.h - the floating-point and vector state as a pattern that can be told from any other
 *
 * Everything XSAVE covers where the guest may use it, else what FXSAVE covers.
 */
#ifndef FPU_H
#define FPU_H

#include "harness.h"

/* Look at the state of a vCPU that has not used it: NULL if it is the initial one, else what is not. */
const char *fpu_is_initial(void);
/* Fill all of it from @seed; fpu_check() says what is not as fpu_fill(@seed) left it, or NULL. Per vCPU. */
void fpu_fill(uint64_t seed);
const char *fpu_check(uint64_t seed);
/* How many bytes of state there are. */
unsigned fpu_size(void);

#endif
