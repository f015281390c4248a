/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "scribble.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_PAGES 64

static const uint8_t *input;
static size_t left;
static struct scribble_page pages[MAX_PAGES];
static unsigned nr_pages;

void scribble_pages(const struct scribble_page *list, unsigned n)
{
    nr_pages = n < MAX_PAGES ? n : MAX_PAGES;
    memcpy(pages, list, nr_pages * sizeof(pages[0]));
}

uint8_t scribble_byte(void)
{
    if (left == 0)
        return 0;
    left--;
    return *input++;
}

size_t scribble_bytes(void *to, size_t size)
{
    size_t n = size < left ? size : left;

    if (n > 0)
        memcpy(to, input, n);
    input += n;
    left -= n;
    return n;
}

const uint8_t *scribble_rest(size_t *size)
{
    *size = left;
    left = 0;
    return input;
}

static uint32_t word(void)
{
    uint32_t v = 0;

    scribble_bytes(&v, sizeof(v));
    return v;
}

/* Some bytes, anywhere in the page. */
static void write_bytes(const struct scribble_page *p)
{
    size_t at = (scribble_byte() | (size_t)scribble_byte() << 8) % PV_PAGE_SIZE, n = 1 + scribble_byte() % 48u;

    scribble_bytes((uint8_t *)p->page + at, n < PV_PAGE_SIZE - at ? n : PV_PAGE_SIZE - at);
}

/* One index, a little or altogether wrong. */
static void write_index(const struct scribble_page *p)
{
    uint32_t *index = (uint32_t *)p->page + scribble_byte() % 4;

    if (scribble_byte() & 1)
        *index = word();
    else
        *index += (uint32_t)(int8_t)scribble_byte();
}

/* An answer where the front end looks for it: its bytes are the input's. */
static void write_answer(const struct scribble_page *p)
{
    struct pv_sring *ring = p->page;
    uint8_t entry[16] = { 0 };
    uint32_t size = 1;

    if (p->entry_size == 0)
        return;
    while (size * 2 <= (PV_PAGE_SIZE - sizeof(*ring)) / p->entry_size)
        size *= 2;
    scribble_bytes(entry, p->entry_size < sizeof(entry) ? p->entry_size : sizeof(entry));
    memcpy(ring->entries + (ring->rsp_prod % size) * p->entry_size, entry,
           p->entry_size < sizeof(entry) ? p->entry_size : sizeof(entry));
    ring->rsp_prod++;
}

bool scribble(void)
{
    while (left > 0 && nr_pages > 0) {
        const uint8_t what = scribble_byte();
        const struct scribble_page *p = &pages[(what >> 3) % nr_pages];

        switch (what & 7) {
        case 0:
            return true;                /* enough for this turn */
        case 1:
        case 2:
            write_bytes(p);
            break;
        case 3:
            write_index(p);
            break;
        case 4:
        case 5:
            write_answer(p);
            break;
        case 6:
            memset(p->page, scribble_byte(), PV_PAGE_SIZE);
            break;
        default:
            peer_map(scribble_byte() | (unsigned)scribble_byte() << 8, what & 8, what & 16);
            break;
        }
    }
    return false;
}

bool scribble_back_end(void)
{
    peer_run_store();
    return scribble();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world w;

    if (size < 2)
        return 0;
    peer_reset();
    peer_xs(&w.xs);
    pv_grants_init(&w.grants);
    w.choice = data[0];
    input = data + 1;
    left = size - 1;
    nr_pages = 0;
    fuzz_one(&w);
    peer_free_all();
    return 0;
}
