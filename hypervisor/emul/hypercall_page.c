/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hypercall_page.c - the stubs that a guest may call instead of executing SYSCALL itself
 *
 * ABI: slot n holds push rcx; push r11; mov $n, eax; syscall; pop r11; pop rcx; ret. The iret slot does not return:
 * it pushes what the iret frame needs on top and enters.
 */
#include <string.h>

#include "emul/emul.h"

#define SLOT_SIZE 32u
#define NR_IRET 23u

static const uint8_t stub[] = { 0x51, 0x41, 0x53, 0xb8, 0, 0, 0, 0, 0x0f, 0x05, 0x41, 0x5b, 0x59, 0xc3 };
static const uint8_t iret_stub[] = { 0x51, 0x41, 0x53, 0x50, 0xb8, 0, 0, 0, 0, 0x0f, 0x05 };

void hypercall_page_fill(void *page)
{
    uint8_t *p = page;

    memset(p, 0xcc, PAGE_SIZE);
    for (unsigned n = 0; n < PAGE_SIZE / SLOT_SIZE; n++, p += SLOT_SIZE) {
        if (n == NR_IRET) {
            memcpy(p, iret_stub, sizeof(iret_stub));
            p[5] = NR_IRET;
        } else {
            memcpy(p, stub, sizeof(stub));
            p[4] = (uint8_t)n;
        }
    }
}
