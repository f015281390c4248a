/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cache.c - kernels ready to load
 *
 * An entry is one file: header, the original kernel file, the unpacked image up to its last loadable
 * byte, each part at a page boundary. Its name is the original's checksum, which only makes it quick
 * to find. A link named after a file's identity (device, inode, size, mtime, ctime) leads to the
 * entry that was found equal to that file: while the identity stands, the comparison is spared. The
 * kernel moves ctime at every change and nobody can set it.
 *
 *   I1  an entry is used only if its original equals the file given, now or when the file had the
 *       identity it has now, and its image has the checksum written when it was made.
 *   I2  an entry appears under its name complete (write to a temporary name, rename).
 *   I3  at most CACHE_ENTRIES stay; the oldest go, and links to nowhere with them.
 *   I4  no link is made for a file changed in the last SETTLED seconds: ctime is coarse.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <xxhash.h>

#include "cache.h"

#define MAGIC "VANEKRN4"
#define CACHE_ENTRIES 8
#define SETTLED 3
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

/* Against damage, not against people (the directory is root's). Every creation pays for it, and an emulator for each vector
 * instruction: XXH64 has none. */
static uint64_t sum_of(const void *p, size_t len)
{
    return XXH64(p, len, 0);
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
        out->p = mmap(NULL, out->len, PROT_READ, MAP_PRIVATE, fd, 0);
        if (out->p == MAP_FAILED) {
            out->p = NULL;
            rc = -errno;
        }
    }
    close(fd);
    return rc;
}

/* The entry at @path, or false. @orig NULL: the file of @orig_len bytes is known to be equal. */
static bool entry_open(const char *path, const struct bytes *orig, size_t orig_len,
                       struct loaded_kernel *out)
{
    struct entry_header head = {0};
    const struct entry_header *h = &head;
    struct bytes e;
    const char *why;
    size_t at = 4096 + ALIGN(orig_len);

    if (map_file(path, &e) < 0)
        return false;
    if (e.len >= sizeof(head))
        memcpy(&head, e.p, sizeof(head));
    if (e.len > at && memcmp(h->magic, MAGIC, 8) == 0 && h->orig_len == orig_len &&
        h->elf_len == e.len - at &&
        (!orig || memcmp((char *)e.p + 4096, orig->p, orig_len) == 0) &&
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

/* The name of the link for the file's present identity. */
static bool link_path(const char *path, const char *dir, char out[512], size_t *size, bool *settled)
{
    struct stat st;

    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0)
        return false;
    *size = (size_t)st.st_size;
    *settled = st.st_ctim.tv_sec + SETTLED < time(NULL);                                /* I4 */
    return snprintf(out, 512, "%s/id-%llx-%llx-%llx-%llx.%lx-%llx.%lx", dir,
                    (unsigned long long)st.st_dev, (unsigned long long)st.st_ino,
                    (unsigned long long)st.st_size, (unsigned long long)st.st_mtim.tv_sec,
                    (unsigned long)st.st_mtim.tv_nsec, (unsigned long long)st.st_ctim.tv_sec,
                    (unsigned long)st.st_ctim.tv_nsec) < 512;
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
                snprintf(path, sizeof(path), "%s/%s", dir, e->d_name) >= (int)sizeof(path))
                continue;
            if (strncmp(e->d_name, "id-", 3) == 0) {
                if (stat(path, &st) < 0)
                    unlink(path);
                continue;
            }
            if (stat(path, &st) < 0)
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

/* Through the content: find the entry for @orig or make it. */
static int load_by_content(struct vane *v, const char *path, const char *dir, const char *link,
                           struct loaded_kernel *out)
{
    struct bytes orig;
    char name[32], entry[512];
    bool keep = false, cached = dir != NULL;
    int rc = map_file(path, &orig);

    if (rc < 0)
        return vane_fail(v, rc, "check kernel= in the configuration", "kernel %s: %s", path,
                         rc == -EINVAL ? "not a regular file of sensible size" : strerror(-rc));
    if (orig.len > 4 && memcmp(orig.p, "\177ELF", 4) == 0)
        cached = false;                     /* a plain ELF file is its own cache */
    if (cached) {
        snprintf(name, sizeof(name), "%016llx", (unsigned long long)sum_of(orig.p, orig.len));
        snprintf(entry, sizeof(entry), "%s/%s", dir, name);
    }
    if (!cached || !entry_open(entry, &orig, orig.len, out)) {
        rc = unpack(v, path, &orig, out, &keep);
        if (rc == 0 && cached)
            entry_make(v, dir, entry, &orig, out->map, out->k.trimmed);
    }
    if (rc == 0 && cached && link && symlink(name, link) < 0 && errno != EEXIST)
        vane_log(v, VANE_INFO, "cannot write %s: %s", link, strerror(errno));
    if (rc < 0 || !keep)
        munmap(orig.p, orig.len);
    return rc;
}

int kernel_load(struct vane *v, const char *path, const char *dir, struct loaded_kernel *out)
{
    char link[512];
    size_t size = 0;
    bool settled = false;

    memset(out, 0, sizeof(*out));
    if (dir && link_path(path, dir, link, &size, &settled) && entry_open(link, NULL, size, out))
        return 0;
    return load_by_content(v, path, dir, settled ? link : NULL, out);
}

void kernel_unload(struct loaded_kernel *lk)
{
    if (lk->map && lk->mapped)
        munmap(lk->map, lk->map_len);
    else
        free(lk->map);
    lk->map = NULL;
}
