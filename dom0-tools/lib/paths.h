/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * paths.h - every XenStore path the toolstack uses, as printf formats
 *
 * %u is the domain id unless said otherwise. Who may write a node is said by the permissions that
 * create.c and devices/ set; PATH_LIBXL is readable and writable by Dom0 alone: the truth about
 * devices lives there (H111).
 *
 * ABI: docs/misc/xenstore-paths of Xen 4.17; abi-map: T1 and T2 of domain creation.
 */
#ifndef VANE_PATHS_H
#define VANE_PATHS_H

#define PATH_DOM_ROOT           "/local/domain/%u"
#define PATH_DOM(leaf)          "/local/domain/%u/" leaf
#define PATH_DOMS               "/local/domain"
#define PATH_VM_ROOT            "/vm/%s"                        /* uuid */
#define PATH_VM(leaf)           "/vm/%s/" leaf
#define PATH_LIBXLS             "/libxl"
#define PATH_LIBXL_ROOT         "/libxl/%u"
#define PATH_LIBXL(leaf)        "/libxl/%u/" leaf
#define PATH_POOL_NAME          "/local/pool/%u/name"           /* pool id */

/* devices: kind, domain, device number */
#define PATH_FRONTEND           "/local/domain/%u/device/%s/%u"             /* dom, kind, dev */
#define PATH_BACKEND            "/local/domain/%u/backend/%s/%u/%u"         /* be, kind, dom, dev */
#define PATH_BACKEND_PARENT     "/local/domain/%u/backend/%s/%u"            /* be, kind, dom */
#define PATH_BACKEND_ERROR      "/local/domain/0/error/backend/%s/%u"       /* kind, dom */
#define PATH_LIBXL_DEV          "/libxl/%u/device/%s/%u"                    /* dom, kind, dev */
#define PATH_LIBXL_KIND         "/libxl/%u/device/%s"                       /* dom, kind */

#define PATH_CONSOLE_ROOT       "/local/domain/%u/console"
#define PATH_CONSOLE(leaf)      "/local/domain/%u/console/" leaf

#endif
