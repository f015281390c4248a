/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cache.c - kernels ready to load
 *
 * An entry is one file: header, the original kernel file, the unpacked image up to its last loadable
 * byte, each part at a page boundary. Its name is the original's checksum and size, which only makes
 * it quick to find.
 *
 *   I1  an entry is used only if its original equals the file given and its image has the checksum
 *       written when it was made.
 *   I2  an entry appears under its name complete (write to a temporary name, rename).
 *   I3  at most CACHE_ENTRIES stay; the oldest go.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "cache.h"

#define MAGIC "VANEKRN2"
#define CACHE_ENTRIES 8
#define ALIGN(n) (((n) + 4095) & ~(size_t)4095)

struct entry_header {
    char magic[8];
    uint64_t orig_len, elf_len;
    uint64_t elf_sum;
};

struct bytes {
    void *p;
    size_t len;
};

static uint64_t sum_of(const void *p, size_t len)
{
    return (uint64_t)crc32_z(0, p, len) << 32 | (uint32_t)len;
}

static int map_file(const char *path, struct bytes *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;
    struct stat st;

    out->p = NULL;
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0)
        rc = -errno;
    else if (!S_ISREG(st.st_mode) || st.st_size == 0 || (uint64_t)st.st_size > 2ull * KERNEL_MAX_BYTES)
        rc = -EINVAL;
    if (rc == 0) {
        out->len = (size_t)st.st_size;
        out->p = mmap(NULL, out->len, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
        if (out->p == MAP_FAILED) {
            out->p = NULL;
            rc = -errno;
        }
    }
    close(fd);
    return rc;
}

/* The entry for @orig, or false. */
static bool entry_open(const char *path, const struct bytes *orig, struct loaded_kernel *out)
{
    struct bytes e;
    const struct entry_header *h;
    const char *why;
    size_t at;

    if (map_file(path, &e) < 0)
        return false;
    h = e.p;
    at = 4096 + ALIGN(orig->len);
    if (e.len > at && memcmp(h->magic, MAGIC, 8) == 0 && h->orig_len == orig->len &&
        h->elf_len == e.len - at && memcmp((char *)e.p + 4096, orig->p, orig->len) == 0 &&
        sum_of((char *)e.p + at, h->elf_len) == h->elf_sum &&                           /* I1 */
        kernel_parse((uint8_t *)e.p + at, h->elf_len, &out->k, &why) == 0) {
        out->map = e.p;
        out->map_len = e.len;
        out->mapped = out->from_cache = true;
        return true;
    }
    munmap(e.p, e.len);
    unlink(path);
    return false;
}

static bool write_at(int fd, const void *p, size_t len, size_t off)
{
    const char *q = p;

    while (len) {
        ssize_t n = pwrite(fd, q, len, (off_t)off);

        if (n <= 0)
            return false;
        q += n;
        off += (size_t)n;
        len -= (size_t)n;
    }
    return true;
}

/* Remove the oldest entries beyond CACHE_ENTRIES, and temporary files left behind (I3). */
static void prune(const char *dir)
{
    for (;;) {
        DIR *d = opendir(dir);
        char oldest[512] = "";
        time_t when = 0;
        int n = 0;

        if (!d)
            return;
        for (struct dirent *e; (e = readdir(d)) != NULL;) {
            char path[512];
            struct stat st;

            if (e->d_name[0] == '.' ||
                snprintf(path, sizeof(path), "%s/%s", dir, e->d_name) >= (int)sizeof(path) ||
                stat(path, &st) < 0)
                continue;
            n++;
            if (!oldest[0] || st.st_mtime < when) {
                snprintf(oldest, sizeof(oldest), "%s", path);
                when = st.st_mtime;
            }
        }
        closedir(d);
        if (n <= CACHE_ENTRIES || unlink(oldest) < 0)
            return;
    }
}

static void make_dirs(const char *dir)
{
    char path[256];

    snprintf(path, sizeof(path), "%s", dir);
    for (char *p = path + 1; *p; p++) {
        if (*p == '/') {
            *p = '\0';
            mkdir(path, 0700);
            *p = '/';
        }
    }
    mkdir(path, 0700);
}

static void entry_make(struct vane *v, const char *dir, const char *path, const struct bytes *orig,
                       const uint8_t *elf, size_t elf_len)
{
    struct entry_header h = { .orig_len = orig->len, .elf_len = elf_len,
                              .elf_sum = sum_of(elf, elf_len) };
    char tmp[512];
    bool ok;
    int fd;

    memcpy(h.magic, MAGIC, 8);
    make_dirs(dir);
    snprintf(tmp, sizeof(tmp), "%s/tmp.XXXXXX", dir);
    fd = mkostemp(tmp, O_CLOEXEC);
    if (fd < 0) {
        vane_log(v, VANE_INFO, "the kernel cache %s cannot be written: %s", dir, strerror(errno));
        return;
    }
    ok = write_at(fd, &h, sizeof(h), 0) && write_at(fd, orig->p, orig->len, 4096) &&
         write_at(fd, elf, elf_len, 4096 + ALIGN(orig->len));
    close(fd);
    if (!ok || rename(tmp, path) < 0) {                                                 /* I2 */
        vane_log(v, VANE_INFO, "cannot cache the kernel in %s: %s", dir, strerror(errno));
        unlink(tmp);
        return;
    }
    prune(dir);
}

static int unpack(struct vane *v, const char *path, const struct bytes *orig,
                  struct loaded_kernel *out, bool *keep_orig)
{
    const char *why = NULL;
    uint8_t *elf;
    size_t len;
    bool plain;
    int rc = kernel_unpack(orig->p, orig->len, &elf, &len, &plain, &why);

    *keep_orig = plain;
    if (rc == 0) {
        out->map = plain ? orig->p : elf;
        out->map_len = len;
        out->mapped = plain;
        rc = kernel_parse(out->map, len, &out->k, &why);
        if (rc < 0 && !plain)
            free(elf);
    }
    if (rc < 0)
        return vane_fail(v, rc, "a Linux kernel needs CONFIG_XEN_PV=y", "kernel %s: %s", path, why);
    return 0;
}

int kernel_load(struct vane *v, const char *path, const char *dir, struct loaded_kernel *out)
{
    struct bytes orig;
    char entry[512];
    bool keep;
    int rc = map_file(path, &orig);

    memset(out, 0, sizeof(*out));
    if (rc < 0)
        return vane_fail(v, rc, "check kernel= in the configuration", "kernel %s: %s", path,
                         rc == -EINVAL ? "not a regular file of sensible size" : strerror(-rc));
    if (dir && orig.len > 4 && memcmp(orig.p, "\177ELF", 4) != 0) {
        snprintf(entry, sizeof(entry), "%s/%016llx", dir,
                 (unsigned long long)sum_of(orig.p, orig.len));
        if (entry_open(entry, &orig, out)) {
            munmap(orig.p, orig.len);
            return 0;
        }
    } else {
        dir = NULL;                         /* a plain ELF file is its own cache */
    }
    rc = unpack(v, path, &orig, out, &keep);
    if (rc == 0 && dir)
        entry_make(v, dir, entry, &orig, out->map, out->k.trimmed);
    if (rc < 0 || !keep)
        munmap(orig.p, orig.len);
    return rc;
}

void kernel_unload(struct loaded_kernel *lk)
{
    if (lk->map && lk->mapped)
        munmap(lk->map, lk->map_len);
    else
        free(lk->map);
    lk->map = NULL;
}
