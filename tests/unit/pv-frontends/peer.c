/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fake kernel and the fake back ends; owns every page it gave out and the store's nodes. */
#include "peer.h"

#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_PAGES 4096
#define MAX_NODES 128
#define GRANTS 2048

static uint8_t arena[MAX_PAGES][PV_PAGE_SIZE] __attribute__((aligned(4096)));   /* frame n is arena[n - 1] */
static uint8_t used[MAX_PAGES];
static unsigned pages_in_use;
static unsigned touched = MAX_PAGES;    /* pages from here on are as peer_free_all() leaves them */
static struct grant_entry_v1 table[GRANTS];
static uint64_t now;
static evtchn_port_t next_port;
static const uint8_t *lies;
static size_t lies_left;
static bool keep;
static bool answered;                   /* somebody got an answer since this was cleared */

static struct node {
    char path[XS_TEXT], value[XS_TEXT];
} nodes[MAX_NODES];
static unsigned nr_nodes;
static char watch_path[8][XS_TEXT], watch_token[8][XS_TEXT];
static unsigned nr_watches;
static struct xenstore_domain_interface *store;

static uint8_t disk[PEER_DISK_SECTORS * 512];

/* ---- lies ---- */

void peer_lies(const uint8_t *data, size_t len)
{
    lies = data;
    lies_left = data != NULL ? len : 0;
}

static uint8_t lie_byte(void)
{
    if (lies_left == 0)
        return 0;
    lies_left--;
    return *lies++;
}

/* True seldom enough that most of a connection works. */
static bool lie(void)
{
    return lies_left > 0 && lie_byte() > 235;
}

static uint32_t lie_word(void)
{
    uint32_t v = lie_byte();

    return v < 128 ? v : v << 24 | (uint32_t)lie_byte() << 16 | (uint32_t)lie_byte() << 8 | lie_byte();
}

/* ---- the kernel ---- */

static void *page_of(uint64_t frame)
{
    return frame >= 1 && frame <= MAX_PAGES && used[frame - 1] ? arena[frame - 1] : NULL;
}

void peer_free_all(void)
{
    memset(used, 0, sizeof(used));
    pages_in_use = 0;
    __asan_poison_memory_region(arena, (size_t)touched * PV_PAGE_SIZE);
    touched = 0;
}

/* First fit, with a poisoned page behind each run. */
void *pv_pages_alloc(unsigned n)
{
    for (unsigned at = 0, run = 0; at < MAX_PAGES; at++) {
        run = used[at] ? 0 : run + 1;
        if (run < n + 1)
            continue;
        unsigned first = at - n;
        touched = at > touched ? at : touched;
        memset(used + first, 1, n);
        pages_in_use += n;
        __asan_unpoison_memory_region(arena[first], (size_t)n * PV_PAGE_SIZE);
        memset(arena[first], 0, (size_t)n * PV_PAGE_SIZE);
        return arena[first];
    }
    abort();
}

uint64_t pv_frame(const void *page)
{
    size_t at = (size_t)((const uint8_t *)page - arena[0]);

    if (at % PV_PAGE_SIZE != 0 || at / PV_PAGE_SIZE >= MAX_PAGES || !used[at / PV_PAGE_SIZE])
        abort();
    return at / PV_PAGE_SIZE + 1;
}

void pv_pages_free(void *memory, unsigned n)
{
    uint64_t first = pv_frame(memory);

    for (unsigned ref = PV_GRANTS_RESERVED; ref < GRANTS; ref++)
        if (table[ref].flags != 0 && table[ref].frame >= first && table[ref].frame < first + n) {
            fprintf(stderr, "a granted page is freed (reference %u)\n", ref);
            abort();
        }
    memset(used + first - 1, 0, n);
    pages_in_use -= n;
    __asan_poison_memory_region(memory, (size_t)n * PV_PAGE_SIZE);
}

struct grant_entry_v1 *pv_grant_table(unsigned *entries)
{
    *entries = GRANTS;
    return table;
}

int pv_evtchn_alloc(domid_t remote)
{
    (void)remote;
    return (int)++next_port;
}

void pv_evtchn_close(evtchn_port_t port)
{
    (void)port;
}

uint64_t pv_now(void)
{
    return now += 1000;
}

/* ---- the daemon ---- */

static struct node *find(const char *path)
{
    for (unsigned i = 0; i < nr_nodes; i++)
        if (strcmp(nodes[i].path, path) == 0)
            return &nodes[i];
    return NULL;
}

const char *peer_get(const char *path)
{
    struct node *n = find(path);

    return n != NULL ? n->value : NULL;
}

static void put(const char *path, const char *value)
{
    struct node *n = find(path);

    if (n == NULL) {
        if (nr_nodes == MAX_NODES)
            return;
        n = &nodes[nr_nodes++];
    }
    snprintf(n->path, sizeof(n->path), "%s", path);
    snprintf(n->value, sizeof(n->value), "%s", value);
}

static void answer_bytes(const void *data, size_t len)
{
    const char *p = data;

    answered = true;
    /* The front reads between calls, so the ring has room for a whole message or the test is wrong. */
    for (size_t i = 0; i < len && store->rsp_prod - store->rsp_cons < XENSTORE_RING_SIZE; i++)
        store->rsp[MASK_XENSTORE_IDX(store->rsp_prod++)] = p[i];
}

static void answer(const struct xsd_sockmsg *request, uint32_t type, const char *data, size_t len)
{
    struct xsd_sockmsg head = { .type = type, .req_id = request->req_id, .tx_id = request->tx_id, .len = (uint32_t)len };

    if (lie())
        head.type = lie_word();
    if (lie())
        head.req_id = lie_word();
    if (lie())
        head.len = lie_word();
    answer_bytes(&head, sizeof(head));
    answer_bytes(data, len);
    if (lie())
        store->rsp_prod = lie_word();
    if (lie())
        store->rsp_cons = lie_word();
}

static void answer_text(const struct xsd_sockmsg *request, uint32_t type, const char *text)
{
    answer(request, type, text, strlen(text) + 1);
}

static void fire(const char *path)
{
    for (unsigned i = 0; i < nr_watches; i++) {
        struct xsd_sockmsg head = { .type = XS_WATCH_EVENT };
        char text[2 * XS_TEXT];
        size_t p = strlen(path) + 1, t = strlen(watch_token[i]) + 1;

        if (strcmp(watch_path[i], path) != 0)
            continue;
        memcpy(text, path, p);
        memcpy(text + p, watch_token[i], t);
        answer(&head, XS_WATCH_EVENT, text, p + t);
    }
}

void peer_put(const char *path, const char *value)
{
    put(path, value);
}

/* The back end follows the front's state. */
static void follow(const char *front, const char *back)
{
    char path[XS_TEXT];
    const char *state;

    snprintf(path, sizeof(path), "%s/state", front);
    state = peer_get(path);
    if (state == NULL)
        return;
    const char *next = strcmp(state, "3") == 0 || strcmp(state, "4") == 0 ? "4"
                       : strcmp(state, "5") == 0 || strcmp(state, "6") == 0 ? state : "2";
    if (lie())
        next = lie_byte() & 1 ? "6" : "999999999999999999999";
    snprintf(path, sizeof(path), "%s/state", back);
    if (peer_get(path) != NULL && strcmp(peer_get(path), next) == 0)
        return;
    put(path, next);
    /* Closed: everything is unmapped, unless we are told to cling to it. */
    if (strcmp(next, "6") == 0 && !keep)
        for (unsigned ref = PV_GRANTS_RESERVED; ref < GRANTS; ref++)
            table[ref].flags &= (uint16_t)~(GTF_reading | GTF_writing);
    fire(path);
}

static void serve(const struct xsd_sockmsg *m, char *payload)
{
    const char *value = payload + strlen(payload) + 1;
    struct node *n = find(payload);

    switch (m->type) {
    case XS_READ:
        if (n == NULL)
            answer_text(m, XS_ERROR, lie() ? "EWHATEVER" : "ENOENT");
        else
            answer(m, XS_READ, n->value, strlen(n->value));
        break;
    case XS_WRITE:
        put(payload, value);
        answer_text(m, XS_WRITE, "OK");
        follow("device/vbd/51712", "/b/vbd");
        follow("device/vif/0", "/b/vif");
        break;
    case XS_WATCH:
        if (nr_watches < 8) {
            snprintf(watch_path[nr_watches], XS_TEXT, "%s", payload);
            snprintf(watch_token[nr_watches++], XS_TEXT, "%s", value);
        }
        answer_text(m, XS_WATCH, "OK");
        fire(payload);
        break;
    case XS_TRANSACTION_START:
        answer_text(m, m->type, lie() ? "0" : "17");
        break;
    case XS_TRANSACTION_END:
        if (lie())
            answer_text(m, XS_ERROR, "EAGAIN");
        else
            answer_text(m, m->type, "OK");
        break;
    case XS_RM:
    case XS_UNWATCH:
        answer_text(m, m->type, "OK");
        break;
    default:
        answer_text(m, XS_ERROR, "ENOSYS");
        break;
    }
}

static void run_store(void)
{
    while (store != NULL && store->req_prod - store->req_cons >= sizeof(struct xsd_sockmsg)) {
        struct xsd_sockmsg m;
        static char payload[XENSTORE_PAYLOAD_MAX + 2];
        uint32_t cons = store->req_cons;

        for (size_t i = 0; i < sizeof(m); i++)
            ((char *)&m)[i] = store->req[MASK_XENSTORE_IDX(cons++)];
        if (m.len > XENSTORE_PAYLOAD_MAX || store->req_prod - cons < m.len)
            return;
        for (size_t i = 0; i < m.len; i++)
            payload[i] = store->req[MASK_XENSTORE_IDX(cons++)];
        payload[m.len] = payload[m.len + 1] = '\0';
        store->req_cons = cons;
        serve(&m, payload);
    }
}

/* ---- back ends ---- */

static uint64_t key_number(const char *path)
{
    const char *text = peer_get(path);

    return text != NULL ? strtoull(text, NULL, 10) : 0;
}

static uint8_t *map(grant_ref_t ref, bool write)
{
    if (ref < PV_GRANTS_RESERVED || ref >= GRANTS || !(table[ref].flags & GTF_permit_access) ||
        (write && (table[ref].flags & GTF_readonly)))
        return NULL;
    if (keep)
        table[ref].flags |= GTF_reading | GTF_writing;
    return page_of(table[ref].frame);
}

static struct pv_sring *ring_at(const char *key)
{
    return (struct pv_sring *)(void *)map((grant_ref_t)key_number(key), true);
}

static int16_t disk_segment(uint8_t op, const struct blkif_request_segment *s, uint64_t *sector)
{
    uint8_t *page = map(s->gref, op == BLKIF_OP_READ);
    size_t n = (size_t)(s->last_sect - s->first_sect + 1);

    if (page == NULL || s->last_sect > 7 || s->first_sect > s->last_sect || *sector + n > PEER_DISK_SECTORS)
        return BLKIF_RSP_ERROR;
    if (op == BLKIF_OP_READ)
        memcpy(page + s->first_sect * 512U, disk + *sector * 512, n * 512);
    else
        memcpy(disk + *sector * 512, page + s->first_sect * 512U, n * 512);
    *sector += n;
    return BLKIF_RSP_OKAY;
}

static int16_t disk_request(const struct blkif_request *req, uint8_t *op)
{
    const struct blkif_request_indirect *ind = (const void *)req;
    const struct blkif_request_segment *list = req->seg;
    uint64_t sector = req->sector_number;
    unsigned n = req->nr_segments;
    int16_t status = BLKIF_RSP_OKAY;

    *op = req->operation;
    if (req->operation == BLKIF_OP_INDIRECT) {
        list = (const void *)map(ind->indirect_grefs[0], false);
        n = ind->nr_segments;
        *op = ind->indirect_op;
        sector = ind->sector_number;
    }
    if (*op == BLKIF_OP_DISCARD || *op == BLKIF_OP_FLUSH_DISKCACHE)
        return BLKIF_RSP_OKAY;
    for (unsigned i = 0; list != NULL && status == BLKIF_RSP_OKAY && i < n; i++)
        status = disk_segment(*op, &list[i], &sector);
    return status;
}

#define QUEUES 4
static uint32_t disk_cons[QUEUES], tx_cons[QUEUES], rx_cons[QUEUES];    /* the back ends' own indices */

/* The ring of queue @q below @front: at the top when there is one queue only. */
static struct pv_sring *ring_of(const char *front, unsigned q, const char *key)
{
    char path[XS_TEXT];
    uint64_t queues;

    snprintf(path, sizeof(path), "%s/multi-queue-num-queues", front);
    queues = key_number(path);
    if (q >= (queues == 0 ? 1 : queues))
        return NULL;
    if (queues > 1)
        snprintf(path, sizeof(path), "%s/queue-%u/%s", front, q, key);
    else
        snprintf(path, sizeof(path), "%s/%s", front, key);
    return ring_at(path);
}

static void run_disk(unsigned q)
{
    struct pv_sring *s = ring_of("device/vbd/51712", q, "ring-ref");
    struct blkif_request *slots = s != NULL ? (void *)s->entries : NULL;

    if (s == NULL)
        return;
    while (disk_cons[q] != s->req_prod) {
        struct blkif_request req = slots[disk_cons[q]++ % 32];
        struct blkif_response rsp = { .id = req.id };

        rsp.status = disk_request(&req, &rsp.operation);
        if (lie())
            rsp.id = lie_word();
        if (lie())
            rsp.operation = lie_byte();
        if (lie())
            rsp.status = (int16_t)lie_word();
        memcpy(&slots[s->rsp_prod % 32], &rsp, sizeof(rsp));
        s->rsp_prod++;
        answered = true;
        if (lie())
            s->rsp_prod = lie_word();
    }
    s->req_event = s->req_prod + 1;
}

static void loop_back(struct pv_sring *rx, unsigned q, const uint8_t *data, size_t len, bool more)
{
    struct netif_rx_request *requests = (void *)rx->entries;
    struct netif_rx_response *answers = (void *)rx->entries;

    if (rx_cons[q] == rx->req_prod)
        return;                         /* no buffer: dropped */
    struct netif_rx_request req = requests[rx_cons[q]++ % 256];
    uint8_t *page = map(req.gref, true);
    if (page != NULL)
        memcpy(page, data, len);
    struct netif_rx_response rsp = { .id = req.id, .status = (int16_t)len, .flags = more ? NETRXF_more_data : 0 };
    if (lie())
        rsp.offset = (uint16_t)lie_word();
    if (lie())
        rsp.status = (int16_t)lie_word();
    if (lie())
        rsp.flags = (uint16_t)lie_word();
    if (lie())
        rsp.id = (uint16_t)lie_word();
    answers[rx->rsp_prod++ % 256] = rsp;
    if (lie())
        rx->rsp_prod = lie_word();
}

static void run_net(unsigned q)
{
    struct pv_sring *tx = ring_of("device/vif/0", q, "tx-ring-ref"), *rx = ring_of("device/vif/0", q, "rx-ring-ref");
    size_t left = 0;

    if (tx == NULL || rx == NULL)
        return;
    while (tx_cons[q] != tx->req_prod) {
        struct netif_tx_request req = ((struct netif_tx_request *)(void *)tx->entries)[tx_cons[q]++ % 256];
        struct netif_tx_response rsp = { .id = req.id, .status = NETIF_RSP_OKAY };
        uint8_t *page = map(req.gref, false);

        /* The first slot of a frame has the length of all of it. */
        size_t here = left > 0 ? req.size : req.flags & NETTXF_more_data ? PV_PAGE_SIZE : req.size;
        left = req.flags & NETTXF_more_data ? 1 : 0;
        if (page != NULL && here <= PV_PAGE_SIZE)
            loop_back(rx, q, page + req.offset, here, left != 0);
        if (lie())
            rsp.id = (uint16_t)lie_word();
        if (lie())
            rsp.status = (int16_t)lie_word();
        memcpy((struct netif_tx_request *)(void *)tx->entries + tx->rsp_prod % 256, &rsp, sizeof(rsp));
        tx->rsp_prod++;
        answered = true;
        if (lie())
            tx->rsp_prod = lie_word();
    }
    tx->req_event = tx->req_prod + 1;
}

static bool (*replacement)(void);       /* what serves the rings in place of all below, or NULL */

void peer_replace(bool (*fn)(void))
{
    replacement = fn;
}

void peer_run_store(void)
{
    run_store();
}

static void run_all(void)
{
    if (replacement != NULL) {
        answered |= replacement();
        return;
    }
    run_store();
    for (unsigned q = 0; q < QUEUES && key_number("/b/vbd/state") == 4; q++)
        run_disk(q);
    for (unsigned q = 0; q < QUEUES && key_number("/b/vif/state") == 4; q++)
        run_net(q);
}

void pv_evtchn_send(evtchn_port_t port)
{
    (void)port;
    if (!lie())
        run_all();
}

/* A peer that has nothing more to say is waited for in leaps: the front ends must give up, but not slowly. */
void pv_wait(evtchn_port_t port, uint64_t when)
{
    static unsigned idle;

    (void)port;
    if (when > now)
        now = when;
    answered = false;
    run_all();
    idle = answered ? 0 : idle + 1;
    if (idle > 3)
        now += 10000000000UL;
}

void peer_xs(struct xs *xs)
{
    store = pv_pages_alloc(1);
    xs_init(xs, store, 1);
}

void peer_new_domain(struct xs *xs, struct pv_grants *grants)
{
    memset(disk_cons, 0, sizeof(disk_cons));
    memset(tx_cons, 0, sizeof(tx_cons));
    memset(rx_cons, 0, sizeof(rx_cons));
    memset(store, 0, sizeof(*store));
    nr_watches = 0;
    next_port = 10;
    put("/b/vbd/state", "2");
    put("/b/vif/state", "2");
    pv_grants_init(grants);
    xs_init(xs, store, 1);
}

void peer_keep_mappings(bool on)
{
    keep = on;
}

uint8_t *peer_disk(void)
{
    return disk;
}

unsigned peer_pages_in_use(void)
{
    return pages_in_use;
}

void peer_map(unsigned n, bool reading, bool writing)
{
    uint16_t *flags = &table[PV_GRANTS_RESERVED + n % (GRANTS - PV_GRANTS_RESERVED)].flags;

    *flags &= (uint16_t)~(GTF_reading | GTF_writing);
    if (*flags & GTF_permit_access)
        *flags |= (uint16_t)((reading ? GTF_reading : 0) | (writing ? GTF_writing : 0));
}

unsigned peer_grants_in_use(void)
{
    unsigned n = 0;

    for (unsigned ref = PV_GRANTS_RESERVED; ref < GRANTS; ref++)
        n += table[ref].flags != 0;
    return n;
}

void peer_reset(void)
{
    peer_free_all();
    memset(table, 0, sizeof(table));
    memset(disk, 0, sizeof(disk));
    pages_in_use = 0;
    nr_nodes = nr_watches = 0;
    memset(disk_cons, 0, sizeof(disk_cons));
    memset(tx_cons, 0, sizeof(tx_cons));
    memset(rx_cons, 0, sizeof(rx_cons));
    next_port = 10;
    keep = false;
    store = NULL;
    replacement = NULL;
    peer_lies(NULL, 0);
    peer_put("device/vbd/51712/backend", "/b/vbd");
    peer_put("device/vbd/51712/backend-id", "0");
    peer_put("/b/vbd/state", "2");
    peer_put("/b/vbd/multi-queue-max-queues", "4");
    peer_put("/b/vbd/feature-max-indirect-segments", "256");
    peer_put("/b/vbd/feature-flush-cache", "1");
    peer_put("/b/vbd/feature-discard", "1");
    peer_put("/b/vbd/sectors", "2048");
    peer_put("/b/vbd/sector-size", "512");
    peer_put("/b/vbd/info", "0");
    peer_put("device/vif/0/backend", "/b/vif");
    peer_put("device/vif/0/backend-id", "0");
    peer_put("device/vif/0/mac", "00:16:3e:0a:0B:0c");
    peer_put("/b/vif/state", "2");
    peer_put("/b/vif/multi-queue-max-queues", "4");
    peer_put("/b/vif/feature-sg", "1");
}
