/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_test.c - unpacking kernel files and judging ELF images */
#include <errno.h>
#include <stdbool.h>

#include <bzlib.h>
#include <lz4hc.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "../../../dom0-tools/builder/kernel.h"
#include "../unit.h"
#include "elf_image.h"

static struct image img;
static uint8_t packed[128 * 1024];

/* A bzImage around a payload, with the unpacked size behind it as the kernel build appends it. */
static size_t bzimage(uint8_t *out, const uint8_t *payload, size_t n)
{
    uint32_t off = 0x100, len = (uint32_t)n + 4;
    size_t start = (2 + 1) * 512;

    memset(out, 0, start + off);
    out[0x1f1] = 2;
    memcpy(out + 0x202, "HdrS", 4);
    out[0x206] = 0x0f;
    out[0x207] = 0x02;
    memcpy(out + 0x248, &off, 4);
    memcpy(out + 0x24c, &len, 4);
    memcpy(out + start + off, payload, n);
    memcpy(out + start + off + n, "\0\1\2\3", 4);
    return start + off + n + 4;
}

static void unpacks_to_image(const uint8_t *payload, size_t n)
{
    static uint8_t file[160 * 1024];
    const char *why = NULL;
    uint8_t *out;
    size_t len, got = bzimage(file, payload, n);
    bool plain;
    int rc = kernel_unpack(file, got, &out, &len, &plain, &why);

    CU_ASSERT_EQUAL(rc, 0);
    if (rc == 0) {
        CU_ASSERT_EQUAL(len, img.len);
        CU_ASSERT(len == img.len && memcmp(out, img.bytes, len) == 0);
        CU_ASSERT_FALSE(plain);
    }
    free(out);
    for (size_t cut = 0; cut < got; cut += got / 13 + 1) {     /* cut short: an error, never a crash */
        CU_ASSERT(kernel_unpack(file, cut, &out, &len, &plain, &why) < 0 || plain || len != img.len ||
                  cut > got - 8);
        free(out);
    }
}

static void test_gzip(void)
{
    z_stream z = {0};

    image_make(&img);
    deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    z.next_in = img.bytes;
    z.avail_in = (uInt)img.len;
    z.next_out = packed;
    z.avail_out = sizeof(packed);
    CU_ASSERT_EQUAL(deflate(&z, Z_FINISH), Z_STREAM_END);
    unpacks_to_image(packed, sizeof(packed) - z.avail_out);
    deflateEnd(&z);
}

static void test_xz_with_bcj(void)
{
    lzma_options_lzma opt;
    lzma_filter f[] = { { LZMA_FILTER_X86, NULL }, { LZMA_FILTER_LZMA2, &opt },
                        { LZMA_VLI_UNKNOWN, NULL } };
    size_t n = 0;

    image_make(&img);
    lzma_lzma_preset(&opt, 6);
    CU_ASSERT_EQUAL(lzma_stream_buffer_encode(f, LZMA_CHECK_CRC32, NULL, img.bytes, img.len, packed, &n,
                                              sizeof(packed)), LZMA_OK);
    unpacks_to_image(packed, n);
}

static void test_zstd(void)
{
    image_make(&img);
    unpacks_to_image(packed, ZSTD_compress(packed, sizeof(packed), img.bytes, img.len, 19));
}

static void test_bzip2(void)
{
    unsigned n = sizeof(packed);

    image_make(&img);
    CU_ASSERT_EQUAL(BZ2_bzBuffToBuffCompress((char *)packed, &n, (char *)img.bytes, (unsigned)img.len,
                                             9, 0, 0), BZ_OK);
    unpacks_to_image(packed, n);
}

static void test_lz4_legacy(void)
{
    uint32_t n;

    image_make(&img);
    memcpy(packed, "\x02\x21\x4c\x18", 4);
    n = (uint32_t)LZ4_compress_HC((const char *)img.bytes, (char *)packed + 8, (int)img.len,
                                  sizeof(packed) - 8, 9);
    memcpy(packed + 4, &n, 4);
    unpacks_to_image(packed, n + 8);
}

static void test_plain_and_garbage(void)
{
    const char *why;
    uint8_t *out;
    size_t len;
    bool plain;

    image_make(&img);
    CU_ASSERT_EQUAL(kernel_unpack(img.bytes, img.len, &out, &len, &plain, &why), 0);
    CU_ASSERT_TRUE(plain);
    CU_ASSERT_EQUAL(len, img.len);
    CU_ASSERT_EQUAL(kernel_unpack((const uint8_t *)"hello", 5, &out, &len, &plain, &why), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(why);
}

static void test_parse(void)
{
    struct kernel k;
    const char *why;

    image_make(&img);
    CU_ASSERT_EQUAL(kernel_parse(img.bytes, img.len, &k, &why), 0);
    CU_ASSERT_EQUAL(k.n_seg, 2);
    CU_ASSERT_EQUAL(k.seg[0].pfn, 0x100);
    CU_ASSERT_EQUAL(k.seg[1].pfn, 0x200);
    CU_ASSERT_EQUAL(k.seg[1].offset, 0x10);
    CU_ASSERT_EQUAL(k.end_pfn, 0x201);
    CU_ASSERT_EQUAL(k.virt_base, IMAGE_BASE);
    CU_ASSERT_EQUAL(k.entry, IMAGE_BASE + 0x100040);
    CU_ASSERT(k.has_init_p2m && k.init_p2m == IMAGE_P2M && k.unmapped_ramdisk);
    CU_ASSERT_FALSE(k.has_hypercall_page);
    CU_ASSERT(k.trimmed <= img.len);
    CU_ASSERT_EQUAL(kernel_parse(img.bytes, k.trimmed, &k, &why), 0);
}

static void refused(const char *what)
{
    struct kernel k;
    const char *why = NULL;
    int rc = kernel_parse(img.bytes, img.len, &k, &why);

    if (rc >= 0)
        printf("accepted: %s\n", what);
    CU_ASSERT_EQUAL(rc, -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(why);
}

/* H112: each lie of a header is refused. */
static void test_refusals(void)
{
    image_make(&img);
    image_ph(&img, 0)->p_filesz = img.len;
    refused("a segment longer than the file");
    image_make(&img);
    image_ph(&img, 0)->p_memsz = ~0ull;
    refused("memsz of 2^64 - 1");
    image_make(&img);
    image_ph(&img, 0)->p_offset = ~0ull - 16;
    refused("an offset that wraps");
    image_make(&img);
    image_ph(&img, 1)->p_paddr = 0x101000;
    refused("overlapping segments");
    image_make(&img);
    image_ph(&img, 0)->p_paddr = 1ull << 60;
    refused("a segment beyond any memory");
    image_make(&img);
    image_ph(&img, 0)->p_filesz = 0x6000;
    refused("filesz above memsz");
    image_make(&img);
    image_eh(&img)->e_phoff = ~0ull - 8;
    refused("program headers outside");
    image_make(&img);
    image_ph(&img, 2)->p_filesz = 0;
    refused("no notes");
    image_make(&img);
    image_eh(&img)->e_machine = EM_386;
    refused("another machine");
    image_make(&img);
    image_note(&img, 10, "!supervisor_mode_kernel", 23);
    refused("supervisor_mode_kernel");
    image_make(&img);
    image_note_u(&img, 3, IMAGE_BASE + 8);
    refused("an unaligned base");
}

int main(void)
{
    static const struct unit_case cases[] = {
        UNIT(test_gzip), UNIT(test_xz_with_bcj), UNIT(test_zstd), UNIT(test_bzip2),
        UNIT(test_lz4_legacy), UNIT(test_plain_and_garbage), UNIT(test_parse), UNIT(test_refusals),
        { 0 },
    };

    return unit_main("kernel", cases);
}
