/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_test.c - xl.cfg text to a configuration */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* Each key that xl.cfg(5) gives PV guests has a fate: acted upon, named in a warning, or refused. */
static void test_every_pv_key(void)
{
    static const char *const acted[] = {
        "type='pv'", "builder='generic'", "ramdisk='/r'", "cmdline='x'", "root='/dev/xvda'", "extra='x'", "nomigrate=1",
        "vcpus=1", "maxvcpus=2", "cpus='0'", "cpus_soft='0'", "cpu_weight=1", "cap=1", "pool='Pool-0'",
        "cpuid='host,avx2=0'", "tsc_mode='native'", "memory=8", "maxmem=64", "max_grant_frames=4",
        "max_maptrack_frames=4", "max_grant_version=1", "max_event_channels=100", "on_poweroff='preserve'",
        "on_reboot='destroy'", "on_crash='rename-restart'", "on_watchdog='restart'", "on_soft_reset='destroy'",
        "localtime=1", "rtc_timeoffset=60", "disk=[]", "vif=[]",
    };
    static const char *const warned[] = {
        "bootloader_args='-q'", "seclabel='x'", "driver_domain=1", "vnuma=[]", "vpmu=1", "e820_host=1", "channel=[]",
        "vfb=[]", "p9=[]", "pvcalls=[]", "vtpm=[]", "usbctrl=[]", "usbdev=[]",
    };
    static const char *const not_here[] = { "firmware='pvgrub64'", "pci=[]", "ioports=[]", "iomem=[]", "irqs=[]" };
    struct vane_config *c;
    char text[256];

    for (size_t i = 0; i < ARRAY_SIZE(acted); i++) {
        snprintf(text, sizeof(text), GOOD "%s\n", acted[i]);
        CU_ASSERT_EQUAL_FATAL(parse(text, &c), 0);
        CU_ASSERT_STRING_EQUAL(said, "");
        vane_config_free(c);
    }
    for (size_t i = 0; i < ARRAY_SIZE(warned); i++) {
        snprintf(text, sizeof(text), GOOD "%s\n", warned[i]);
        CU_ASSERT_EQUAL_FATAL(parse(text, &c), 0);
        CU_ASSERT_PTR_NOT_NULL(strstr(said, "not acted upon"));
        CU_ASSERT_PTR_NULL(strstr(said, "unknown"));
        vane_config_free(c);
    }
    for (size_t i = 0; i < ARRAY_SIZE(not_here); i++) {
        snprintf(text, sizeof(text), GOOD "%s\n", not_here[i]);
        refused(text, -EOPNOTSUPP);
    }
}

/* xl-disk-configuration(5), its deprecated forms included. */
static void test_disk_forms(void)
{
    static const struct { const char *spec, *target, *vdev; bool writable; const char *format; } good[] = {
        { "/dev/vg/g,,hda", "/dev/vg/g", "hda", true, "raw" },
        { "/dev/vg/g,raw,hda,ro", "/dev/vg/g", "hda", false, "raw" },
        { "format=raw,vdev=xvdb,access=rw,target=/dev/vg/g", "/dev/vg/g", "xvdb", true, "raw" },
        { "format=raw, vdev=xvdb, access=r, backendtype=phy, discard, target=/a b,c", "/a b,c", "xvdb", false, "raw" },
        { "vdev=xvdc,access=w,direct-io-safe,no-discard,target=/a", "/a", "xvdc", true, "raw" },
        { "raw:/a,xvda,w", "/a", "xvda", true, "raw" },
        { "file:/a,xvda,r", "/a", "xvda", false, "raw" },
        { "phy:/dev/vg/g,xvda,w", "/dev/vg/g", "xvda", true, "raw" },
        { "tap:aio:/a,xvda,w", "/a", "xvda", true, "raw" },
        { "tap2:tapdisk:aio:/a,xvda,w", "/a", "xvda", true, "raw" },
        { "/a,raw,xvda,w,script=block-mine", "/a", "xvda", true, "raw" },
        { "/a,qcow2,xvda,w", "/a", "xvda", true, "qcow2" }, { "tap:qcow2:/a,xvda,w", "/a", "xvda", true, "qcow2" },
        { "/a,vhd,xvda,r", "/a", "xvda", false, "vhd" }, { "format=qed,vdev=xvda,access=rw,target=/a", "/a", "xvda", true, "qed" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        struct vane_disk d;
        int rc = vane_config_parse_disk(v, 1, &good[i].spec, &d);

        if (rc < 0)
            printf("%s: %s\n", good[i].spec, vane_last_error(v)->what);
        CU_ASSERT_EQUAL(rc, 0);
        if (rc < 0)
            continue;
        CU_ASSERT_STRING_EQUAL(d.target, good[i].target);
        CU_ASSERT_STRING_EQUAL(d.vdev, good[i].vdev);
        CU_ASSERT_EQUAL(d.writable, good[i].writable);
        CU_ASSERT_STRING_EQUAL(d.format ? d.format : "raw", good[i].format);
        vane_disk_free(&d);
    }
}

static const struct vane_cpuid *leaf(const struct vane_config *c, uint32_t n, uint32_t sub)
{
    for (unsigned i = 0; i < c->cpuid.n; i++) {
        if (c->cpuid.list[i].leaf == n && c->cpuid.list[i].subleaf == sub)
            return &c->cpuid.list[i];
    }
    return NULL;
}

static void test_cpuid(void)
{
    struct vane_config *c;

    CU_ASSERT_EQUAL_FATAL(parse(GOOD "cpuid='host,sse4.1=0,AVX2=k,lm=1,sse3=0'\n", &c), 0);
    CU_ASSERT_EQUAL(c->cpuid.n, 3);
    CU_ASSERT_PTR_NOT_NULL_FATAL(leaf(c, 1, VANE_NO_SUBLEAF));
    CU_ASSERT_STRING_EQUAL(leaf(c, 1, VANE_NO_SUBLEAF)->reg[2], "xxxxxxxxxxxx0xxxxxxxxxxxxxxxxxx0");
    CU_ASSERT_PTR_NOT_NULL_FATAL(leaf(c, 7, 0));
    CU_ASSERT_STRING_EQUAL(leaf(c, 7, 0)->reg[1], "xxxxxxxxxxxxxxxxxxxxxxxxxxkxxxxx");
    CU_ASSERT_PTR_NOT_NULL_FATAL(leaf(c, 0x80000001, VANE_NO_SUBLEAF));
    CU_ASSERT_EQUAL(leaf(c, 0x80000001, VANE_NO_SUBLEAF)->reg[3][2], '1');
    vane_config_free(c);
    CU_ASSERT_EQUAL_FATAL(parse(GOOD "cpuid=['1:ecx=0xx','7,0:ebx=1,edx=k']\n", &c), 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(leaf(c, 1, VANE_NO_SUBLEAF));
    CU_ASSERT_EQUAL(leaf(c, 1, VANE_NO_SUBLEAF)->reg[2][29], '0');
    CU_ASSERT_PTR_NOT_NULL_FATAL(leaf(c, 7, 0));
    CU_ASSERT_EQUAL(leaf(c, 7, 0)->reg[1][31], '1');
    CU_ASSERT_EQUAL(leaf(c, 7, 0)->reg[3][31], 'k');
    vane_config_free(c);
    refused(GOOD "cpuid='sse3=0'\n", -EINVAL);
    refused(GOOD "cpuid='host,no_such_thing=0'\n", -EINVAL);
    refused(GOOD "cpuid='host,sse3=2'\n", -EINVAL);
    refused(GOOD "cpuid='host,sse3'\n", -EINVAL);
    refused(GOOD "cpuid='host,family=6'\n", -EOPNOTSUPP);
    refused(GOOD "cpuid=['1ecx=0']\n", -EINVAL);
    refused(GOOD "cpuid=['1:eex=0']\n", -EINVAL);
    refused(GOOD "cpuid=['1:ecx=012']\n", -EINVAL);
    refused(GOOD "cpuid=['1:ecx=000000000000000000000000000000000']\n", -EINVAL);
}

static void test_host_conf(void)
{
    char path[] = "/tmp/host_conf_XXXXXX";
    struct vane_config *c;
    int fd = mkstemp(path);
    static const char text[] = "autoballoon=\"on\"\nvif.default.bridge=\"br7\"\nvif.default.script=\"vif-mine\"\n"
                               "vm.cpumask=\"1-2\"\nmax_grant_frames=40\n";

    CU_ASSERT_FATAL(fd >= 0 && write(fd, text, sizeof(text) - 1) == (ssize_t)sizeof(text) - 1);
    close(fd);
    CU_ASSERT_EQUAL_FATAL(parse(GOOD "vcpus=2\ncpus=['0-1','all']\nvif=['','bridge=br1']\n", &c), 0);
    CU_ASSERT_EQUAL(vane_host_conf(v, "/nowhere", c), 0);
    CU_ASSERT_PTR_NULL(c->nics[0].bridge);
    CU_ASSERT_EQUAL(vane_host_conf(v, path, c), 0);
    CU_ASSERT_STRING_EQUAL(c->nics[0].bridge, "br7");
    CU_ASSERT_STRING_EQUAL(c->nics[1].bridge, "br1");
    CU_ASSERT_STRING_EQUAL(c->nics[0].script, "vif-mine");
    CU_ASSERT_EQUAL(c->max_grant_frames, 40);
    CU_ASSERT(!vane_cpus_has(&c->hard[0], 0) && vane_cpus_has(&c->hard[0], 1));
    CU_ASSERT(vane_cpus_has(&c->hard[1], 2) && !vane_cpus_has(&c->hard[1], 3));
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "autoballoon"));
    vane_config_free(c);
    CU_ASSERT_EQUAL_FATAL(parse(GOOD "cpus='0'\n", &c), 0);
    CU_ASSERT_EQUAL(vane_host_conf(v, path, c), -EINVAL);       /* no CPU is left */
    vane_config_free(c);
    unlink(path);
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

/* What a saved guest takes along is what it was created with: libxl's JSON, as text, is the same configuration. */
static void test_json_and_back(void)
{
    static const char text[] = GOOD
        "maxmem=512\nvcpus=2\nmaxvcpus=4\ncpus=['0-2','^1,0-3']\ncpus_soft='5'\ncpu_weight=300\ncap=50\npool='fast'\n"
        "max_grant_frames=128\nmax_maptrack_frames=0\nmax_grant_version=1\nmax_event_channels=2047\n"
        "tsc_mode='native'\nrtc_timeoffset='-3600'\nlocaltime=1\nnomigrate=1\non_crash='coredump-restart'\n"
        "cpuid=['1:ecx=xxx0','7,0:ebx=x1,edx=0']\n"
        "disk=['/a,raw,xvda,w,no-discard,direct-io-safe','/q,qcow2,xvdb,r']\n"
        "vif=['mac=00:16:3e:00:00:01,bridge=b,rate=1MB/s@50ms,mtu=9000,trusted=0','vifname=x,devid=3']\n";
    struct vane_config *a, *b;
    char *json, *back, *again;

    CU_ASSERT_EQUAL_FATAL(parse(text, &a), 0);
    json = vane_config_json(a, "00010203-0405-0607-0809-0a0b0c0d0e0f");
    CU_ASSERT_PTR_NOT_NULL_FATAL(json);
    back = config_text_from_json(json);
    CU_ASSERT_PTR_NOT_NULL_FATAL(back);
    CU_ASSERT_EQUAL_FATAL(parse(back, &b), 0);
    again = vane_config_json(b, "00010203-0405-0607-0809-0a0b0c0d0e0f");
    CU_ASSERT_STRING_EQUAL(again, json);
    CU_ASSERT_STRING_EQUAL(b->pool, "fast");
    CU_ASSERT_EQUAL(memcmp(a->hard, b->hard, 2 * sizeof(a->hard[0])), 0);
    CU_ASSERT_FALSE(b->hard[2].given);
    CU_ASSERT_TRUE(vane_cpus_has(&b->soft[3], 5) && !vane_cpus_has(&b->soft[3], 4));
    CU_ASSERT_TRUE(b->weight == 300 && b->cap == 50 && b->max_grant_frames == 128 && b->max_maptrack_frames == 0);
    CU_ASSERT_TRUE(b->grant_version == 1 && b->max_event_port == 2047 && b->tsc_mode == a->tsc_mode);
    CU_ASSERT_TRUE(b->time_offset == -3600 && b->localtime && b->nomigrate);
    CU_ASSERT_EQUAL_FATAL(b->cpuid.n, a->cpuid.n);
    CU_ASSERT_EQUAL(memcmp(b->cpuid.list, a->cpuid.list, a->cpuid.n * sizeof(a->cpuid.list[0])), 0);
    CU_ASSERT_TRUE(!b->disks[0].discard && b->disks[0].direct_io_safe);
    CU_ASSERT_TRUE(!b->nics[0].trusted && b->nics[1].trusted && b->nics[1].devid == 3 && b->nics[0].mtu == 9000);
    free(json);
    free(back);
    free(again);
    vane_config_free(a);
    vane_config_free(b);

    back = config_text_from_json("{\"c_info\":{\"name\":\"g\"},\"b_info\":{\"kernel\":\"/k\",\"target_memkb\":65536,"
                                 "\"vcpu_soft_affinity\":[[]],\"max_grant_frames\":4294967295}}");
    CU_ASSERT_PTR_NOT_NULL_FATAL(back);
    CU_ASSERT_EQUAL_FATAL(parse(back, &a), 0);
    CU_ASSERT_TRUE(vane_cpus_has(&a->soft[0], 7) && a->max_grant_frames == -1);
    free(back);
    vane_config_free(a);
}

int main(void)
{
    static const struct unit_case cases[] = {
        UNIT(test_defaults), UNIT(test_full), UNIT(test_override), UNIT(test_refusals),
        UNIT(test_warnings), UNIT(test_every_pv_key),
        UNIT(test_disk_forms), UNIT(test_cpuid), UNIT(test_host_conf), UNIT(test_vdev), UNIT(test_json),
        UNIT(test_json_and_back), { 0 },
    };
    int rc;

    v = vane_open(remember, NULL);
    rc = unit_main("config", cases);
    vane_close(v);
    return rc;
}
