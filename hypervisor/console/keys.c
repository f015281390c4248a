/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keys.c - what is typed at the console: to Dom0, or, after CTRL-A three times, to the debug keys
 *
 * Input comes in interrupt context and is only queued there. Dom0 hears of it by VIRQ_CONSOLE and reads it with
 * console_io; debug keys run from SOFTIRQ_KEYS with interrupts on.
 *
 *   I1  both queues are bounded; what does not fit is dropped, the newest first.
 *
 * ABI: console_io read; VIRQ_CONSOLE, VIRQ_CON_RING.
 */
#include "console/console.h"

#include "event/event.h"
#include "lock.h"
#include "machine.h"
#include "print.h"
#include "softirq.h"

#define CTRL_A 0x01
#define SWITCH_COUNT 3
#define RX_SIZE 1024u
#define PENDING_KEYS 16u

struct debug_key {
    const char *help;
    void (*fn)(void);
};

static spinlock_t lock = SPINLOCK_INIT(CONSOLE);
/* under lock */
static char rx[RX_SIZE];
static unsigned rx_head, rx_tail;               /* free running; head - tail bytes wait for Dom0 */
static char pending[PENDING_KEYS];
static unsigned nr_pending;
static unsigned ctrl_a_seen;
static bool to_hypervisor;

/* fixed after boot; indexed by a 7-bit character */
static struct debug_key keys[128];

static void switch_focus(void)
{
    const bool ours = !READ_ONCE(to_hypervisor);

    WRITE_ONCE(to_hypervisor, ours);
    pr_info("*** Serial input to %s (type 'CTRL-a' three times to switch input)\n", ours ? "Paravane" : "DOM0");
}

/* Under lock. True: Dom0 has something to read. */
static bool queue_for_dom0(uint8_t byte)
{
    if (rx_head - rx_tail == RX_SIZE)
        return false;
    rx[rx_head++ % RX_SIZE] = (char)byte;
    return true;
}

void console_input(uint8_t byte)
{
    bool tell_dom0 = false, run_keys = false, focus = false;
    const unsigned long flags = spin_lock_irq(&lock);

    ctrl_a_seen = byte == CTRL_A ? ctrl_a_seen + 1 : 0;
    if (ctrl_a_seen == SWITCH_COUNT) {
        ctrl_a_seen = 0;
        focus = true;
    } else if (!to_hypervisor) {
        tell_dom0 = queue_for_dom0(byte);
    } else if (byte != CTRL_A && nr_pending < PENDING_KEYS) {
        pending[nr_pending++] = (char)byte;
        run_keys = true;
    }
    spin_unlock_irq(&lock, flags);

    /* Outside the lock: these take locks of their own. */
    if (focus)
        switch_focus();
    if (run_keys)
        softirq_raise(SOFTIRQ_KEYS);
    if (tell_dom0 && dom0)
        virq_send_global(dom0, VIRQ_CONSOLE);
}

size_t console_read(char *buf, size_t n)
{
    size_t done = 0;
    const unsigned long flags = spin_lock_irq(&lock);

    while (done < n && rx_tail != rx_head)
        buf[done++] = rx[rx_tail++ % RX_SIZE];
    spin_unlock_irq(&lock, flags);
    return done;
}

void console_register_key(char key, const char *help, void (*fn)(void))
{
    keys[(unsigned char)key % ARRAY_SIZE(keys)] = (struct debug_key){ help, fn };
}

static void show_help(void)
{
    pr_info("'h' pressed -> showing installed handlers\n");
    for (unsigned i = 0; i < ARRAY_SIZE(keys); i++)
        if (keys[i].fn)
            pr_info(" key '%c' (ascii '%02x') => %s\n", (int)i, i, keys[i].help);
}

void console_debug_key(char key)
{
    const unsigned i = (unsigned char)key;

    if (key == 'h' || key == '?')
        show_help();
    else if (i < ARRAY_SIZE(keys) && keys[i].fn)
        keys[i].fn();
}

void console_keys_softirq(void)
{
    char todo[PENDING_KEYS];
    unsigned n;
    const unsigned long flags = spin_lock_irq(&lock);

    n = nr_pending;
    for (unsigned i = 0; i < n; i++)
        todo[i] = pending[i];
    nr_pending = 0;
    spin_unlock_irq(&lock, flags);

    for (unsigned i = 0; i < n; i++)
        console_debug_key(todo[i]);
    if (dom0)
        virq_send_global(dom0, VIRQ_CON_RING);
}
