/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream_test.c - streams written, read back, cut and damaged */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../../dom0-tools/stream/stream.h"
#include "../../../dom0-tools/stream/pack.h"
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
static uint8_t image[512 * 1024];
static size_t image_len;

enum { PLAIN, SUMMED, ZLIB, ZSTD };
#define GATHER_TEST_MAX 100000u
#define BATCHES 20                      /* more than are under way at once */

/* A batch of three pages' words, two of them with data, as PAGE_DATA or packed. */
static int put_batch(struct stream_out *o, int form)
{
    struct rec_pages ph = { 3, 0 };
    uint64_t word[3] = { 5, 6ull | 15ull << 60, 7ull | 12ull << 60 };      /* data, none, pinned L4 */
    static uint8_t pages[2 * 4096];
    const uint8_t *page[2] = { pages, pages + 4096 };
    struct iovec head[2] = { { &ph, sizeof(ph) }, { word, sizeof(word) } };
    struct pack *p;
    uint8_t *to;
    int rc = 0;

    for (size_t i = 0; i < sizeof(pages); i++)
        pages[i] = (uint8_t)(i * 7 + i / 251);
    if (form < ZLIB)
        return out_pages(o, head, page, 2) | out_checksum(o);
    p = pack_new(o, form == ZLIB ? PACKED_ZLIB : PACKED_ZSTD, 0, 2);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    for (unsigned i = 0; i < BATCHES; i++) {
        to = pack_room(p);
        CU_ASSERT_PTR_NOT_NULL_FATAL(to);
        memcpy(to, &ph, sizeof(ph));
        memcpy(to + sizeof(ph), word, sizeof(word));
        memcpy(to + sizeof(ph) + sizeof(word), pages, sizeof(pages));
        pack_submit(p, sizeof(ph) + sizeof(word) + sizeof(pages));
    }
    rc = pack_flush(p);
    pack_free(p);
    return rc;
}

/* A stream as a sender writes it: heads, a few records, the ends. */
static void make_image_of(int form)
{
    static const char json[] = "{}", offer[] = "an offer";
    int fd = memfd_create("image", 0);
    struct stream_out o = { .v = v, .fd = fd };
    struct xl_header xl = { .byte_order = XL_BYTE_ORDER, .mandatory = 3,
                            .optional_len = 4 + sizeof(json) + sizeof(offer) };
    struct libxl_header lx = { LIBXL_IDENT, htobe32(2), 0 };
    struct record_header context = { LIBXL_CONTEXT, 0 }, end = { LIBXL_END, 0 };
    struct libxc_header xc = { ~0ull, htobe32(LIBXC_ID), htobe32(3), 0, {0} };
    struct libxc_domain dom = { 1, 12, 0, 4, 17 };
    struct rec_pv_info pv = { 8, 4, {0} };
    struct rec_pages zero = { 2, 0 };
    uint64_t zeros[2] = { 9, 10 };
    struct iovec part[2] = { { &pv, sizeof(pv) }, { zeros, sizeof(zeros) } };
    uint32_t n = sizeof(json);
    int rc = out_open(&o, form == SUMMED || form == ZSTD);

    memcpy(xl.magic, XL_MAGIC, 32);
    rc |= out_bytes(&o, &xl, sizeof(xl)) | out_bytes(&o, &n, 4) | out_bytes(&o, json, n);
    rc |= out_bytes(&o, offer, sizeof(offer));
    rc |= out_bytes(&o, &lx, sizeof(lx)) | out_bytes(&o, &context, 8);
    rc |= out_bytes(&o, &xc, sizeof(xc)) | out_bytes(&o, &dom, sizeof(dom));
    rc |= out_checksum(&o);
    rc |= out_record(&o, REC_PV_INFO, part, 1);
    rc |= out_record(&o, 0x80000042u, part, 1);                 /* optional, unknown: skipped */
    rc |= put_batch(&o, form);
    part[0] = (struct iovec){ &zero, sizeof(zero) };
    rc |= out_record(&o, REC_VANE_ZERO, part, 2);
    rc |= out_checksum(&o);
    rc |= out_record(&o, REC_END, NULL, 0) | out_bytes(&o, &end, 8);
    CU_ASSERT_EQUAL(rc, 0);
    image_len = (size_t)o.bytes;
    CU_ASSERT_FATAL(image_len <= sizeof(image));
    CU_ASSERT_EQUAL(pread(fd, image, sizeof(image), 0), (ssize_t)image_len);
    out_close(&o);
    close(fd);
}

static void make_image(void)
{
    make_image_of(PLAIN);
}

static int read_batch(struct stream_in *in, const struct record *r, unsigned *pages)
{
    struct page_batch b;
    uint8_t page[4096];
    int rc = record_pages(in, r, 100, &b);

    for (unsigned i = 0; rc == 0 && i < b.with_data; i++) {
        rc = in_pages(in, page, 1);
        for (unsigned k = 0; rc == 0 && k < 4096; k++) {
            size_t at = (size_t)i * 4096 + k;

            if (page[k] != (uint8_t)(at * 7 + at / 251))
                *pages += 1000000;                              /* not what was written */
        }
    }
    *pages += rc == 0 ? b.count : 0;
    return rc;
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

        rc = in_record(&in, &r);
        if (rc == 0 && r.type == REC_END)
            break;
        if (rc == 0 && (r.type == REC_PAGE_DATA || r.type == REC_VANE_ZERO))
            rc = read_batch(&in, &r, pages);
    }
    rc = rc == 0 ? in_libxl_end(&in) : rc;
    stream_in_close(&in);
    return rc;
}

static void test_round_trip(void)
{
    static const unsigned want[] = { [PLAIN] = 5, [SUMMED] = 5, [ZLIB] = 62, [ZSTD] = 62 };
    unsigned pages;

    for (int form = PLAIN; form <= ZSTD; form++) {
        make_image_of(form);
        CU_ASSERT_EQUAL(read_image(image_len, &pages), 0);
        CU_ASSERT_EQUAL(pages, want[form]);
    }
}

/* What a migrating peer puts behind the configuration, and bytes that were read before the stream was opened. */
static void test_offer_and_head(void)
{
    struct memory m = { image, 0, 9 };
    struct stream_in in = { .v = v, .read = from_memory, .opaque = &m };
    char *json = NULL;

    make_image();
    m.len = image_len;
    stream_in_head(&in, image, 9);
    CU_ASSERT_EQUAL(in_xl_header(&in, &json), 0);
    CU_ASSERT_STRING_EQUAL(json, "{}");
    CU_ASSERT(in.offer_len == 9 && strcmp((const char *)in.offer, "an offer") == 0);
    free(json);
    stream_in_close(&in);
}

/* With checksums no damaged byte goes unnoticed, wherever it is. */
static void test_every_flip(void)
{
    unsigned pages;
    static const int forms[] = { SUMMED, ZSTD };

    for (size_t f = 0; f < ARRAY_SIZE(forms); f++) {
        make_image_of(forms[f]);
        for (size_t i = 0; i < image_len; i += i < 700 || i + 300 > image_len ? 1 : 41) {
            image[i] ^= (uint8_t)(1u << (i % 8));
            CU_ASSERT_NOT_EQUAL(read_image(image_len, &pages), 0);
            image[i] ^= (uint8_t)(1u << (i % 8));
        }
        CU_ASSERT_EQUAL(read_image(image_len, &pages), 0);
    }
}

/* A file gets holes for zeros; what is read back is the same. */
static void test_holes(void)
{
    int fd = memfd_create("holes", 0);
    struct stream_out o = { .v = v, .fd = fd };
    struct rec_pages ph = { 64, 0 };
    static uint64_t word[64];
    static uint8_t pages[64][4096], back[64 * 4096];
    const uint8_t *page[64];
    struct iovec head[2] = { { &ph, sizeof(ph) }, { word, sizeof(word) } };
    struct stat st;

    for (unsigned i = 0; i < 64; i++)
        page[i] = pages[i];
    memset(pages[3], 1, 4096);
    memset(pages[40], 2, 2 * 4096);
    memset(pages[43], 3, 4096);
    CU_ASSERT_EQUAL(out_open(&o, false), 0);
    CU_ASSERT_EQUAL(out_pages(&o, head, page, 64), 0);
    CU_ASSERT_EQUAL(out_bytes(&o, "end", 3), 0);
    CU_ASSERT_EQUAL(o.bytes, 8 + 8 + 512 + 64 * 4096 + 3);
    CU_ASSERT(fstat(fd, &st) == 0 && (uint64_t)st.st_size == o.bytes && st.st_blocks * 512 < 16 * 4096);
    CU_ASSERT_EQUAL(pread(fd, back, sizeof(back), 528), (ssize_t)sizeof(back));
    CU_ASSERT_EQUAL(memcmp(back, pages, sizeof(back)), 0);
    out_close(&o);

    /* Holes are passed over when the pages are read; the rest is there. */
    struct stream_in in;
    struct record r;
    struct page_batch b;
    unsigned zeros = 0;
    int rc;

    CU_ASSERT_EQUAL(lseek(fd, 0, SEEK_SET), 0);
    stream_in_fd(&in, v, fd);
    CU_ASSERT_EQUAL_FATAL(in_record(&in, &r), 0);
    CU_ASSERT_EQUAL_FATAL(record_pages(&in, &r, 100, &b), 0);
    memset(back, 0, sizeof(back));
    for (unsigned i = 0, run; i < 64; i += run) {
        bool zero;

        run = in_run(&in, 64 - i, &zero);
        CU_ASSERT_FATAL(run >= 1 && run <= 64 - i);
        zeros += zero ? run : 0;
        rc = zero ? in_skip_pages(&in, run) : in_pages(&in, back + (size_t)i * 4096, run);
        CU_ASSERT_EQUAL_FATAL(rc, 0);
    }
    CU_ASSERT(zeros > 40);
    CU_ASSERT_EQUAL(memcmp(back, pages, sizeof(back)), 0);
    CU_ASSERT(in_bytes(&in, back, 3) == 0 && memcmp(back, "end", 3) == 0);
    stream_in_close(&in);
    close(fd);
}

/* Each write arrives as one packet: returns how many came for a fixed run of records, and what was in them. */
static unsigned packets_of(bool gather, uint8_t *all, size_t *n)
{
    static uint8_t body[GATHER_TEST_MAX];
    static const size_t sizes[] = { 8, 0, 4096, 24, 61500, 100, 90000, 16 };
    struct stream_out o = { .v = v };
    unsigned packets = 0;
    int fd[2];
    ssize_t got;

    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fd), 0);
    o.fd = fd[0];
    *n = 0;
    CU_ASSERT_EQUAL(out_open(&o, true), 0);
    if (gather)
        out_gather(&o);
    for (unsigned i = 0; i <= sizeof(sizes) / sizeof(sizes[0]); i++) {
        if (i < sizeof(sizes) / sizeof(sizes[0])) {
            struct iovec part = { body, sizes[i] };

            memset(body, (int)i + 1, sizes[i]);
            CU_ASSERT_EQUAL(out_record(&o, REC_VERIFY, &part, 1), 0);
            CU_ASSERT_EQUAL(out_checksum(&o), 0);
        } else if (gather) {
            CU_ASSERT_EQUAL(out_flush(&o), 0);
        }
        while ((got = recv(fd[1], all + *n, GATHER_TEST_MAX * 4 - *n, 0)) > 0) {
            *n += (size_t)got;
            packets++;
        }
    }
    CU_ASSERT_EQUAL(o.bytes, *n);
    out_close(&o);
    close(fd[0]);
    close(fd[1]);
    return packets;
}

/* The same bytes, checksums among them, in order, whatever fits and whatever does not. */
static void test_gathered(void)
{
    uint8_t *one = malloc(GATHER_TEST_MAX * 4), *other = malloc(GATHER_TEST_MAX * 4);
    size_t n = 0, m = 0;

    CU_ASSERT_FATAL(one && other);
    CU_ASSERT_EQUAL(packets_of(false, one, &n), 16);            /* a record and its checksum, eight times */
    CU_ASSERT_EQUAL(packets_of(true, other, &m), 4);            /* twice one that does not fit any more; the large one; the rest */
    CU_ASSERT_TRUE(n == m && memcmp(one, other, n) == 0);
    free(one);
    free(other);
}

/* A reader that does not read: the limit ends it, and so does a cancel. */
static void test_stalled_writer(void)
{
    static uint8_t much[1 << 20];
    atomic_bool cancel = false;
    int p[2];
    struct stream_out o = { .v = v, .stall_ms = 100, .cancel = &cancel };

    CU_ASSERT_EQUAL_FATAL(pipe(p), 0);
    o.fd = p[1];
    CU_ASSERT_EQUAL(out_open(&o, false), 0);
    CU_ASSERT_EQUAL(out_bytes(&o, much, sizeof(much)), -ETIMEDOUT);
    atomic_store(&cancel, true);
    CU_ASSERT_EQUAL(out_bytes(&o, much, sizeof(much)), -ECANCELED);
    CU_ASSERT(fcntl(p[1], F_GETFL) & O_NONBLOCK);
    out_close(&o);
    CU_ASSERT(!(fcntl(p[1], F_GETFL) & O_NONBLOCK));
    close(p[0]);
    close(p[1]);
}

/* A sender that says nothing. */
static void test_stalled_reader(void)
{
    struct stream_in in;
    char buf[8];
    int p[2];

    CU_ASSERT_EQUAL_FATAL(pipe(p), 0);
    stream_in_fd(&in, v, p[0]);
    in.stall_ms = 100;
    CU_ASSERT_EQUAL(write(p[1], "abc", 3), 3);
    CU_ASSERT_EQUAL(in_bytes(&in, buf, 8), -ETIMEDOUT);
    stream_in_close(&in);
    close(p[0]);
    close(p[1]);
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
        UNIT(test_round_trip), UNIT(test_offer_and_head), UNIT(test_every_cut), UNIT(test_every_flip),
        UNIT(test_lies), UNIT(test_holes), UNIT(test_gathered), UNIT(test_stalled_writer), UNIT(test_stalled_reader), UNIT(test_config_survives), { 0 },
    };
    int rc;

    v = vane_open(NULL, NULL);
    rc = unit_main("stream", cases);
    vane_close(v);
    return rc;
}
