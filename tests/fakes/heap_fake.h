/* SPDX-License-Identifier: GPL-2.0-or-later */
/* heap_fake.h - steering the heap of the host build */
#ifndef PARAVANE_HEAP_FAKE_H
#define PARAVANE_HEAP_FAKE_H

/* The @k-th allocation of this thread from now fails; 0: none. */
void fake_heap_fail_at(unsigned k);
/* Is that failure still to come? */
bool fake_heap_fail_pending(void);
/* Objects from heap_alloc not yet freed. */
extern long fake_heap_live;

#endif
