/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cards_test.c - frames that follow their guest: cards.c with cards that only remember what they were given */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../../dom0-tools/devices/device.h"
#include "../../../dom0-tools/lib/create.h"
#include "../../../dom0-tools/migrate/guest.h"
#include "../unit.h"

static bool awake, filtered;
static char given[2][100];              /* by card: a character a frame, its first; '.': its own are delivered now */
static unsigned closed;

bool vif_hold(uint32_t domid, const struct vane_nic *n, const struct vane_uuid *uuid, struct vif_hold *h)
{
    (void)domid;
    (void)uuid;
    *h = (struct vif_hold){ .bridge = -1, .card = -1, .index = (unsigned)n->devid, .may_keep = !filtered };
    memset(h->mac, n->devid + 1, sizeof(h->mac));
    return true;
}

void vif_keep(struct vif_hold *h) { h->keeps = true; }
void vif_announce(const struct vif_hold *h) { (void)h; }
void vif_is_here(const struct vif_hold *h) { (void)h; }
bool vif_is_awake(struct vif_hold *h) { return h->keeps && awake; }
void vif_deliver(struct vif_hold *h) { strcat(given[h->index], "."); }
void vif_hold_end(struct vif_hold *h) { (void)h; closed++; }

void vif_give(struct vif_hold *h, const uint8_t *frame, size_t n)
{
    char text[2] = { n ? (char)frame[0] : '0', '\0' };

    strcat(given[h->index], text);
}

/* Frames as the source's cards have them: the n-th has n bytes and begins with the n-th letter of @text. */
size_t vif_kept(struct vif_hold *h, uint8_t *to, size_t room)
{
    const char *text = h->index == 0 ? "abc" : "XY";
    size_t used = 0;

    for (unsigned i = 0; text[i] && used + sizeof(struct vif_frame) + i + 1 <= room; i++) {
        struct vif_frame f = { .length = (uint16_t)(i + 1) };

        memcpy(f.mac, h->mac, sizeof(f.mac));
        memcpy(to + used, &f, sizeof(f));
        memset(to + used + sizeof(f), text[i], i + 1);
        used += sizeof(f) + i + 1;
    }
    return used;
}

int vane_config_recorded(struct vane *v, const struct vane_dom *d, struct vane_config **out)
{
    (void)v;
    (void)d;
    *out = NULL;
    return -ENOENT;
}

void vane_config_free(struct vane_config *cfg) { (void)cfg; }
int64_t vane_now_ms(void) { static int64_t now; return now++; }

static struct guest_hold *two_cards(void)
{
    static struct vane_nic nics[2] = { { .devid = 0 }, { .devid = 1 } };
    const struct vane_config cfg = { .nics = nics, .n_nics = 2 };
    const struct migrate_record r = { .domid = 3 };
    struct guest_hold *h = guest_hold(&cfg, &r);

    CU_ASSERT_PTR_NOT_NULL_FATAL(h);
    guest_keep(h);
    return h;
}

/* Give @n bytes to a guest that then connects. */
static void arrive(const uint8_t *bytes, size_t n)
{
    struct guest_hold *h = two_cards();

    memset(given, 0, sizeof(given));
    closed = 0;
    awake = false;
    guest_arrived(h);
    guest_frames(h, bytes, n);
    awake = true;
    guest_hold_end(h);
    CU_ASSERT_EQUAL(closed, 2);
}

static size_t kept(uint8_t *bytes, size_t room)
{
    struct guest_hold *h = two_cards();
    size_t n = guest_kept(h, bytes, room);

    guest_hold_end(h);
    return n;
}

static void test_the_sources_come_first(void)
{
    uint8_t bytes[200];
    size_t n = kept(bytes, sizeof(bytes));

    arrive(bytes, n);
    CU_ASSERT_STRING_EQUAL(given[0], "abc.");
    CU_ASSERT_STRING_EQUAL(given[1], "XY.");
}

/* Nothing goes round the rules of this host's bridge. */
static void test_where_more_than_addresses_decides(void)
{
    uint8_t bytes[200];
    size_t n = kept(bytes, sizeof(bytes));

    filtered = true;
    arrive(bytes, n);
    filtered = false;
    CU_ASSERT_STRING_EQUAL(given[0], ".");
}

static void test_no_room(void)
{
    uint8_t bytes[200];

    for (size_t room = 0; room < 70; room++)
        CU_ASSERT_TRUE(kept(bytes, room) <= room);
}

/* The bytes end where they end, and a length may be any. */
static void test_not_whole(void)
{
    uint8_t bytes[200], *exact;
    size_t n = kept(bytes, sizeof(bytes));

    for (size_t cut = 1; cut <= n; cut++) {
        exact = malloc(cut);                        /* so that the sanitizer sees a byte too far */
        memcpy(exact, bytes, cut);
        arrive(exact, cut);
        CU_ASSERT_TRUE(strncmp("abc", given[0], strlen(given[0]) - 1) == 0);
        free(exact);
    }
    memset(bytes + 6, 0xff, 2);
    arrive(bytes, n);
    CU_ASSERT_STRING_EQUAL(given[0], ".");
    memset(bytes, 9, 6);                            /* of a card that is not here */
    memset(bytes + 6, 0, 2);
    arrive(bytes, 8);
    CU_ASSERT_STRING_EQUAL(given[0], ".");
}

static void test_nothing_to_hold(void)
{
    uint8_t byte;

    guest_keep(NULL);
    guest_announce(NULL);
    guest_arrived(NULL);
    guest_frames(NULL, &byte, 1);
    CU_ASSERT_EQUAL(guest_kept(NULL, &byte, 1), 0);
    guest_hold_end(NULL);
}

int main(void)
{
    static const struct unit_case cases[] = {
        UNIT(test_the_sources_come_first), UNIT(test_where_more_than_addresses_decides), UNIT(test_no_room), UNIT(test_not_whole),
        UNIT(test_nothing_to_hold), { 0 },
    };

    return unit_main("cards", cases);
}
