/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lock_rank.h - the lock order, outermost first; the one place where it is written
 *
 * A CPU may take a lock only when its rank is greater than that of every lock it holds. Debug builds check at run
 * time and print both names. From RUNQ on interrupt handlers take them: whoever holds one has interrupts off, else the
 * handler would take an outer lock inside an inner one. Two locks of one class are taken only through lock_pair().
 * Frame types are not here: they use the BUSY state of a frame, parent table before child (mm/page_type.h).
 */
#ifndef PARAVANE_LOCK_RANK_H
#define PARAVANE_LOCK_RANK_H

/*      name          what it guards */
#define LOCK_RANKS(X) \
    X(DOMCTL,      "one toolstack operation on one domain at a time") \
    X(DOMLIST,     "the table of domains") \
    X(DOMAIN,      "a domain's lifecycle: create, shut down, destroy, vcpu set") \
    X(PIRQ,        "physical interrupt routing of a domain") \
    X(GRANT,       "a grant table's shape and active entries; pairs by domid") \
    X(MAPTRACK,    "a domain's maptrack free list") \
    X(EVTCHN,      "a domain's ports; pairs by domid") \
    X(IOCAPS,      "a domain's I/O permissions") \
    X(PAGE,        "a domain's page list and counters") \
    X(SLAB,        "the small-object heap") \
    X(HEAP,        "the frame allocator") \
    X(WALLCLOCK,   "the wall clock and its copies in shared_info") \
    X(RUNQ,        "a CPU's run queue (irq off)") \
    X(TIMER,       "a CPU's timer queue (irq off)") \
    X(FIFO,        "a domain's FIFO event queues (irq off)") \
    X(IRQ,         "an interrupt line's descriptor (irq off)") \
    X(APIC,        "IO-APIC and PCI configuration registers (irq off)") \
    X(CONSOLE,     "console ring and UART (irq off, leaf)")

enum lock_rank {
    RANK_NONE,
#define RANK_ENUM(name, what) RANK_##name,
    LOCK_RANKS(RANK_ENUM)
#undef RANK_ENUM
    RANK_COUNT,
    RANK_FIRST_IRQ = RANK_RUNQ
};

#endif
