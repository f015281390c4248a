/* SPDX-License-Identifier: GPL-2.0-or-later */
/* line.h - an interrupt line; private to irq/ */
#ifndef PARAVANE_IRQ_LINE_H
#define PARAVANE_IRQ_LINE_H

#include "irq/irq.h"
#include "lock.h"

#define NR_LINES MAX_PIRQS
#define LINE_NONE 0xffffu

enum line_kind { LINE_ABSENT, LINE_GSI, LINE_MSI, LINE_MSIX };

struct msi_place {
    uint8_t bus, devfn;
    uint8_t cap;                /* offset of the capability in configuration space */
    uint16_t entry;             /* MSI-X: table index; MSI: number within the block */
    uint16_t count;             /* vectors in the block */
    uint16_t first;             /* line of the block's first vector */
    maddr_t table_entry;        /* MSI-X */
};

struct irq_line {
    spinlock_t lock;            /* RANK_IRQ, irq off; guards all below */
    enum line_kind kind;
    bool level, active_low;
    uint8_t vector;             /* 0: none yet */
    uint8_t cpu;
    bool enabled;               /* somebody wants its interrupts */
    bool in_service;            /* level: masked until the guest's EOI */
    void (*handler)(void *data);        /* ours */
    void *data;
    struct domain *guest;       /* whom it is mapped to */
    uint32_t port;              /* 0: not bound */
    struct msi_place msi;
    uint64_t count, stray;
};

extern struct irq_line irq_lines[NR_LINES];
static inline unsigned line_number(const struct irq_line *l) { return (unsigned)(l - irq_lines); }

/* ---- vector.c ---- */

/*
 * @count consecutive vectors, aligned to @count (a power of two), on one CPU that MSIs can reach; they map to lines
 * @first, @first + 1 ... Returns the first vector, or 0: none left.
 */
uint8_t vector_alloc(unsigned first, unsigned count, uint8_t *cpu);
void vector_free(uint8_t cpu, uint8_t vector, unsigned count);
/* Interrupt context. LINE_NONE: nobody's. */
unsigned vector_line(unsigned cpu, uint8_t vector);

/* ---- msi.c; each called with the line's lock held or before the line is published ---- */

/* Find the capability and what it offers, decide everything, write nothing. */
MUST_CHECK int msi_locate(const struct msi_request *req, struct msi_place *place);
/* Write address and data; masked where the device can mask. */
void msi_program(const struct irq_line *l);
void msi_set_mask(const struct irq_line *l, bool masked);
/* Leave no vector behind: the device may not write to it any more. */
void msi_retire(const struct irq_line *l);

/* ---- line.c ---- */

/* Give the line a vector if it has none, and program the controller, masked. Lock held. 0 or -ENOSPC. */
MUST_CHECK int line_route(struct irq_line *l);
void line_set_mask(struct irq_line *l, bool masked);

#endif
