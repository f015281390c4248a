/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store_paths_test.c - every path format of the toolstack (lib/paths.h) makes a path of the schema */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

#include "../../../dom0-tools/lib/paths.h"
#include "store_schema.h"

#define UUID "8f2c1d3e-0a1b-4c5d-9e8f-001122334455"

static void is_known(const char *path)
{
    bool known = store_match(path, strlen(path), NULL) >= 0;

    if (!known)
        fprintf(stderr, "%s is not in the schema\n", path);
    CU_ASSERT(known);
}

#define KNOWN(...) \
    do { \
        char path_[256]; \
        snprintf(path_, sizeof(path_), __VA_ARGS__); \
        is_known(path_); \
    } while (0)

static void test_domain_paths(void)
{
    KNOWN(PATH_DOM_ROOT, 5u);
    KNOWN(PATH_DOMS);
    KNOWN(PATH_DOM("name"), 5u);
    KNOWN(PATH_DOM("vm"), 5u);
    KNOWN(PATH_DOM("control/shutdown"), 5u);
    KNOWN(PATH_DOM("control/sysrq"), 5u);
    KNOWN(PATH_DOM("control/feature-poweroff"), 5u);
    KNOWN(PATH_DOM("cpu/%u/availability"), 5u, 1u);
    KNOWN(PATH_DOM("memory/static-max"), 5u);
    KNOWN(PATH_DOM("memory/target"), 5u);
    KNOWN(PATH_DOM("store"), 5u);
    KNOWN(PATH_VM_ROOT, UUID);
    KNOWN(PATH_VM("name"), UUID);
    KNOWN(PATH_VM("start_time"), UUID);
    KNOWN(PATH_LIBXLS);
    KNOWN(PATH_LIBXL_ROOT, 5u);
    KNOWN(PATH_LIBXL("device"), 5u);
    KNOWN(PATH_POOL_NAME, 0u);
}

static void test_device_paths(void)
{
    static const char *const kinds[] = { "vbd", "vif", "console" };

    for (size_t i = 0; i < 3; i++) {
        KNOWN(PATH_FRONTEND, 5u, kinds[i], 51712u);
        KNOWN(PATH_FRONTEND "/state", 5u, kinds[i], 51712u);
        KNOWN(PATH_BACKEND, 0u, kinds[i], 5u, 51712u);
        KNOWN(PATH_BACKEND "/hotplug-status", 0u, kinds[i], 5u, 51712u);
        KNOWN(PATH_BACKEND_PARENT, 0u, kinds[i], 5u);
        KNOWN(PATH_LIBXL_DEV, 5u, kinds[i], 51712u);
        KNOWN(PATH_LIBXL_DEV "/backend", 5u, kinds[i], 51712u);
        KNOWN(PATH_LIBXL_KIND, 5u, kinds[i]);
        KNOWN(PATH_BACKEND_ERROR, kinds[i], 5u);
    }
    KNOWN(PATH_CONSOLE_ROOT, 5u);
    KNOWN(PATH_CONSOLE("ring-ref"), 5u);
    KNOWN(PATH_CONSOLE("port"), 5u);
    KNOWN(PATH_CONSOLE("tty"), 5u);
    KNOWN(PATH_CONSOLE("type"), 5u);
}

int main(void)
{
    CU_pSuite s;
    unsigned failed;

    CU_initialize_registry();
    s = CU_add_suite("paths", NULL, NULL);
    CU_add_test(s, "domain paths", test_domain_paths);
    CU_add_test(s, "device paths", test_device_paths);
    CU_basic_run_tests();
    failed = CU_get_number_of_tests_failed();
    printf("%u passed, %u failed\n", CU_get_number_of_tests_run() - failed, failed);
    CU_cleanup_registry();
    return failed != 0;
}
