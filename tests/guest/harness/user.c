/* SPDX-License-Identifier: GPL-2.0-or-later */
/* User mode for tests: owns one user L4 with a code and a stack page. */
#include "user.h"

static uint64_t l4;
static unsigned char *code_page;
static struct context back;
static struct trap_frame *result;
/* Entries from user mode get a stack of their own: user_run()'s caller lives on the usual one. */
static char entry_stack[2 * PAGE_SIZE] __attribute__((aligned(16)));

uint64_t user_l4(void)
{
    return l4;
}

bool user_init(void)
{
    void *stack;

    if (l4 != 0)
        return true;
    code_page = page_alloc();
    stack = page_alloc();
    l4 = mm_new_l4(false);
    CHECK(l4 != 0, "no user L4");
    if (l4 == 0)
        return false;
    int rc = mm_map_in(l4, USER_CODE, mm_mfn(code_page), PTE_KERNEL);
    if (rc == 0)
        rc = mm_map_in(l4, USER_STACK_TOP - PAGE_SIZE, mm_mfn(stack), PTE_KERNEL);
    if (rc == 0)
        rc = mm_pin(MMUEXT_NEW_USER_BASEPTR, l4);
    CHECK(rc == 0, "user address space: %d", rc);
    return rc == 0;
}

void user_load(const void *code, size_t len)
{
    memset(code_page, 0xcc, PAGE_SIZE);
    memcpy(code_page, code, len);
}

struct trap_frame user_frame(void)
{
    return (struct trap_frame){ .rip = USER_CODE, .cs = FLAT_USER_CS, .rflags = 0x202,
                                .rsp = USER_STACK_TOP, .ss = FLAT_USER_SS };
}

static bool user_trapped(struct trap_frame *f)
{
    if (!trap_from_user(f) || result == NULL)
        return false;
    *result = *f;
    result = NULL;
    context_jump(&back, 1);
}

void user_run(struct trap_frame *f)
{
    trap_hook_t old = this_cpu()->hook;
    struct trap_frame enter = *f;

    result = f;
    trap_set_hook(user_trapped);
    if (context_save(&back) == 0) {
        hc_stack_switch(FLAT_KERNEL_SS, (uintptr_t)entry_stack + sizeof(entry_stack));
        trap_enter(&enter);
    }
    trap_set_hook(old);
    event_enable();
}
