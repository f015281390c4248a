/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_dev.c - block-attach/-list/-detach, network-attach/-list/-detach */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../devices/device.h"
#include "../lib/create.h"
#include "cli.h"

/* ---- lists ---- */

struct row {
    struct dev d;
    char be[STORE_PATH_MAX];
    uint64_t state, evtchn, ref, ref2;      /* all ones: not there */
    char mac[18];
};

/* Front-end values are the guest's own words: shown, never acted upon. */
static void read_row(struct store_io *io, struct row *r)
{
    uint32_t domid = r->d.domid, number = r->d.number;

    if (!dev_backend_path(io, &r->d, r->be))
        r->be[0] = '\0';
    store_get_dev_fe_state(io, domid, r->d.kind, number, &r->state);
    if (strcmp(r->d.kind, "vif") == 0) {
        store_get_vif_fe_event_channel(io, domid, number, &r->evtchn);
        store_get_vif_fe_tx_ring_ref(io, domid, number, &r->ref);
        store_get_vif_fe_rx_ring_ref(io, domid, number, &r->ref2);
        if (store_get_libxl_vif_mac(io, domid, number, r->mac, sizeof(r->mac)) < 0)
            snprintf(r->mac, sizeof(r->mac), "00:00:00:00:00:00");
    } else {
        store_get_vbd_fe_event_channel(io, domid, number, &r->evtchn);
        store_get_vbd_fe_ring_ref(io, domid, number, &r->ref);
    }
}

static struct json_object *row_json(const struct row *r)
{
    struct json_object *o = json_object_new_object();

    json_object_object_add(o, "domid", json_object_new_int((int)r->d.domid));
    json_object_object_add(o, "devid", json_object_new_int((int)r->d.number));
    json_object_object_add(o, "state", json_object_new_int((int)r->state));
    json_object_object_add(o, "backend", json_object_new_string(r->be));
    if (strcmp(r->d.kind, "vif") == 0) {
        json_object_object_add(o, "mac", json_object_new_string(r->mac));
    } else {
        char name[32];

        vane_vdev_name(r->d.number, name, sizeof(name));
        json_object_object_add(o, "vdev", json_object_new_string(name));
    }
    return o;
}

static void print_row(const struct row *r)
{
    if (strcmp(r->d.kind, "vif") == 0)
        printf("%-3u %-2d %s%6u %5d %6d %5d/%-11d %-30s\n", r->d.number, 0, r->mac, r->d.number,
               (int)r->state, (int)r->evtchn, (int)r->ref, (int)r->ref2, r->be);
    else
        printf("%-5u %-3d %-6u %-5d %-6d %-8d %-30s\n", r->d.number, 0, r->d.domid, (int)r->state,
               (int)r->evtchn, (int)r->ref, r->be);
}

static int list_kind(struct cli *c, int argc, char **argv, const char *kind)
{
    struct json_object *a = c->json ? json_object_new_array() : NULL;
    int rc = 0;

    if (!cli_args(c, argc, argv, 1, 1, 64))
        return EXIT_FAILURE;
    if (!a && strcmp(kind, "vif") == 0)
        printf("%-3s %-2s %-17s %-6s %-5s %-6s %5s/%-11s %-30s\n", "Idx", "BE", "Mac Addr.", "handle",
               "state", "evt-ch", "tx-", "rx-ring-ref", "BE-path");
    else if (!a)
        printf("%-5s %-3s %-6s %-5s %-6s %-8s %-30s\n", "Vdev", "BE", "handle", "state", "evt-ch",
               "ring-ref", "BE-path");
    fflush(stdout);
    for (int i = 1; i < argc; i++) {
        struct vane_dom d;
        struct dev *list;
        int n;

        if (vane_dom_find(c->v, argv[i], &d) < 0) {
            rc = cli_error(c);
            continue;
        }
        n = dev_list(vane_store(c->v), d.domid, &list);
        for (int k = 0; k < n; k++) {
            struct row r = { list[k], "", UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, "" };

            if (strcmp(list[k].kind, kind) != 0)
                continue;
            read_row(vane_store(c->v), &r);
            if (a)
                json_object_array_add(a, row_json(&r));
            else
                print_row(&r);
        }
        free(list);
    }
    return a ? cli_json(a) : rc;
}

int cmd_block_list(struct cli *c, int argc, char **argv)
{
    return list_kind(c, argc, argv, "vbd");
}

int cmd_network_list(struct cli *c, int argc, char **argv)
{
    return list_kind(c, argc, argv, "vif");
}

/* ---- attach ---- */

struct attach {
    uint32_t domid;
    struct vbd vbd;
    struct vane_nic nic;
    struct vane_uuid uuid;
};

static int store_vbd(struct vane *v, struct store_io *io, void *arg)
{
    struct attach *a = arg;
    struct dev d = { a->domid, "vbd", a->vbd.d->number };

    if (dev_exists(io, &d))
        return vane_fail(v, -EEXIST, NULL, "domain %u already has a disk %s", a->domid, a->vbd.d->vdev);
    return vbd_store(v, io, a->domid, &a->vbd);
}

static int store_vif(struct vane *v, struct store_io *io, void *arg)
{
    struct attach *a = arg;
    struct dev d = { a->domid, "vif", (uint32_t)a->nic.devid };

    if (dev_exists(io, &d))
        return vane_fail(v, -EEXIST, NULL, "domain %u already has a vif %u", a->domid, d.number);
    return vif_store(v, io, a->domid, &a->nic, &a->uuid);
}

/* The device was written but its back end failed: take it out again, keep the first error. */
static int undo(struct cli *c, const struct dev *d)
{
    struct vane_error first = *vane_last_error(c->v);

    if (dev_remove(c->v, d, true) < 0)
        vane_log(c->v, VANE_WARN, "%s", vane_last_error(c->v)->what);
    vane_fail(c->v, first.code, first.hint, "%s", first.what);
    return cli_error(c);
}

static void remember(struct cli *c, const struct vane_dom *d, const char *key, char **spec, int n)
{
    char line[1024];
    int at = snprintf(line, sizeof(line), "%s += [ \"", key);

    for (int i = 0; i < n && at < (int)sizeof(line); i++)
        at += snprintf(line + at, sizeof(line) - (size_t)at, "%s%s", i ? "," : "", spec[i]);
    if (at >= (int)sizeof(line) - 4 || strpbrk(line + strlen(key) + 7, "\"\\\n"))
        return;                     /* cannot be written down: it will be missing after a restart */
    snprintf(line + at, sizeof(line) - (size_t)at, "\" ]");
    if (vane_record_append(c->v, vane_record_of(d), line) < 0)
        vane_log(c->v, VANE_WARN, "%s", vane_last_error(c->v)->what);
}

int cmd_block_attach(struct cli *c, int argc, char **argv)
{
    struct attach a = {0};
    struct vane_disk disk;
    struct vane_dom d;
    struct dev dev;
    int rc;

    if (!cli_args(c, argc, argv, 1, 2, 16))
        return EXIT_FAILURE;
    if (cli_find_settled(c, argv[1], &d))
        return EXIT_FAILURE;
    if (vane_config_parse_disk(c->v, (unsigned)argc - 2, (const char *const *)(argv + 2), &disk) < 0)
        return cli_error(c);
    a.domid = d.domid;
    if (c->dry_run) {
        printf("disk: %s as %s (%s)\n", disk.target, disk.vdev, disk.writable ? "w" : "r");
        vane_disk_free(&disk);
        return 0;
    }
    rc = vbd_open(c->v, d.domid, &disk, VBD_MAKE, &a.vbd);
    if (rc == 0)
        rc = store_transaction(c->v, store_vbd, &a);
    if (rc < 0) {
        rc = cli_error(c);
    } else if (vbd_finish(c->v, d.domid, &a.vbd) < 0) {
        dev = (struct dev){ d.domid, "vbd", disk.number };
        rc = undo(c, &dev);
    } else {
        remember(c, &d, "disk", argv + 2, argc - 2);
        rc = cli_ok(c, "vdev", disk.vdev);
    }
    vbd_close(c->v, &a.vbd);
    vane_disk_free(&disk);
    return rc;
}

/* The next free device number of the kind. */
static int next_devid(struct vane *v, uint32_t domid)
{
    struct dev d = { domid, "vif", 0 };

    while (dev_exists(vane_store(v), &d) && d.number < 255)
        d.number++;
    return (int)d.number;
}

int cmd_network_attach(struct cli *c, int argc, char **argv)
{
    struct attach a = {0};
    struct vane_dom d;
    struct dev dev;
    char spec[1024] = "";
    int rc;

    if (!cli_args(c, argc, argv, 1, 1, 32))
        return EXIT_FAILURE;
    for (int i = 2; i < argc; i++)
        snprintf(spec + strlen(spec), sizeof(spec) - strlen(spec), "%s%s", i > 2 ? "," : "", argv[i]);
    if (cli_find_settled(c, argv[1], &d))
        return EXIT_FAILURE;
    if (vane_config_parse_nic(c->v, spec, &a.nic) < 0 ||
        vane_host_conf_nic(c->v, VANE_HOST_CONF, &a.nic) < 0)
        return cli_error(c);
    a.domid = d.domid;
    a.uuid = d.uuid;
    if (a.nic.devid < 0)
        a.nic.devid = next_devid(c->v, d.domid);
    if (c->dry_run) {
        printf("vif: %d on %s\n", a.nic.devid, a.nic.bridge ? a.nic.bridge : "the first bridge");
        vane_nic_free(&a.nic);
        return 0;
    }
    dev = (struct dev){ d.domid, "vif", (uint32_t)a.nic.devid };
    rc = store_transaction(c->v, store_vif, &a);
    if (rc < 0)
        rc = cli_error(c);
    else if (vif_finish(c->v, d.domid, &a.nic) < 0)
        rc = undo(c, &dev);
    else {
        remember(c, &d, "vif", argv + 2, argc - 2);
        rc = cli_ok(c, NULL, NULL);
    }
    vane_nic_free(&a.nic);
    return rc;
}

/* ---- detach ---- */

/* "xvda", "51712", "0" or a MAC address to a device number. */
static bool find_number(struct cli *c, uint32_t domid, const char *kind, const char *s, uint32_t *out)
{
    struct dev *list;
    int n = dev_list(vane_store(c->v), domid, &list);
    bool found = false, numeric = strspn(s, "0123456789") == strlen(s);
    uint32_t number = 0;
    uint64_t given = 0;

    if (numeric ? !cli_number(s, UINT32_MAX, &given) : strcmp(kind, "vbd") == 0 && !vane_vdev_number(s, &number))
        n = 0;
    if (numeric)
        number = (uint32_t)given;
    for (int i = 0; i < n && !found; i++) {
        char mac[18];

        if (strcmp(list[i].kind, kind) != 0)
            continue;
        if (numeric || strcmp(kind, "vbd") == 0)
            found = list[i].number == number;
        else
            found = store_get_libxl_vif_mac(vane_store(c->v), domid, list[i].number, mac,
                                            sizeof(mac)) > 0 && strcasecmp(mac, s) == 0;
        if (found)
            *out = list[i].number;
    }
    free(list);
    return found;
}

static int detach(struct cli *c, int argc, char **argv, const char *kind)
{
    struct vane_dom d;
    struct dev dev = { .kind = kind };
    bool force = false;
    char *left[2];
    int n = 0;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--force") == 0 || strcmp(argv[i], "-f") == 0)
            force = true;
        else if (n < 2)
            left[n++] = argv[i];
    }
    if (n != 2)
        return cli_usage(c, argv[0]);
    if (cli_find_settled(c, left[0], &d))
        return EXIT_FAILURE;
    dev.domid = d.domid;
    if (!find_number(c, d.domid, kind, left[1], &dev.number))
        return cli_fail(c, "the -list command shows them", "Device %s not connected.", left[1]);
    return dev_remove(c->v, &dev, force) < 0 ? cli_error(c) : cli_ok(c, NULL, NULL);
}

int cmd_block_detach(struct cli *c, int argc, char **argv)
{
    return detach(c, argc, argv, "vbd");
}

int cmd_network_detach(struct cli *c, int argc, char **argv)
{
    return detach(c, argc, argv, "vif");
}
