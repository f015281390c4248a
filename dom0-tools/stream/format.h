/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * format.h - the bytes of a saved domain
 *
 * ABI: docs/specs/libxc-migration-stream (version 3) inside libxl-migration-stream (version 2) inside
 * xl's save file header. Everything is little endian but the markers said to be big endian. Records of
 * our own are described in docs/streams.md.
 */
#ifndef VANE_STREAM_FORMAT_H
#define VANE_STREAM_FORMAT_H

#include <stdint.h>

#define XL_MAGIC "Xen saved domain, xl format\n \0 \r"      /* 32 bytes with its last NUL */
#define XL_BYTE_ORDER 0x01020304u
#define XL_FLAG_JSON 1u
#define XL_FLAG_STREAM_V2 2u

struct xl_header {
    char magic[32];
    uint32_t byte_order, mandatory, optional, optional_len;
};

#define LIBXL_IDENT "LibxlFmt"
#define LIBXL_VERSION 2u
struct libxl_header {
    char ident[8];
    uint32_t version, options;      /* big endian */
};
enum { LIBXL_END, LIBXL_CONTEXT };

#define LIBXC_ID 0x58454e46u        /* "XENF", big endian */
#define LIBXC_VERSION 3u
struct libxc_header {
    uint64_t marker;                /* all ones */
    uint32_t id, version;           /* big endian */
    uint16_t options, reserved[3];
};
struct libxc_domain {
    uint32_t type;                  /* 1: x86 PV */
    uint16_t page_shift, reserved;
    uint32_t xen_major, xen_minor;
};

struct record_header {
    uint32_t type, length;
};
#define RECORD_MAX (128u << 20)
#define RECORD_OPTIONAL 0x80000000u

enum record_type {
    REC_END, REC_PAGE_DATA, REC_PV_INFO, REC_P2M_FRAMES, REC_VCPU_BASIC, REC_VCPU_EXTENDED,
    REC_VCPU_XSAVE, REC_SHARED_INFO, REC_TSC_INFO, REC_HVM_CONTEXT, REC_HVM_PARAMS, REC_TOOLSTACK,
    REC_VCPU_MSRS, REC_VERIFY, REC_CHECKPOINT, REC_CHECKPOINT_DIRTY, REC_STATIC_DATA_END,
    REC_CPUID_POLICY, REC_MSR_POLICY, REC_KNOWN
};

/*
 * Ours. Who does not know the first two would make a domain with pages missing, so they are not
 * optional: xl refuses such a stream. The others may be skipped.
 */
#define REC_VANE_PACKED 0x76616e00u                     /* a PAGE_DATA body, compressed */
#define REC_VANE_ZERO 0x76616e01u                       /* pages that are all zeros */
#define REC_VANE_CHECKSUM (RECORD_OPTIONAL | 0x76616e02u)
#define REC_VANE_MEMORY (RECORD_OPTIONAL | 0x76616e03u) /* the target, when it is not what the head says */

struct rec_packed { uint32_t codec, raw_length; };              /* then the compressed body */
enum { PACKED_ZLIB = 1, PACKED_ZSTD = 2 };
struct rec_checksum { uint32_t kind, reserved; uint64_t bytes, value; };
enum { CHECKSUM_XXH64 = 1 };
struct rec_memory { uint64_t target_kb; };

struct rec_pv_info { uint8_t width, levels, reserved[6]; };
struct rec_p2m_frames { uint32_t start, end; };                 /* then uint64_t pfn[] */
struct rec_pages { uint32_t count, reserved; };                 /* then uint64_t pfn[], pages */
struct rec_vcpu { uint32_t id, reserved; };                     /* then the state */
struct rec_tsc { uint32_t mode, khz; uint64_t nsec; uint32_t incarnation, reserved; };

/* A pfn word: the frame and, in the top bits, what it is. */
#define PFN_MASK ((1ull << 52) - 1)
#define PFN_TYPE_SHIFT 60
enum page_kind { KIND_DATA = 0, KIND_L1 = 1, KIND_L2, KIND_L3, KIND_L4, KIND_PINNED = 8,
                 KIND_BROKEN = 13, KIND_ALLOC_ONLY = 14, KIND_NONE = 15 };
static inline unsigned kind_level(unsigned kind)
{
    unsigned l = kind & 7u;

    return kind < KIND_BROKEN && l >= KIND_L1 && l <= KIND_L4 ? l : 0;
}
static inline int kind_has_data(unsigned kind)
{
    return kind < KIND_BROKEN;
}

#define BATCH_PAGES 1024u
#define BATCH_BYTES (sizeof(struct rec_pages) + (size_t)BATCH_PAGES * (8 + 4096))
#define PTE_MFN_SHIFT 12
#define PTE_MFN_MASK 0xffffffffffull        /* 40 bits of frame number */
#define PTE_PRESENT 1ull
#define PTE_PSE 0x80ull
#define L4_HOLE_FIRST 256u                  /* the hypervisor's slots */
#define L4_HOLE_LAST 271u

#endif
