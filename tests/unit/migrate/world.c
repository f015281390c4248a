/* SPDX-License-Identifier: GPL-2.0-or-later */
/* world.c - copies of the guest as two words in shared memory, and who watches them (world.h) */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../../dom0-tools/migrate/message.h"
#include "../../../dom0-tools/migrate/work.h"
#include "world.h"

#define IMAGE_BYTES 20000u

struct world *world;
enum migrate_role world_side;

void world_open(const char *dir, enum migrate_role side)
{
    static char state[2][256], run[2][256];
    char path[256];
    int fd;

    snprintf(path, sizeof(path), "%s/world", dir);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(*world)) < 0)
        abort();
    if (!world)
        world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    world_side = side;
    snprintf(state[side], sizeof(state[side]), "%s/%d/state", dir, (int)side);
    snprintf(run[side], sizeof(run[side]), "%s/%d/run/migrating", dir, (int)side);
    snprintf(path, sizeof(path), "%s/%d", dir, (int)side);
    mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/%d/run", dir, (int)side);
    mkdir(path, 0700);
    migrate_state_dir = state[side];
    migrate_run_dir = run[side];
}

void world_wrong(const char *what)
{
    if (atomic_fetch_add(&world->wrong, 1) == 0)
        snprintf(world->what, sizeof(world->what), "%s", what);
}

void world_step(void)
{
    if (atomic_fetch_add(&world->steps[world_side], 1) + 1 == world->kill_at[world_side])
        raise(SIGKILL);
}

/* ---- records: the real ones, which fail when they are told to, and may be the last thing done ---- */

int __real_record_store(struct vane *v, struct migrate_record *r);
int __wrap_record_store(struct vane *v, struct migrate_record *r);
int __wrap_record_store(struct vane *v, struct migrate_record *r)
{
    int rc;

    world_step();
    if (atomic_fetch_add(&world->stores[world_side], 1) + 1 == world->store_fails_at[world_side])
        return vane_fail(v, -ENOSPC, NULL, "no space left");
    rc = __real_record_store(v, r);
    world_step();
    return rc;
}

/* ---- guest.h ---- */

int guest_look(struct vane *v, const struct migrate_record *r, enum guest_is *is)
{
    (void)v;
    *is = atomic_load(&world->copy[r->role]);
    return 0;
}

int guest_send(struct vane *v, const struct migrate_record *r, int fd, const struct save_options *o, int64_t *down_ms)
{
    struct save_progress p = { .phase = SAVE_CONFIG };
    uint32_t n = (uint32_t)o->offer_len;
    uint8_t page[1000] = { 0 };
    int rc = bytes_write(fd, 2000, "XL00", 4);

    if (rc == 0)
        rc = bytes_write(fd, 2000, &n, sizeof(n));
    if (rc == 0)
        rc = bytes_write(fd, 2000, o->offer, o->offer_len);
    if (rc == 0)
        rc = o->progress(o->opaque, &p);
    atomic_store(&world->summed, o->checksum);
    for (unsigned i = 0; i < IMAGE_BYTES / sizeof(page) && rc == 0; i++) {
        if (i == 10) {
            atomic_store(&world->holding, true);
            while (atomic_load(&world->hold) && !atomic_load(o->cancel))
                usleep(1000);
            p.phase = SAVE_SUSPEND;
            rc = o->progress(o->opaque, &p);
            atomic_store(&world->copy[r->role], GUEST_STILL);
            *down_ms = vane_now_ms();
            world_step();
            p.phase = SAVE_FINAL;
            if (rc == 0)
                rc = o->progress(o->opaque, &p);
        }
        if (rc == 0 && atomic_load(o->cancel))
            rc = -ECANCELED;
        if (rc == 0)
            rc = bytes_write(fd, 2000, page, sizeof(page));
    }
    if (rc < 0) {                                   /* as stream_save() does */
        atomic_store(&world->copy[r->role], GUEST_RUNS);
        return vane_fail(v, rc, NULL, "the image was not sent: %s", strerror(-rc));
    }
    world_step();
    return 0;
}

int guest_settle(struct vane *v, const struct migrate_record *r)
{
    (void)r;
    return world->settle_fails ? vane_fail(v, -EIO, NULL, "a disk hangs") : 0;
}

int guest_set_aside(struct vane *v, const struct migrate_record *r)
{
    (void)v;
    (void)r;
    return 0;
}

int guest_resume(struct vane *v, const struct migrate_record *r)
{
    (void)v;
    world_step();
    if (atomic_load(&world->copy[MIGRATE_TARGET]) == GUEST_RUNS || atomic_load(&world->started))
        world_wrong("I1: the source goes on although the target has started");
    if (atomic_load(&world->copy[r->role]) == GUEST_GONE)
        return vane_fail(v, -ESRCH, NULL, "it is gone");
    atomic_store(&world->went_on, true);
    atomic_store(&world->copy[r->role], GUEST_RUNS);
    world_step();
    return 0;
}

int guest_welcome(struct vane *v, const struct migrate_record *offer)
{
    (void)offer;
    usleep((unsigned)world->welcome_ms * 1000);
    return world->welcome_fails ? vane_fail(v, -ENOMEM, "make room", "no room") : 0;
}

int guest_receive(struct vane *v, struct stream_in *in, struct vane_config *cfg, struct migrate_record *r, struct guest_hold **hold)
{
    uint8_t byte;
    int rc = 0;

    *hold = guest_hold(cfg, r);
    for (unsigned i = 0; i < IMAGE_BYTES && rc == 0; i++) {
        rc = bytes_read(in->fd, 20000, &byte, 1);
        if (i == 15000)
            world_step();
    }
    if (rc == 0 && world->receive_fails)
        rc = -ENOMEM;
    if (rc < 0)
        return vane_fail(v, rc, NULL, "the image did not arrive: %s", strerror(-rc));
    atomic_store(&world->copy[MIGRATE_TARGET], GUEST_STILL);
    r->domid = 7;
    world_step();
    return 0;
}

int guest_start(struct vane *v, const struct migrate_record *r, const struct vane_config *cfg)
{
    (void)cfg;
    world_step();
    if (world->start_fails) {
        atomic_store(&world->bad, true);
        return vane_fail(v, -EIO, NULL, "no back end");
    }
    if (r->state != MIG_COMMITTED)
        world_wrong("I5: started without a record");
    if (atomic_load(&world->copy[MIGRATE_SOURCE]) == GUEST_RUNS || atomic_load(&world->went_on))
        world_wrong("I1: the target starts although the source goes on");
    atomic_store(&world->started, true);
    atomic_store(&world->copy[MIGRATE_TARGET], GUEST_RUNS);
    world_step();
    return 0;
}

/* The guest's place on the network: what comes at the source while it stands still must be heard at the target. */
struct guest_hold {
    enum migrate_role role;
    bool keeps, arrived;
};

struct guest_hold *guest_hold(const struct vane_config *cfg, const struct migrate_record *r)
{
    struct guest_hold *h = calloc(1, sizeof(*h));

    (void)cfg;
    if (h)
        h->role = r->role;
    return h;
}

struct guest_hold *guest_hold_own(struct vane *v, const struct migrate_record *r)
{
    (void)v;
    return guest_hold(NULL, r);
}

void guest_keep(struct guest_hold *h)
{
    if (!h)
        return;
    if (atomic_load(&world->copy[h->role]) != GUEST_STILL)
        world_wrong("frames are kept for a copy that is not there, or runs");
    h->keeps = true;
}

void guest_announce(struct guest_hold *h)
{
    if (!h || !h->keeps || atomic_load(&world->copy[MIGRATE_TARGET]) == GUEST_GONE)
        world_wrong("the network is told of a copy that is not there");
}

size_t guest_kept(struct guest_hold *h, uint8_t *to, size_t room)
{
    if (!h->keeps)
        world_wrong("nobody has kept what came for the guest");
    memset(to, 'f', room);
    return room;
}

void guest_frames(struct guest_hold *h, const uint8_t *bytes, size_t n)
{
    if (n != MESSAGE_BULK_MAX || bytes[0] != 'f' || bytes[n - 1] != 'f' || !h || !h->arrived)
        world_wrong("the frames are not those that were kept");
    atomic_store(&world->frames, true);
}

void guest_arrived(struct guest_hold *h)
{
    if (!atomic_load(&world->started))
        world_wrong("the network is told of a copy that does not run");
    if (h)
        h->arrived = true;
}

void guest_hold_end(struct guest_hold *h)
{
    if (h && h->role == MIGRATE_TARGET && !h->arrived && atomic_load(&world->copy[MIGRATE_TARGET]) == GUEST_RUNS)
        world_wrong("the network was not told of the copy that runs");
    free(h);
}

int guest_rename(struct vane *v, const struct migrate_record *r)
{
    (void)r;
    /* as on one host, where the source's copy has the name as long as it lives */
    return atomic_load(&world->copy[MIGRATE_SOURCE]) == GUEST_GONE ? 0 : vane_fail(v, -EEXIST, NULL, "it has the name");
}

int guest_destroy(struct vane *v, const struct migrate_record *r)
{
    world_step();
    if (r->role == MIGRATE_SOURCE && !atomic_load(&world->started))
        world_wrong("I6: the source drops its copy before the target has started");
    if (r->role == MIGRATE_TARGET && atomic_load(&world->copy[MIGRATE_TARGET]) == GUEST_RUNS)
        world_wrong("the target drops a copy that runs");
    if (r->role == MIGRATE_TARGET && atomic_load(&world->copy[MIGRATE_SOURCE]) == GUEST_GONE)
        world_wrong("I2: the last copy is dropped");
    if (r->role == MIGRATE_TARGET && atomic_fetch_sub(&world->undroppable, 1) > 0)
        return vane_fail(v, -ENODEV, NULL, "no XenStore");
    atomic_store(&world->copy[r->role], GUEST_GONE);
    world_step();
    return 0;
}

/* ---- the stream, as far as the target looks at it ---- */

void stream_in_fd(struct stream_in *in, struct vane *v, int fd)
{
    in->v = v;
    in->fd = fd;
}

void stream_in_head(struct stream_in *in, const void *p, size_t n)
{
    memcpy(in->head, p, n);
}

void stream_in_close(struct stream_in *in)
{
    (void)in;
}

int stream_read_config(struct stream_in *in, struct vane_config **out)
{
    static struct vane_config cfg;
    struct migrate_record offer = { .name = "m", .guest = { { 1, 2, 3 } } };    /* what the configuration says by itself */
    static char name[256];
    uint32_t n;
    int rc = bytes_read(in->fd, 20000, &n, sizeof(n));

    *out = NULL;
    if (rc < 0 || memcmp(in->head, "XL00", 4) != 0 || n > sizeof(in->offer))
        return vane_fail(in->v, -EINVAL, NULL, "no stream");
    rc = bytes_read(in->fd, 20000, in->offer, n);
    if (rc < 0)
        return vane_fail(in->v, -EINVAL, NULL, "no offer");
    (void)!record_parse(&offer, (const char *)in->offer, n);
    in->offer_len = n;
    memcpy(name, offer.name, sizeof(name));
    cfg = (struct vane_config){ .name = name, .has_uuid = true, .uuid = offer.guest };
    *out = &cfg;
    return 0;
}

void vane_config_free(struct vane_config *c)
{
    (void)c;
}
