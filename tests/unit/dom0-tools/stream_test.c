/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream_test.c - streams written, read back, cut and damaged */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../../dom0-tools/stream/stream.h"
#include "../../../dom0-tools/stream/stream_io.h"
#include "../unit.h"

struct memory {
    const uint8_t *p;
    size_t len, at;
};

static int from_memory(void *opaque, void *p, size_t n)
{
    struct memory *m = opaque;

    if (n > m->len - m->at)
        return -EPIPE;
    memcpy(p, m->p + m->at, n);
    m->at += n;
    return 0;
}

static struct vane *v;
static uint8_t image[64 * 1024];
static size_t image_len;

/* A stream as a sender writes it: heads, three records, the ends. */
static void make_image(void)
{
    static const char json[] = "{}";
    int fd = memfd_create("image", 0);
    struct stream_out o = { v, fd, 0 };
    struct xl_header xl = { .byte_order = XL_BYTE_ORDER, .mandatory = 3, .optional_len = 4 + sizeof(json) };
    struct libxl_header lx = { LIBXL_IDENT, htobe32(2), 0 };
    struct record_header context = { LIBXL_CONTEXT, 0 }, end = { LIBXL_END, 0 };
    struct libxc_header xc = { ~0ull, htobe32(LIBXC_ID), htobe32(3), 0, {0} };
    struct libxc_domain dom = { 1, 12, 0, 4, 17 };
    struct rec_pv_info pv = { 8, 4, {0} };
    struct rec_pages ph = { 3, 0 };
    uint64_t word[3] = { 5, 6ull | 15ull << 60, 7ull | 12ull << 60 };      /* data, none, pinned L4 */
    static uint8_t pages[2 * 4096];
    struct iovec part[3] = { { &pv, sizeof(pv) }, { NULL, 0 }, { NULL, 0 } };
    uint32_t n = sizeof(json);
    int rc = 0;

    memcpy(xl.magic, XL_MAGIC, 32);
    memset(pages, 0x77, sizeof(pages));
    rc |= out_bytes(&o, &xl, sizeof(xl)) | out_bytes(&o, &n, 4) | out_bytes(&o, json, n);
    rc |= out_bytes(&o, &lx, sizeof(lx)) | out_bytes(&o, &context, 8);
    rc |= out_bytes(&o, &xc, sizeof(xc)) | out_bytes(&o, &dom, sizeof(dom));
    rc |= out_record(&o, REC_PV_INFO, part, 1);
    rc |= out_record(&o, 0x80000042u, part, 1);                 /* optional, unknown: skipped */
    part[0] = (struct iovec){ &ph, sizeof(ph) };
    part[1] = (struct iovec){ word, sizeof(word) };
    part[2] = (struct iovec){ pages, sizeof(pages) };
    rc |= out_record(&o, REC_PAGE_DATA, part, 3);
    rc |= out_record(&o, REC_END, NULL, 0) | out_bytes(&o, &end, 8);
    CU_ASSERT_EQUAL(rc, 0);
    image_len = (size_t)o.bytes;
    CU_ASSERT_EQUAL(pread(fd, image, sizeof(image), 0), (ssize_t)image_len);
    close(fd);
}

/* Read the whole image: 0, or the error at which it was refused. *@pages counts what was found. */
static int read_image(size_t len, unsigned *pages)
{
    struct memory m = { image, len, 0 };
    struct stream_in in = { .v = v, .read = from_memory, .opaque = &m };
    char *json = NULL;
    int rc = in_xl_header(&in, &json);

    *pages = 0;
    free(json);
    if (rc == 0)
        rc = in_stream_headers(&in);
    while (rc == 0) {
        struct record r;
        struct page_batch b;

        rc = in_record(&in, &r);
        if (rc == 0 && r.type == REC_END)
            break;
        if (rc == 0 && r.type == REC_PAGE_DATA) {
            rc = record_pages(v, &r, 100, &b);
            *pages += rc == 0 ? b.count : 0;
            CU_ASSERT(rc != 0 || b.with_data == 2);
        }
        if (rc == 0 || r.body)
            free(r.body);
    }
    return rc == 0 ? in_libxl_end(&in) : rc;
}

static void test_round_trip(void)
{
    unsigned pages;

    make_image();
    CU_ASSERT_EQUAL(read_image(image_len, &pages), 0);
    CU_ASSERT_EQUAL(pages, 3);
}

static void test_every_cut(void)
{
    unsigned pages;

    make_image();
    for (size_t len = 0; len < image_len; len += len < 400 ? 1 : 97)
        CU_ASSERT_EQUAL(read_image(len, &pages), -EPIPE);
}

/* H113: a lie in a header or a length is an error, never a large allocation or a wild read. */
static void test_lies(void)
{
    static const struct { size_t at; uint32_t value; } lies[] = {
        { 0, 0x41414141 }, { 32, 0x04030201 }, { 36, 7 }, { 44, 0xffffffff }, { 48, 0xffffffff },
    };
    unsigned pages;
    size_t rec;

    for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
        make_image();
        memcpy(image + lies[i].at, &lies[i].value, 4);
        CU_ASSERT_EQUAL(read_image(image_len, &pages), -EINVAL);
    }
    make_image();                           /* the PAGE_DATA record, found by its header */
    for (rec = 0; rec + 8 < image_len; rec++) {
        const struct record_header want = { REC_PAGE_DATA, 16 - 8 + 24 + 8192 };

        if (memcmp(image + rec, &want, 8) == 0)
            break;
    }
    CU_ASSERT_FATAL(rec + 8 < image_len);
    image[rec + 8] = 200;                   /* more pages than there are */
    CU_ASSERT_EQUAL(read_image(image_len, &pages), -EINVAL);
    make_image();
    image[rec + 16] = 101;                  /* a pfn above the limit */
    CU_ASSERT_EQUAL(read_image(image_len, &pages), -EINVAL);
    make_image();
    image[rec + 23] = 0x50;                 /* a kind that does not exist */
    CU_ASSERT_EQUAL(read_image(image_len, &pages), -EINVAL);
    make_image();
    image[rec + 7] = 0xff;                  /* a length beyond any record */
    CU_ASSERT_EQUAL(read_image(image_len, &pages), -EINVAL);
    make_image();
    image[rec + 3] = 0x40;                  /* an unknown type that is not optional */
    CU_ASSERT_EQUAL(read_image(image_len, &pages), -EINVAL);
}

/* configuration -> JSON -> text -> configuration keeps what matters. */
static void test_config_survives(void)
{
    static const char text[] = "name='g'\nkernel='/k'\nmemory=64\nmaxmem=128\nvcpus=2\nmaxvcpus=4\n"
                               "disk=['/a,raw,xvda,w','/b,raw,xvdb,r']\non_reboot='preserve'\n"
                               "vif=['mac=00:16:3e:00:00:01,bridge=br0,rate=1MB/s@20ms']\ncap=30\n";
    struct vane_config *a, *b;
    char *json, *again;

    CU_ASSERT_EQUAL_FATAL(vane_config_parse(v, "t", text, strlen(text), &a), 0);
    json = vane_config_json(a, "01234567-89ab-cdef-0123-456789abcdef");
    again = config_text_from_json(json);
    CU_ASSERT_PTR_NOT_NULL_FATAL(again);
    CU_ASSERT_EQUAL_FATAL(vane_config_parse(v, "t", again, strlen(again), &b), 0);
    CU_ASSERT_STRING_EQUAL(b->name, "g");
    CU_ASSERT(b->mem_kb == a->mem_kb && b->max_kb == a->max_kb && b->vcpus == 2 && b->max_vcpus == 4);
    CU_ASSERT(b->n_disks == 2 && b->disks[0].writable && !b->disks[1].writable);
    CU_ASSERT_STRING_EQUAL(b->disks[1].target, "/b");
    CU_ASSERT(b->n_nics == 1 && b->nics[0].rate_bytes == 20000 && b->nics[0].has_mac);
    CU_ASSERT(b->on[ON_REBOOT] == ACT_PRESERVE && b->on[ON_CRASH] == ACT_DESTROY && b->cap == 30);
    CU_ASSERT_TRUE(b->has_uuid);
    free(json);
    free(again);
    vane_config_free(a);
    vane_config_free(b);
    CU_ASSERT_PTR_NULL(config_text_from_json("[1,2"));
    CU_ASSERT_PTR_NULL(config_text_from_json("{\"c_info\": 3}"));
}

int main(void)
{
    static const struct unit_case cases[] = {
        UNIT(test_round_trip), UNIT(test_every_cut), UNIT(test_lies), UNIT(test_config_survives), { 0 },
    };
    int rc;

    v = vane_open(NULL, NULL);
    rc = unit_main("stream", cases);
    vane_close(v);
    return rc;
}
