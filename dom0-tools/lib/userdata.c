/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * userdata.c - a domain's configuration where Debian's xl looks for it, and the other way round
 *
 * libxl keeps the JSON of a domain in a file named after it. Written for our domains, `xl list -l`,
 * `xl save` and `xl migrate` work on them; read, `vane save` works on xl's.
 *
 * ABI: libxl's userdata "libxl-json", /var/lib/xen/userdata-d.<domid>.<uuid>.libxl-json.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "create.h"

#define JSON_MAX (1u << 20)

static void userdata_path(char out[160], struct vane_record r, const char *suffix)
{
    char s[VANE_UUID_LEN];

    vane_uuid_format(s, &r.uuid);
    snprintf(out, 160, "/var/lib/xen/userdata-d.%u.%s.libxl-json%s", r.domid, s, suffix);
}

void vane_userdata_write(struct vane *v, struct vane_record r, const struct vane_config *cfg)
{
    char path[160], tmp[160], uuid[VANE_UUID_LEN], *json;
    size_t len;
    int fd;

    vane_uuid_format(uuid, &r.uuid);
    json = vane_config_json(cfg, uuid);
    len = json ? strlen(json) + 1 : 0;              /* libxl counts the NUL */
    userdata_path(path, r, "");
    userdata_path(tmp, r, ".new");
    fd = json ? open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    if (fd < 0 || write(fd, json, len) != (ssize_t)len || rename(tmp, path) < 0)
        vane_log(v, VANE_INFO, "xl will not know the domain's configuration: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
    free(json);
}

void vane_userdata_remove(struct vane_record r)
{
    char path[160];

    userdata_path(path, r, "");
    unlink(path);
    userdata_path(path, r, ".new");             /* of a writer that was killed */
    unlink(path);
}

char *vane_config_of(struct vane_record r, size_t *len)
{
    char path[160], *text = vane_record_read(r, len), *json;
    struct stat st;
    int fd;

    if (text)
        return text;
    userdata_path(path, r, "");
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size > JSON_MAX) {
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    json = calloc(1, (size_t)st.st_size + 1);
    if (json && read(fd, json, (size_t)st.st_size) == st.st_size)
        text = config_text_from_json(json);
    close(fd);
    free(json);
    *len = text ? strlen(text) : 0;
    return text;
}
