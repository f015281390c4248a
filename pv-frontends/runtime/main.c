/* SPDX-License-Identifier: MIT */
/* From the first C instruction to guest_main(), and the way out. Owns the start-up order and nothing else. */
#include "mm.h"
#include "suspend.h"

struct start_info *start_info;
struct shared_info *shared_info;

extern char boot_stack_top[];
static char shared_info_page[PAGE_SIZE] __attribute__((aligned(4096)));

void runtime_start(struct start_info *si);

/* The command line as words; @rest gets what follows @key in the first that is @key alone or @key=... */
static bool cmdline_find(const char *key, const char **rest)
{
    const char *p = (const char *)start_info->cmd_line;
    size_t n = strlen(key);

    while (*p != '\0') {
        while (*p == ' ')
            p++;
        if (strncmp(p, key, n) == 0 && (p[n] == '=' || p[n] == ' ' || p[n] == '\0')) {
            *rest = p + n;
            return true;
        }
        while (*p != '\0' && *p != ' ')
            p++;
    }
    return false;
}

uint64_t cmdline_number(const char *key, uint64_t otherwise)
{
    const char *rest;

    if (!cmdline_find(key, &rest) || *rest != '=')
        return otherwise;
    rest++;
    return parse_number(&rest);
}

bool cmdline_has(const char *key)
{
    const char *rest;

    return cmdline_find(key, &rest) && (*rest == ' ' || *rest == '\0');
}

void guest_shutdown(unsigned reason)
{
    struct sched_shutdown op = { .reason = reason };

    if (is_initial_domain() && reason == SHUTDOWN_poweroff)
        op.reason = SHUTDOWN_reboot;
    for (;;)
        hc_sched_op(SCHEDOP_shutdown, &op);
}

void runtime_map_shared(void)
{
    if (hc_update_va_mapping((uintptr_t)shared_info_page, (start_info->shared_info & PAGE_MASK) | PTE_KERNEL,
                             UVMF_INVLPG) != 0)
        guest_shutdown(SHUTDOWN_crash);
}

/* Back to the frame of our own that lies under it. */
void runtime_unmap_shared(void)
{
    hc_update_va_mapping((uintptr_t)shared_info_page, PTE(mm_mfn(shared_info_page), PTE_KERNEL), UVMF_INVLPG);
}

void runtime_start(struct start_info *si)
{
    struct cpu *c = &cpus[0];

    start_info = si;
    shared_info = (struct shared_info *)(void *)shared_info_page;
    c->stack_top = (uintptr_t)boot_stack_top;
    trap_init_cpu(c);
    runtime_map_shared();
    mm_init();
    event_init();
    console_init();
    time_init();
    suspend_init();
    event_enable();
    guest_shutdown((unsigned)guest_main());
}
