/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store_roundtrip_test.c - every path of the schema, there and back, and what must be refused
 *
 * store_roundtrip.h is generated: per path one function that builds, matches, stores and reads back
 * samples. This file gives it a one-node store and its judges, and adds the hostile cases.
 */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

#include "store_schema.h"

struct store_io {
    char path[256], value[2048];
    size_t len;
    bool full;
    int failed;                     /* what store_io_failed was told last */
};

static struct store_io node, *const rt_io = &node;
static char rt_buf[2049];

int store_io_read(struct store_io *io, const char *path, char *buf, size_t size)
{
    if (!io->full || strcmp(path, io->path))
        return -STORE_ENOENT;
    memcpy(buf, io->value, io->len < size ? io->len : size);
    return (int)io->len;
}

int store_io_write(struct store_io *io, const char *path, const char *v, size_t len)
{
    snprintf(io->path, sizeof(io->path), "%s", path);
    memcpy(io->value, v, len);
    io->len = len;
    io->full = true;
    return 0;
}

int store_io_failed(struct store_io *io, const char *path, int rc)
{
    (void)path;
    io->failed = rc;
    return rc;
}

static void rt_ok(int rc)
{
    CU_ASSERT_EQUAL(rc, 0);
}

static void rt_stored(const char *v)
{
    CU_ASSERT_EQUAL(node.len, strlen(v));
    CU_ASSERT(!memcmp(node.value, v, node.len));
}

static void rt_num(uint64_t a, uint64_t b)
{
    CU_ASSERT_EQUAL(a, b);
}

static void rt_text(int len, const char *v)
{
    CU_ASSERT_EQUAL(len, (int)strlen(v));
    CU_ASSERT_STRING_EQUAL(rt_buf, v);
}

/* What was built is what the pattern says; matching it gives the id back, and the same path again;
 * one byte less is another path or none (but for a path that ends in a free word); a short buffer holds "" and no byte is written past. */
static void rt_path(int id, int len, const char *built, const char *expected)
{
    struct store_arg args[STORE_ARGS_MAX];
    char again[STORE_PATH_MAX + 1];
    size_t nargs = 0;

    CU_ASSERT_STRING_EQUAL(built, expected);
    CU_ASSERT_EQUAL_FATAL(len, (int)strlen(expected));
    CU_ASSERT_EQUAL(store_match(built, (size_t)len, args), id);
    if (!strstr(store_paths[id].pattern, ":word>"))
        CU_ASSERT_NOT_EQUAL(store_match(built, (size_t)len - 1, NULL), id);
    for (const char *s = store_paths[id].pattern; *s; s++)
        nargs += *s == '<';
    CU_ASSERT_EQUAL(store_build(again, STORE_PATH_MAX, (unsigned)id, args, nargs), len);
    CU_ASSERT_STRING_EQUAL(again, expected);
    memset(again, '#', sizeof(again));
    CU_ASSERT_EQUAL(store_build(again, (size_t)len, (unsigned)id, args, nargs),
                    -STORE_ENAMETOOLONG);
    CU_ASSERT_EQUAL(again[0], '\0');
    CU_ASSERT_EQUAL(again[len], '#');
    CU_ASSERT_EQUAL(store_build(again, STORE_PATH_MAX, (unsigned)id, args, nargs + 1),
                    -STORE_EINVAL);
    if (nargs)
        CU_ASSERT_EQUAL(store_build(again, STORE_PATH_MAX, (unsigned)id, args, nargs - 1),
                        -STORE_EINVAL);
}

/* The node just written holds a legal number; what lies outside the type is refused on reading. */
static void rt_bounds(int id)
{
    const struct store_type *t = &store_types[store_paths[id].type];
    static const char *const bad[] = { " 1", "1 ", "+1", "-1", "01", "0x1", "1.", "1e1", "\n",
                                       "18446744073709551616", "99999999999999999999999" };
    char num[32];
    int len;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CU_ASSERT(store_value_check(store_paths[id].type, bad[i], strlen(bad[i])) < 0);
    CU_ASSERT(store_value_check(store_paths[id].type, "1\0", 2) < 0);
    CU_ASSERT_EQUAL(store_value_check(store_paths[id].type, "", 0), t->empty ? 0 : -STORE_EINVAL);
    if (t->kind == STORE_KIND_UINT && t->hi < UINT64_MAX) {
        len = snprintf(num, sizeof(num), "%llu", (unsigned long long)t->hi + 1);
        CU_ASSERT_EQUAL(store_value_check(store_paths[id].type, num, (size_t)len), -STORE_ERANGE);
        CU_ASSERT_PTR_NULL(store_value_text(store_paths[id].type, t->hi + 1, num));
    }
}

#include "store_roundtrip.h"

static int match(const char *p)
{
    return store_match(p, strlen(p), NULL);
}

static void test_hostile_paths(void)
{
    static const char *const bad[] = {
        "", "/", "//", "/local/", "/local//domain", "/local/domain/", "local/domain/1/name",
        "/local/domain/-1/name", "/local/domain/01/name", "/local/domain/32752/name",
        "/local/domain/1x/name", "/local/domain/1/Name", "/local/domain/1/name/x",
        "/local/domain/1/device/vbd/4294967296/state", "/local/domain/1/device/vbd/1/ring-ref16",
        "/local/domain/1/device/vbd/1/ring-ref00", "/local/domain/1/device/vbd/1/queue-/ring-ref",
        "/vm/8f2c1d3e-0a1b-4c5d-9e8f-00112233445", "/vm/8f2c1d3e-0a1b-4c5d-9e8f-00112233445g",
        "/vane/on/a b/c", "@releaseDomain",
    };
    char deep[4096];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CU_ASSERT_EQUAL(match(bad[i]), -STORE_ENOENT);
    CU_ASSERT_EQUAL(store_match("/local/domain/1/name\0x", 22, NULL), -STORE_ENOENT);
    memset(deep, 'a', sizeof(deep));
    for (size_t i = 0; i < sizeof(deep); i += 2)
        deep[i] = '/';
    CU_ASSERT_EQUAL(store_match(deep, sizeof(deep), NULL), -STORE_ENOENT);
    memcpy(deep, "/local/domain/7/data", 20);
    CU_ASSERT_EQUAL(store_match(deep, sizeof(deep), NULL), STORE_DOM_DATA_REST);
    CU_ASSERT_EQUAL(match("/local/domain/7/data"), STORE_DOM_DATA);
    CU_ASSERT_EQUAL(match("/local/domain/7/data/"), -STORE_ENOENT);
}

static void test_self_is_relative(void)
{
    char b[STORE_PATH_MAX];

    CU_ASSERT_EQUAL(store_path_vbd_fe_state(b, sizeof(b), STORE_SELF, 51712), 22);
    CU_ASSERT_STRING_EQUAL(b, "device/vbd/51712/state");
    CU_ASSERT_EQUAL(store_path_vbd_be_state(b, sizeof(b), STORE_SELF, 3, 51712), 25);
    CU_ASSERT_STRING_EQUAL(b, "backend/vbd/3/51712/state");
    CU_ASSERT_EQUAL(store_path_dom(b, sizeof(b), STORE_SELF), -STORE_EINVAL);
    CU_ASSERT_EQUAL(store_path_libxl_type(b, sizeof(b), STORE_SELF), -STORE_EINVAL);
}

/* A kind with patterns of its own is built through the general ones and found under its own. */
static void test_devices_of_any_kind(void)
{
    char b[STORE_PATH_MAX];

    CU_ASSERT_EQUAL(store_path_dev_fe_state(b, sizeof(b), 5, "vbd", 51712), 38);
    CU_ASSERT_STRING_EQUAL(b, "/local/domain/5/device/vbd/51712/state");
    CU_ASSERT_EQUAL(match(b), STORE_VBD_FE_STATE);
    CU_ASSERT_EQUAL(match("/local/domain/5/device/pci/0/state"), STORE_DEV_FE_STATE);
    CU_ASSERT_EQUAL(match("/local/domain/5/device/pci/0/x/y"), STORE_DEV_FE_REST);
    CU_ASSERT_EQUAL(match("/local/domain/5/device/vbd/0/x"), -STORE_ENOENT);
    CU_ASSERT_EQUAL(match("/local/domain/5/device/toaster/0"), -STORE_ENOENT);
    CU_ASSERT_EQUAL(store_path_dev_fe(b, sizeof(b), 5, "toaster", 0), -STORE_EINVAL);
}

static void test_paths_below_a_given_directory(void)
{
    static const char be[] = "/local/domain/0/backend/qdisk/5/51712";
    char b[STORE_PATH_MAX];

    CU_ASSERT_EQUAL(store_below(b, sizeof(b), be, STORE_VBD_BE_SECTORS), (int)strlen(b));
    CU_ASSERT_STRING_EQUAL(b, "/local/domain/0/backend/qdisk/5/51712/sectors");
    CU_ASSERT_EQUAL(store_below(b, strlen(be) + 8, be, STORE_VBD_BE_SECTORS), -STORE_ENAMETOOLONG);
    CU_ASSERT_EQUAL(b[0], '\0');
    CU_ASSERT_EQUAL(store_below(b, sizeof(b), be, STORE_VBD_BE), -STORE_EINVAL);
    CU_ASSERT_EQUAL(store_below(b, sizeof(b), be, STORE_DEV_BE_REST), -STORE_EINVAL);
    CU_ASSERT_EQUAL(store_below(b, sizeof(b), be, STORE_ID_COUNT), -STORE_EINVAL);
}

/* Whatever keeps a put from happening, the transport hears of it. */
static void test_failed_puts_are_told(void)
{
    node.failed = 0;
    CU_ASSERT_EQUAL(store_put_dom_name(rt_io, 3, ""), -STORE_ERANGE);
    CU_ASSERT_EQUAL(node.failed, -STORE_ERANGE);
    CU_ASSERT_EQUAL(store_put_dom_name(rt_io, 40000, "x"), -STORE_EINVAL);
    CU_ASSERT_EQUAL(node.failed, -STORE_EINVAL);
    CU_ASSERT_EQUAL(store_put_vif_fe_mtu(rt_io, 3, 0, 12), -STORE_ERANGE);
    CU_ASSERT_EQUAL(node.failed, -STORE_ERANGE);
    node.failed = 0;
    rt_ok(store_put_dom_name(rt_io, 3, "x"));
    CU_ASSERT_EQUAL(node.failed, 0);
}

static void test_arguments_cannot_leave_their_segment(void)
{
    static const char *const bad[] = { "", "a/b", "..", "a b", "a\nb", "\xc3\xa9" };
    char b[STORE_PATH_MAX], longest[66];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CU_ASSERT_EQUAL(store_path_vane_rule(b, sizeof(b), bad[i]), -STORE_EINVAL);
    memset(longest, 'w', sizeof(longest));
    longest[65] = '\0';
    CU_ASSERT_EQUAL(store_path_vane_rule(b, sizeof(b), longest), -STORE_EINVAL);
    longest[64] = '\0';
    CU_ASSERT_EQUAL(store_path_vane_rule(b, sizeof(b), longest), 9 + 64);
    CU_ASSERT_EQUAL(store_path_dom(b, sizeof(b), 32752), -STORE_EINVAL);
    CU_ASSERT_EQUAL(b[0], '\0');
    CU_ASSERT_EQUAL(store_build(NULL, 0, STORE_TOOL, NULL, 0), -STORE_ENAMETOOLONG);
    CU_ASSERT_EQUAL(store_build(b, sizeof(b), STORE_ID_COUNT, NULL, 0), -STORE_EINVAL);
    CU_ASSERT_EQUAL(store_build(b, sizeof(b), STORE_DOM_DATA_REST, NULL, 0), -STORE_EINVAL);
}

static void test_values(void)
{
    enum store_shutdown s = STORE_SHUTDOWN_POWEROFF;

    CU_ASSERT_EQUAL(store_value_check(STORE_TYPE_MAC, "00:16:3e:00:00:0g", 17), -STORE_EINVAL);
    CU_ASSERT_EQUAL(store_value_check(STORE_TYPE_MAC, "00:16:3e:00:00:001", 18), -STORE_EINVAL);
    CU_ASSERT_EQUAL(store_value_check(STORE_TYPE_MAJMIN, "ca:10", 5), 0);
    CU_ASSERT_EQUAL(store_value_check(STORE_TYPE_MAJMIN, "ca:", 3), -STORE_EINVAL);
    CU_ASSERT_EQUAL(store_value_check(STORE_TYPE_MAJMIN, ":1", 2), -STORE_EINVAL);
    CU_ASSERT_EQUAL(store_value_check(STORE_TYPE_MAJMIN, "ca:1:", 5), -STORE_EINVAL);
    CU_ASSERT_EQUAL(store_value_check(STORE_TYPE_PATH, "/a//b", 5), -STORE_EINVAL);
    CU_ASSERT_EQUAL(store_value_check(STORE_TYPE_PATH, "/a/", 3), -STORE_EINVAL);
    CU_ASSERT_EQUAL(store_value_check(STORE_TYPE_SYSRQ, "\0", 1), 0);
    CU_ASSERT_EQUAL(store_value_check(STORE_TYPE_NAME, "", 0), -STORE_ERANGE);
    CU_ASSERT_EQUAL(store_value_check(STORE_TYPE_SHUTDOWN, "poweroff\0", 9), -STORE_EINVAL);
    CU_ASSERT_EQUAL(store_value_check(STORE_TYPE_SHUTDOWN, "powerof", 7), -STORE_EINVAL);

    rt_ok(store_put_dom_control_shutdown(rt_io, 3, STORE_SHUTDOWN_SUSPEND));
    rt_stored("suspend");
    rt_ok(store_get_dom_control_shutdown(rt_io, 3, &s));
    CU_ASSERT_EQUAL(s, STORE_SHUTDOWN_SUSPEND);
    rt_ok(store_clear_dom_control_shutdown(rt_io, 3));
    CU_ASSERT_EQUAL(store_get_dom_control_shutdown(rt_io, 3, &s), STORE_EMPTY);
    CU_ASSERT_EQUAL(store_get_dom_control_shutdown(rt_io, 4, &s), -STORE_ENOENT);
    CU_ASSERT_EQUAL(s, STORE_SHUTDOWN_SUSPEND);
    CU_ASSERT_EQUAL(store_put_dom_control_shutdown(rt_io, 3, (enum store_shutdown)9), -STORE_ERANGE);
    rt_stored("");
    CU_ASSERT_EQUAL(store_get_dom_name(rt_io, 3, rt_buf, 0), -STORE_ENOENT);
    rt_ok(store_put_dom_name(rt_io, 3, "guest"));
    CU_ASSERT_EQUAL(store_get_dom_name(rt_io, 3, rt_buf, 5), -STORE_ENAMETOOLONG);
    CU_ASSERT_EQUAL(store_get_dom_name(rt_io, 3, rt_buf, 6), 5);
    CU_ASSERT_EQUAL(store_put_vbd_fe_backend(rt_io, 3, 51712, "/local/domain/0/backend/vif/3/1"),
                    -STORE_EINVAL);
}

static void test_permissions(void)
{
    uint32_t who[STORE_PERMS_MAX];
    char access[STORE_PERMS_MAX];

    CU_ASSERT_EQUAL(store_perms(STORE_VBD_FE, 5, 2, who, access), 2);
    CU_ASSERT(who[0] == 5 && access[0] == 'n' && who[1] == 2 && access[1] == 'r');
    CU_ASSERT_EQUAL(store_perms(STORE_VBD_BE, 5, 0, who, access), 2);
    CU_ASSERT(who[0] == 0 && access[0] == 'n' && who[1] == 5 && access[1] == 'r');
    CU_ASSERT_EQUAL(store_perms(STORE_ID_COUNT, 5, 0, who, access), -STORE_EINVAL);
}

/* The rule the toolstack stands on: nothing below /libxl or /vane is within a guest's reach. */
static void test_truth_is_out_of_reach(void)
{
    for (unsigned id = 0; id < store_path_count; id++) {
        const struct store_path *p = &store_paths[id];
        bool truth = !strncmp(p->pattern, "/vane", 5) || !strncmp(p->pattern, "/libxl", 6);

        if (truth)
            CU_ASSERT(p->nperms == 1 && p->perms[0].access == 'n' && !p->perms[0].who);
        if (p->writers & STORE_ROLE_GUEST)
            CU_ASSERT(p->forgeable);
    }
    CU_ASSERT(store_paths[STORE_VBD_FE_BACKEND].forgeable);
    CU_ASSERT(!store_paths[STORE_CON_TTY].forgeable);
}

int main(void)
{
    CU_pSuite s;
    unsigned failed;

    CU_initialize_registry();
    s = CU_add_suite("store", NULL, NULL);
    CU_add_test(s, "every path and value, there and back", rt_all);
    CU_add_test(s, "hostile paths match nothing", test_hostile_paths);
    CU_add_test(s, "STORE_SELF builds relative paths", test_self_is_relative);
    CU_add_test(s, "devices of any kind", test_devices_of_any_kind);
    CU_add_test(s, "paths below a given directory", test_paths_below_a_given_directory);
    CU_add_test(s, "failed puts are told", test_failed_puts_are_told);
    CU_add_test(s, "arguments stay inside their segment", test_arguments_cannot_leave_their_segment);
    CU_add_test(s, "values keep their types", test_values);
    CU_add_test(s, "permissions come from the schema", test_permissions);
    CU_add_test(s, "toolstack truth is out of reach", test_truth_is_out_of_reach);
    CU_basic_run_tests();
    failed = CU_get_number_of_failures();
    printf("%u passed, %u failed\n", CU_get_number_of_tests_run() - CU_get_number_of_tests_failed(),
           CU_get_number_of_tests_failed());
    CU_cleanup_registry();
    return failed != 0;
}
