/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_test.c - xl.cfg text to a configuration */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../../dom0-tools/config/config.h"
#include "../unit.h"

static char said[4096];

static void remember(void *opaque, enum vane_log_level level, const char *line)
{
    (void)opaque;
    if (level >= VANE_WARN && strlen(said) + strlen(line) + 2 < sizeof(said))
        strcat(strcat(said, line), "\n");
}

static struct vane *v;

static int parse(const char *text, struct vane_config **c)
{
    said[0] = '\0';
    return vane_config_parse(v, "test", text, strlen(text), c);
}

#define GOOD "name='g'\nkernel='/k'\n"

static void test_defaults(void)
{
    struct vane_config *c;

    CU_ASSERT_EQUAL_FATAL(parse(GOOD, &c), 0);
    CU_ASSERT_STRING_EQUAL(c->name, "g");
    CU_ASSERT_EQUAL(c->mem_kb, 32 * 1024);
    CU_ASSERT_EQUAL(c->max_kb, c->mem_kb);
    CU_ASSERT_EQUAL(c->vcpus, 1);
    CU_ASSERT_EQUAL(c->max_vcpus, 1);
    CU_ASSERT_EQUAL(c->on[ON_REBOOT], ACT_RESTART);
    CU_ASSERT_EQUAL(c->on[ON_CRASH], ACT_DESTROY);
    CU_ASSERT_EQUAL(c->max_grant_frames, -1);
    CU_ASSERT_EQUAL(c->max_event_port, 1023);
    CU_ASSERT_STRING_EQUAL(said, "");
    vane_config_free(c);
}

static void test_full(void)
{
    struct vane_config *c;

    CU_ASSERT_EQUAL_FATAL(parse(
        GOOD "type=\"pv\"\nuuid=\"01234567-89ab-cdef-0123-456789abcdef\"\nmemory=128\nmaxmem=256\n"
        "vcpus=2\nmaxvcpus=4\ncpus=\"0-3,^2\"\ncpus_soft=[\"1\",\"2\"]\ncpu_weight=512\ncap=50\n"
        "root=\"/dev/xvda1\"\nextra=\"ro quiet\"\non_crash=\"coredump-restart\"\n"
        "disk=[\"/a,raw,xvda,w\", \"format=raw, vdev=xvdb, access=ro, target=/b\", \"phy:/dev/c,xvdc,w\"]\n"
        "vif=[\"mac=00:16:3e:00:00:01,bridge=br0,rate=1MB/s@20ms\", \"\"]\n", &c), 0);
    CU_ASSERT_EQUAL(c->max_kb, 256 * 1024);
    CU_ASSERT_EQUAL(c->max_vcpus, 4);
    CU_ASSERT(vane_cpus_has(&c->hard[3], 3) && !vane_cpus_has(&c->hard[0], 2));
    CU_ASSERT(vane_cpus_has(&c->soft[1], 2) && !c->soft[2].given);
    CU_ASSERT_STRING_EQUAL(c->cmdline, "root=/dev/xvda1 ro quiet");
    CU_ASSERT_EQUAL(c->on[ON_CRASH], ACT_COREDUMP_RESTART);
    CU_ASSERT_EQUAL(c->n_disks, 3);
    CU_ASSERT(c->disks[0].writable && !c->disks[1].writable && c->disks[2].writable);
    CU_ASSERT_EQUAL(c->disks[0].number, 51712);
    CU_ASSERT_EQUAL(c->disks[1].number, 51728);
    CU_ASSERT_STRING_EQUAL(c->disks[2].target, "/dev/c");
    CU_ASSERT_EQUAL(c->n_nics, 2);
    CU_ASSERT_EQUAL(c->nics[0].rate_bytes, 20000);
    CU_ASSERT_EQUAL(c->nics[0].rate_usecs, 20000);
    CU_ASSERT(c->nics[0].has_mac && !c->nics[1].has_mac && c->nics[1].devid == 1);
    vane_config_free(c);
}

/* The last assignment wins: that is how key=value of the command line overrides the file. */
static void test_override(void)
{
    struct vane_config *c;

    CU_ASSERT_EQUAL_FATAL(parse(GOOD "memory=64\nmemory=96\nname=\"h\"\n", &c), 0);
    CU_ASSERT_EQUAL(c->mem_kb, 96 * 1024);
    CU_ASSERT_STRING_EQUAL(c->name, "h");
    vane_config_free(c);
}

static void refused(const char *text, int code)
{
    struct vane_config *c = NULL;
    int rc = parse(text, &c);

    if (rc != code)
        printf("%d instead of %d: %s\n", rc, code, text);
    CU_ASSERT_EQUAL(rc, code);
    CU_ASSERT_PTR_NULL(c);
    CU_ASSERT(vane_last_error(v)->what[0]);
}

static void test_refusals(void)
{
    refused("kernel='/k'\n", -EINVAL);
    refused("name='g'\n", -EINVAL);
    refused(GOOD "type='hvm'\n", -EOPNOTSUPP);
    refused(GOOD "builder='hvm'\n", -EOPNOTSUPP);
    refused(GOOD "bootloader='pygrub'\n", -EOPNOTSUPP);
    refused(GOOD "pci=['00:01.0']\n", -EOPNOTSUPP);
    refused(GOOD "memory=0\n", -EINVAL);
    refused(GOOD "memory=64\nmaxmem=32\n", -EINVAL);
    refused(GOOD "memory='lots'\n", -EINVAL);
    refused(GOOD "vcpus=3\nmaxvcpus=2\n", -EINVAL);
    refused(GOOD "vcpus=100000\n", -EINVAL);
    refused(GOOD "on_crash='explode'\n", -EINVAL);
    refused(GOOD "cpus='x'\n", -EINVAL);
    refused(GOOD "uuid='1234'\n", -EINVAL);
    refused("name='a/b'\nkernel='/k'\n", -EINVAL);
    refused(GOOD "disk=['/a,qcow2,xvda,w']\n", -EOPNOTSUPP);
    refused(GOOD "disk=['/a,raw,xvda,w','/b,raw,xvda,w']\n", -EINVAL);
    refused(GOOD "disk=['/a,raw,nonsense,w']\n", -EINVAL);
    refused(GOOD "vif=['mac=zz']\n", -EINVAL);
    refused(GOOD "vif=['mac=01:00:00:00:00:00']\n", -EINVAL);
    refused(GOOD "vif=['vifname=a','vifname=a']\n", -EINVAL);
    refused(GOOD "vif=['colour=red']\n", -EINVAL);
    refused(GOOD "vif=['vifname=much-too-long-a-name']\n", -EINVAL);
    refused(GOOD "memory = = 3\n", -EINVAL);
    refused(GOOD "disk = [ 'unterminated\n", -EINVAL);
}

static void test_warnings(void)
{
    struct vane_config *c;

    CU_ASSERT_EQUAL_FATAL(parse(GOOD "vnc=1\nvfb=['type=vnc']\nfrob=3 # pci=1\nextra=\"boot=c\"\n", &c), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "vnc is for HVM"));
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "vfb is not acted upon"));
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "unknown key frob"));
    CU_ASSERT_PTR_NULL(strstr(said, "boot"));
    CU_ASSERT_PTR_NULL(strstr(said, "pci"));
    vane_config_free(c);
}

static void test_vdev(void)
{
    static const struct { const char *name; uint32_t n; } good[] = {
        { "xvda", 51712 }, { "xvda1", 51713 }, { "xvdb", 51728 }, { "xvdp", 51952 },
        { "xvdq", 268439552 }, { "xvdaa", 268442112 }, { "sda", 2048 }, { "hda", 768 }, { "51712", 51712 },
    };
    uint32_t n;
    char name[32];

    for (unsigned i = 0; i < ARRAY_SIZE(good); i++) {
        CU_ASSERT_TRUE(vane_vdev_number(good[i].name, &n));
        CU_ASSERT_EQUAL(n, good[i].n);
    }
    CU_ASSERT_FALSE(vane_vdev_number("xvd", &n));
    CU_ASSERT_FALSE(vane_vdev_number("xvda300", &n));
    CU_ASSERT_FALSE(vane_vdev_number("xvd/../x", &n));
    CU_ASSERT_FALSE(vane_vdev_number("", &n));
    vane_vdev_name(51713, name, sizeof(name));
    CU_ASSERT_STRING_EQUAL(name, "xvda1");
    vane_vdev_name(268442112, name, sizeof(name));
    CU_ASSERT_STRING_EQUAL(name, "xvdaa");
}

static void test_json(void)
{
    struct vane_config *c;
    char *json;

    CU_ASSERT_EQUAL_FATAL(parse(GOOD "disk=['/a,raw,xvda,w']\nvif=['']\n", &c), 0);
    json = vane_config_json(c, "u");
    CU_ASSERT_PTR_NOT_NULL_FATAL(json);
    CU_ASSERT_PTR_NOT_NULL(strstr(json, "\"pdev_path\": \"/a\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(json, "\"on_reboot\": \"restart\""));
    free(json);
    vane_config_free(c);
}

int main(void)
{
    static const struct unit_case cases[] = {
        UNIT(test_defaults), UNIT(test_full), UNIT(test_override), UNIT(test_refusals),
        UNIT(test_warnings), UNIT(test_vdev), UNIT(test_json), { 0 },
    };
    int rc;

    v = vane_open(remember, NULL);
    rc = unit_main("config", cases);
    vane_close(v);
    return rc;
}
