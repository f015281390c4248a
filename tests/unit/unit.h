/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * unit.h - a CUnit program in one table
 *
 *     static const struct unit_case cases[] = { UNIT(test_a), UNIT(test_b), { 0 } };
 *     int main(void) { return unit_main("page_type", cases); }
 *
 * Prints CUnit's report and the line "N passed, N failed" (test functions), and returns 0 only if all passed.
 */
#ifndef PARAVANE_UNIT_H
#define PARAVANE_UNIT_H

#include <CUnit/Basic.h>
#include <stdio.h>

struct unit_case {
    const char *name;
    void (*run)(void);
};
#define UNIT(fn) { #fn, fn }

static inline int unit_main(const char *suite_name, const struct unit_case *cases)
{
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 2;
    CU_pSuite suite = CU_add_suite(suite_name, NULL, NULL);
    for (; cases->name; cases++)
        CU_add_test(suite, cases->name, cases->run);
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_basic_run_tests();
    const unsigned run = CU_get_number_of_tests_run(), failed = CU_get_number_of_tests_failed();
    printf("%u passed, %u failed\n", run - failed, failed);
    CU_cleanup_registry();
    return failed || run == 0;
}

#endif
