/* SPDX-License-Identifier: GPL-2.0-or-later */
/* live.c - what tests on a running daemon have in common; owns the daemon of the suite that runs */
#include <stdio.h>
#include <stdlib.h>

#include "live.h"
#include "tree.h"

struct host live_host;

static void see(void *arg, const struct lint_finding *f)
{
    struct verdict *s = arg;

    s->count++;
    s->kinds[f->kind]++;
    s->errors += f->level == LINT_ERROR;
    if (s->print)
        fprintf(stderr, "  %s %s: %s\n", lint_kind_name(f->kind), f->path, f->text);
}

struct verdict live_lint(int domid, bool print)
{
    struct verdict s = { .print = print };
    struct tree_node *root;

    CU_ASSERT_EQUAL_FATAL(tree_load("/", &root), 0);
    lint_tree(root, domid, see, &s);
    tree_free(root);
    return s;
}

void live_make(struct store_io *io, uint32_t domid)
{
    host_make(&live_host, domid);
    CU_ASSERT_EQUAL_FATAL(sample_domain(io, domid), 0);
}

/* What destroy leaves behind, if it does its work: nothing. */
void live_end(struct xs_handle *xs, uint32_t domid)
{
    static const char *const trees[] = {
        "/local/domain/%u", "/libxl/%u", "/vm/8f2c1d3e-0a1b-4c5d-9e8f-%012x",
        "/local/domain/0/backend/vbd/%u", "/local/domain/0/backend/vif/%u",
        "/local/domain/0/backend/console/%u",
    };
    char path[64];

    for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++) {
        snprintf(path, sizeof(path), trees[i], domid);
        xs_rm(xs, XBT_NULL, path);
    }
    host_gone(&live_host, domid);
}

static bool live_ocaml;

static int start_host(void)
{
    host_start(&live_host, live_ocaml);
    return 0;
}

static int stop_host(void)
{
    host_stop(&live_host);
    live_ocaml = true;                  /* for the next suite */
    return 0;
}

static void test_daemon_is_there(void)
{
    CU_FAIL("the daemon is neither in build/pkgs nor installed");
}

int live_suites(void (*add)(CU_pSuite s), int (*start)(void), int (*stop)(void), bool *ocaml)
{
    static const char *const names[] = { "xenstored", "oxenstored" };
    unsigned failed;

    CU_initialize_registry();
    *ocaml = !host_available(false);
    for (int i = 0; i < 2; i++) {
        if (host_available(i == 1))
            add(CU_add_suite(names[i], start, stop));
        else
            CU_add_test(CU_add_suite(names[i], NULL, NULL), "is there", test_daemon_is_there);
    }
    CU_basic_run_tests();
    failed = CU_get_number_of_tests_failed();
    printf("%u passed, %u failed\n", CU_get_number_of_tests_run() - failed, failed);
    CU_cleanup_registry();
    return failed != 0;
}

int live_main(void (*add)(CU_pSuite s))
{
    return live_suites(add, start_host, stop_host, &live_ocaml);
}
