/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * uart_metal.c - a 16550 by port I/O: polled at boot and in a panic, interrupt driven in between
 *
 * Output is queued and moved to the chip's FIFO by whoever finds it empty: the writer or the interrupt handler. A
 * stuck wire (no "transmitter empty" within the bound) drops bytes instead of hanging the machine.
 *
 *   I1  the transmit interrupt is enabled exactly while the queue is not empty (and interrupts are in use).
 */
#include "console/uart.h"

#include "boot/acpi.h"
#include "console/console.h"
#include "irq/irq.h"
#include "machine.h"
#include "print.h"
#include "time/timer.h"

enum { RBR = 0, THR = 0, DLL = 0, DLM = 1, IER = 1, IIR = 2, FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCR = 7 };
#define IER_RX 0x01
#define IER_TX 0x02
#define IIR_NONE 0x01
#define FCR_ENABLE_CLEAR 0x07
#define LCR_DLAB 0x80
#define MCR_DTR_RTS_OUT2 0x0b
#define LSR_RX 0x01
#define LSR_THR_EMPTY 0x20
#define LSR_IDLE 0x40                   /* the last bit has left the chip */

#define FIFO_SIZE 16
#define BASE_BAUD 115200u
#define TX_SIZE 16384u
#define SPIN_LIMIT 200000u              /* port reads; each takes about a microsecond on real hardware */
#define POLL_INTERVAL_NS 10000000UL
#define RX_PER_IRQ 256                  /* a wire gone mad must not hold the CPU */

static struct uart_config config;
static bool present, irq_driven, forced, stuck;
static char tx[TX_SIZE];
static unsigned tx_head, tx_tail;
static struct timer poll_timer;

static uint8_t reg_read(unsigned reg)
{
    return (uint8_t)machine_port_in((uint16_t)(config.port + reg), 1);
}

static void reg_write(unsigned reg, unsigned value)
{
    machine_port_out((uint16_t)(config.port + reg), 1, value & 0xff);
}

bool uart_init(const struct uart_config *c)
{
    config = *c;
    /* The scratch register holds what is written to it; an absent chip reads as all ones. */
    reg_write(SCR, 0x5a);
    if (reg_read(SCR) != 0x5a)
        return false;
    reg_write(SCR, 0xa5);
    if (reg_read(SCR) != 0xa5)
        return false;

    reg_write(IER, 0);
    if (config.baud != 0) {
        const unsigned divisor = MAX(BASE_BAUD / config.baud, 1u);
        reg_write(LCR, LCR_DLAB | config.lcr);
        reg_write(DLL, divisor & 0xff);
        reg_write(DLM, divisor >> 8);
    }
    reg_write(LCR, config.lcr);
    reg_write(FCR, FCR_ENABLE_CLEAR);
    reg_write(MCR, MCR_DTR_RTS_OUT2);
    present = true;
    return true;
}

bool uart_present(void) { return present; }
uint16_t uart_port(void) { return present ? config.port : 0; }
int uart_gsi(void) { return present ? (int)acpi_isa_gsi(config.irq) : -1; }

static void set_tx_irq(void)
{
    if (irq_driven && !forced)
        reg_write(IER, IER_RX | (tx_head != tx_tail ? IER_TX : 0));     /* I1 */
}

/* Move what fits, if the FIFO is empty now. */
static bool tx_push(void)
{
    if (!(reg_read(LSR) & LSR_THR_EMPTY))
        return false;
    for (int i = 0; i < FIFO_SIZE && tx_tail != tx_head; i++)
        reg_write(THR, (uint8_t)tx[tx_tail++ % TX_SIZE]);
    return true;
}

/* Until the queue is empty or, with @one_batch, has room again. A wire that does not move loses the queue. */
static void tx_drain(bool one_batch)
{
    for (unsigned spins = 0; tx_head != tx_tail;) {
        if (tx_push()) {
            spins = 0;
            stuck = false;
            if (one_batch)
                return;
        } else if (stuck || ++spins > SPIN_LIMIT) {
            stuck = true;
            tx_tail = tx_head;
        } else {
            machine_cpu_relax();
        }
    }
}

void uart_put(char c)
{
    if (!present)
        return;
    if (tx_head - tx_tail == TX_SIZE)
        tx_drain(true);
    tx[tx_head++ % TX_SIZE] = c;
}

void uart_flush(void)
{
    if (!present)
        return;
    if (irq_driven && !forced) {
        tx_push();
        set_tx_irq();
    } else {
        tx_drain(false);
    }
}

void uart_drain(void)
{
    if (!present)
        return;
    tx_drain(false);
    for (unsigned spins = 0; spins < SPIN_LIMIT && !(reg_read(LSR) & LSR_IDLE); spins++)
        machine_cpu_relax();
}

void uart_force(void)
{
    forced = true;
    stuck = false;
    if (present)
        reg_write(IER, 0);
    uart_drain();
}

static void receive(void)
{
    for (int i = 0; i < RX_PER_IRQ && (reg_read(LSR) & LSR_RX); i++)
        console_input(reg_read(RBR));
}

static void transmit(void)
{
    const unsigned long flags = console_lock();

    tx_push();
    set_tx_irq();
    console_unlock(flags);
}

/* Level or edge: go on until the chip has nothing more to say, or an edge would be lost. */
static void uart_irq(void *data)
{
    (void)data;
    for (int i = 0; i < RX_PER_IRQ && !(reg_read(IIR) & IIR_NONE); i++) {
        receive();
        transmit();
    }
}

static void uart_poll(void *data)
{
    (void)data;
    receive();
    timer_set(&poll_timer, machine_now() + POLL_INTERVAL_NS);
}

void uart_start_irq(void)
{
    if (!present)
        return;

    const int rc = irq_request_gsi((unsigned)uart_gsi(), uart_irq, NULL);
    if (rc != 0) {
        pr_warn("console: no interrupt for the UART (%d), polling\n", rc);
        timer_init(&poll_timer, this_cpu(), uart_poll, NULL);
        timer_set(&poll_timer, machine_now() + POLL_INTERVAL_NS);
        return;
    }

    const unsigned long flags = console_lock();
    irq_driven = true;
    tx_push();
    set_tx_irq();
    console_unlock(flags);
}
