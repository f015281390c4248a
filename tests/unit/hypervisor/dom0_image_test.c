/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0_image_test.c - from boot module to kernel: payloads, ELF, notes, layout, dom0_mem */
#include <lzma.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "../unit.h"
#include "dom0/builder.h"
#include "dom0/mem_size.h"
#include "dom0/unpack.h"
#include "hv_errno.h"
#include "kernel_image.h"

static const struct image_spec tiny = { .virt_base = 0xffffffff80000000, .paddr = 0, .memsz = 0x3000,
                                        .entry = 0xffffffff80000010, .mod_start_pfn = true };
/* Debian's 6.1 kernel as measured (abi-map 1.4). */
static const struct image_spec linux_like = { .virt_base = 0xffffffff80000000, .paddr = 0x1000000, .memsz = 0x3a00000,
                                              .entry = 0xffffffff830791c0, .init_p2m = 0x8000000000,
                                              .features = "!writable_page_tables|pae_pgdir_above_4gb",
                                              .mod_start_pfn = true };

/* ---- payloads ---- */

static size_t pack(enum payload_format f, const uint8_t *in, size_t n, uint8_t *out, size_t room)
{
    size_t done = 0;

    if (f == PAYLOAD_XZ) {
        lzma_options_lzma opt;
        lzma_lzma_preset(&opt, 6);
        lzma_filter chain[] = { { LZMA_FILTER_X86, NULL }, { LZMA_FILTER_LZMA2, &opt }, { LZMA_VLI_UNKNOWN, NULL } };
        CU_ASSERT_EQUAL(lzma_stream_buffer_encode(chain, LZMA_CHECK_CRC32, NULL, in, n, out, &done, room), LZMA_OK);
    } else if (f == PAYLOAD_ZSTD) {
        done = ZSTD_compress(out, room, in, n, 19);
        CU_ASSERT(!ZSTD_isError(done));
    } else {
        z_stream z = { .next_in = (Bytef *)(uintptr_t)in, .avail_in = (uInt)n, .next_out = out, .avail_out = (uInt)room };
        CU_ASSERT_EQUAL(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
        CU_ASSERT_EQUAL(deflate(&z, Z_FINISH), Z_STREAM_END);
        done = z.total_out;
        deflateEnd(&z);
    }
    return done;
}

/* A bzImage around a payload; gzip has its length word already. */
static size_t make_bzimage(uint8_t *b, enum payload_format f, const uint8_t *elf, size_t n)
{
    const uint32_t offset = 0x2cc, start = 5 * 512 + offset;

    memset(b, 0, start);
    b[0x1f1] = 4;
    memcpy(b + 0x202, "HdrS", 4);
    b[0x206] = 0x0f;
    b[0x207] = 0x02;
    size_t len = pack(f, elf, n, b + start, 32768);
    const uint32_t size = (uint32_t)n;
    if (f != PAYLOAD_GZIP) {
        memcpy(b + start + len, &size, 4);
        len += 4;
    }
    const uint32_t length = (uint32_t)len;
    memcpy(b + 0x248, &offset, 4);
    memcpy(b + 0x24c, &length, 4);
    return start + len;
}

static void payload_roundtrip(void)
{
    static uint8_t elf[8192], bz[65536], out[8192];
    static const enum payload_format formats[] = { PAYLOAD_XZ, PAYLOAD_ZSTD, PAYLOAD_GZIP };
    const size_t n = image_make(elf, &tiny);

    for (unsigned f = 0; f < ARRAY_SIZE(formats); f++) {
        const size_t total = make_bzimage(bz, formats[f], elf, n);
        struct payload p;
        const char *why = NULL;
        uint64_t done = 0;
        CU_ASSERT_EQUAL_FATAL(payload_find(&p, bz, total, &why), 0);
        CU_ASSERT_EQUAL(p.format, formats[f]);
        CU_ASSERT_EQUAL(p.unpacked_size, n);
        memset(out, 0xee, sizeof(out));
        CU_ASSERT_EQUAL(payload_unpack(&p, out, p.unpacked_size, &done, &why), 0);
        CU_ASSERT_EQUAL(done, n);
        CU_ASSERT_EQUAL(memcmp(out, elf, n), 0);
        /* one byte too small: an error, and nothing written behind the end */
        out[n - 1] = 0x5a;
        CU_ASSERT_NOT_EQUAL(payload_unpack(&p, out, n - 1, &done, &why), 0);
        CU_ASSERT_EQUAL(out[n - 1], 0x5a);
        /* a damaged byte in the middle is found */
        bz[total - 40] ^= 0x10;
        CU_ASSERT_EQUAL(payload_find(&p, bz, total, &why), 0);
        CU_ASSERT_NOT_EQUAL(payload_unpack(&p, out, sizeof(out), &done, &why), 0);
    }
}

static void payload_truncated(void)
{
    static uint8_t elf[8192], bz[65536], out[8192];
    const size_t total = make_bzimage(bz, PAYLOAD_XZ, elf, image_make(elf, &tiny));

    for (size_t n = 0; n < total; n++) {
        uint8_t *cut = malloc(n ? n : 1);       /* exact size: the sanitizer sees each overrun */
        struct payload p;
        const char *why = NULL;
        memcpy(cut, bz, n);
        CU_ASSERT_NOT_EQUAL(payload_find(&p, cut, n, &why), 0);
        CU_ASSERT_PTR_NOT_NULL(why);
        free(cut);
    }
    (void)out;
}

static void payload_refused(void)
{
    static uint8_t b[4096];
    struct payload p;
    const char *why = NULL;
    const uint32_t huge = 0xffffff00, big = 0x7fffffff;

    memcpy(b, "BZh9", 4);
    CU_ASSERT_EQUAL(payload_find(&p, b, sizeof(b), &why), -EINVAL);
    CU_ASSERT(strstr(why, "bzip2") != NULL);
    memset(b, 0, sizeof(b));
    CU_ASSERT_EQUAL(payload_find(&p, b, sizeof(b), &why), -EINVAL);
    memcpy(b + 0x202, "HdrS", 4);
    CU_ASSERT_EQUAL(payload_find(&p, b, sizeof(b), &why), -EINVAL);
    CU_ASSERT(strstr(why, "2.08") != NULL);
    b[0x207] = 2;
    b[0x206] = 0x0f;
    memcpy(b + 0x248, &huge, 4);
    memcpy(b + 0x24c, &big, 4);
    CU_ASSERT_EQUAL(payload_find(&p, b, sizeof(b), &why), -EINVAL);
    CU_ASSERT(strstr(why, "truncated") != NULL);
    /* a bomb: claims 3 GiB */
    memset(b, 0, sizeof(b));
    memcpy(b, "\x1f\x8b", 2);
    memcpy(b + sizeof(b) - 4, "\0\0\0\xc0", 4);
    CU_ASSERT_EQUAL(payload_find(&p, b, sizeof(b), &why), -EINVAL);
    CU_ASSERT(strstr(why, "512 MiB") != NULL);
}

/* ---- ELF and notes ---- */

static void notes_of_linux(void)
{
    static uint8_t elf[8192];
    struct pv_kernel k;
    const char *why = NULL;

    CU_ASSERT_EQUAL_FATAL(pv_kernel_parse(&k, elf, image_make(elf, &linux_like), &why), 0);
    CU_ASSERT_EQUAL(k.virt_base, 0xffffffff80000000);
    CU_ASSERT_EQUAL(k.vstart, 0xffffffff81000000);
    CU_ASSERT_EQUAL(k.vend, 0xffffffff84a00000);
    CU_ASSERT(k.has_init_p2m && k.init_p2m == 0x8000000000 && k.mod_start_pfn && !k.has_hypercall_page);
    CU_ASSERT_EQUAL(k.features_required, 1);            /* writable_page_tables */
    CU_ASSERT_EQUAL(k.features_supported, 1 | 1u << 4);
}

static bool refused(const struct image_spec *s, const char *because)
{
    static uint8_t elf[8192];
    struct pv_kernel k;
    const char *why = NULL;
    const int rc = pv_kernel_parse(&k, elf, image_make(elf, s), &why);

    if (rc != -EINVAL || !why || !strstr(why, because))
        printf("expected \"%s\": %d %s\n", because, rc, why ? why : "");
    return rc == -EINVAL && why && strstr(why, because);
}

static void kernels_refused(void)
{
    struct image_spec s = tiny;

    s.entry = 0;
    CU_ASSERT(refused(&s, "entry point"));
    s = tiny;
    s.memsz = 1UL << 41;
    CU_ASSERT(refused(&s, "too large"));
    s = tiny;
    s.memsz = ~0UL;
    CU_ASSERT(refused(&s, "too large"));
    s = tiny;
    s.paddr = ~0UL - 0x1000;
    CU_ASSERT(refused(&s, "wraps"));
    s = tiny;
    s.virt_base = ~0UL << 12;
    CU_ASSERT(refused(&s, "wraps"));
    s = tiny;
    s.hypercall_page = tiny.virt_base + 0x3000;
    CU_ASSERT(refused(&s, "hypercall page"));
    s = tiny;
    s.hypercall_page = tiny.virt_base + 0x10;
    CU_ASSERT(refused(&s, "hypercall page"));
    s = tiny;
    s.features = "!supervisor_mode_kernel";
    CU_ASSERT(refused(&s, "feature"));
    s = tiny;
    s.virt_base = 0xffffffff80000010;
    CU_ASSERT(refused(&s, "aligned"));
}

static void elf_truncated(void)
{
    static uint8_t elf[8192];
    const size_t total = image_make(elf, &tiny);

    for (size_t n = 0; n < total; n++) {
        uint8_t *cut = malloc(n ? n : 1);
        struct pv_kernel k;
        const char *why = NULL;
        memcpy(cut, elf, n);
        CU_ASSERT_EQUAL(pv_kernel_parse(&k, cut, n, &why), -EINVAL);
        CU_ASSERT_PTR_NOT_NULL(why);
        free(cut);
    }
}

/* ---- layout ---- */

static int solve(const struct image_spec *s, uint64_t pages, uint64_t initrd, struct dom0_layout *l, const char **why)
{
    static uint8_t elf[8192];
    struct pv_kernel k;

    CU_ASSERT_EQUAL_FATAL(pv_kernel_parse(&k, elf, image_make(elf, s), why), 0);
    return layout_solve(l, &k, pages, initrd, why);
}

/* The numbers measured on the reference for 1 GiB. */
static void layout_of_linux(void)
{
    struct dom0_layout l;
    const char *why = NULL;

    CU_ASSERT_EQUAL_FATAL(solve(&linux_like, 262144, 1000, &l, &why), 0);
    CU_ASSERT_EQUAL(l.v_start_info, 0xffffffff84a00000);
    CU_ASSERT_EQUAL(l.v_tables, 0xffffffff84a01000);
    CU_ASSERT_EQUAL(l.nr_tables, 41);
    CU_ASSERT_EQUAL(l.v_stack, 0xffffffff84a2a000);
    CU_ASSERT_EQUAL(l.v_end, 0xffffffff84c00000);
    CU_ASSERT_EQUAL(l.nr_p2m, 512);
    CU_ASSERT_EQUAL(l.v_p2m, 0x8000000000);
    CU_ASSERT_EQUAL(l.p2m_pfn, l.nr_mapped);
    CU_ASSERT_EQUAL(l.nr_p2m_tables, 3);
    CU_ASSERT_EQUAL(l.initrd_pfn, l.nr_mapped + 515);
    CU_ASSERT_EQUAL(l.v_initrd, 0);
}

static void layout_in_one_region(void)
{
    struct image_spec s = tiny;
    struct dom0_layout l;
    const char *why = NULL;

    s.mod_start_pfn = false;
    CU_ASSERT_EQUAL_FATAL(solve(&s, 32768, 10, &l, &why), 0);
    CU_ASSERT_EQUAL(l.v_initrd, tiny.virt_base + 0x3000);
    CU_ASSERT_EQUAL(l.initrd_pfn, 3);
    CU_ASSERT_EQUAL(l.v_p2m, l.v_initrd + 10 * PAGE_SIZE);
    CU_ASSERT_EQUAL(l.p2m_pfn, 13);
    CU_ASSERT_EQUAL(l.nr_p2m_tables, 0);
    CU_ASSERT(l.v_end - l.v_stack - PAGE_SIZE >= 512 << 10 && (l.v_end & 0x3fffff) == 0);
    CU_ASSERT(l.nr_tables >= 1 + layout_tables(l.v_start, l.v_end - l.v_start));
}

static void layout_refused(void)
{
    struct image_spec s = linux_like;
    struct dom0_layout l;
    const char *why = NULL;

    CU_ASSERT_EQUAL(solve(&s, 16384, 0, &l, &why), -ENOMEM);
    CU_ASSERT(strstr(why, "too little memory") != NULL);
    s.init_p2m = 0xffff800000000000;
    CU_ASSERT_EQUAL(solve(&s, 262144, 0, &l, &why), -EINVAL);
    s.init_p2m = 0xffff87fffffff000;
    CU_ASSERT_EQUAL(solve(&s, 262144, 0, &l, &why), -EINVAL);
    s.init_p2m = 0x7ffffffff000;
    CU_ASSERT_EQUAL(solve(&s, 262144, 0, &l, &why), -EINVAL);
    s.init_p2m = 0xffffffff81000000;
    CU_ASSERT_EQUAL(solve(&s, 262144, 0, &l, &why), -EINVAL);
    s.init_p2m = 0x8000000800;
    CU_ASSERT_EQUAL(solve(&s, 262144, 0, &l, &why), -EINVAL);
    s = tiny;
    s.virt_base = 0xffff800000000000;
    s.entry = s.virt_base;
    CU_ASSERT_EQUAL(solve(&s, 262144, 0, &l, &why), -EINVAL);
    s.virt_base = 0x800000000000;               /* not canonical */
    s.entry = s.virt_base;
    CU_ASSERT_EQUAL(solve(&s, 262144, 0, &l, &why), -EINVAL);
}

/* ---- dom0_mem= ---- */

static bool mem_is(const char *text, uint64_t avail, uint64_t pages, uint64_t max)
{
    struct dom0_mem m = { 0 };
    const int rc = dom0_mem_parse(text, avail, &m);

    if (rc || m.pages != pages || m.max_pages != max)
        printf("%s: %d %lu %lu\n", text ? text : "-", rc, m.pages, m.max_pages);
    return rc == 0 && m.pages == pages && m.max_pages == max;
}

static void memory_sizes(void)
{
    const uint64_t gib = 262144, mib = 256;
    struct dom0_mem m;

    CU_ASSERT(mem_is(NULL, gib, gib - 64 * mib, ~0UL));
    CU_ASSERT(mem_is(NULL, 16 * gib, 16 * gib - 128 * mib, ~0UL));
    CU_ASSERT(mem_is("512M", gib, 512 * mib, ~0UL));
    CU_ASSERT(mem_is("524288", gib, 512 * mib, ~0UL));
    CU_ASSERT(mem_is("4G", gib, gib, ~0UL));
    CU_ASSERT(mem_is("-256M", gib, 768 * mib, ~0UL));
    CU_ASSERT(mem_is("-2G", gib, 0, ~0UL));
    CU_ASSERT(mem_is("50%", gib, gib / 2, ~0UL));
    CU_ASSERT(mem_is("256M+25%", gib, 512 * mib, ~0UL));
    CU_ASSERT(mem_is("512M,max:512M", gib, 512 * mib, 512 * mib));
    CU_ASSERT(mem_is("max:512M", gib, 512 * mib, 512 * mib));
    CU_ASSERT(mem_is("min:256M,10%,max:1G", gib, 256 * mib, gib));
    CU_ASSERT(mem_is("99999999999T", gib, gib, ~0UL));
    CU_ASSERT_EQUAL(dom0_mem_parse("lots", gib, &m), -EINVAL);
    CU_ASSERT_EQUAL(dom0_mem_parse("512M;", gib, &m), -EINVAL);
    CU_ASSERT_EQUAL(dom0_mem_parse("512M+", gib, &m), -EINVAL);
    CU_ASSERT_EQUAL(dom0_mem_parse("120%", gib, &m), -EINVAL);
    CU_ASSERT_EQUAL(dom0_mem_parse("min:", gib, &m), -EINVAL);
}

static const struct unit_case cases[] = {
    UNIT(payload_roundtrip), UNIT(payload_truncated), UNIT(payload_refused), UNIT(notes_of_linux), UNIT(kernels_refused),
    UNIT(elf_truncated), UNIT(layout_of_linux), UNIT(layout_in_one_region), UNIT(layout_refused), UNIT(memory_sizes), { 0 }
};
int main(void) { return unit_main("dom0_image", cases); }
