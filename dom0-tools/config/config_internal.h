/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_internal.h - what the files of config/ share */
#ifndef VANE_CONFIG_INTERNAL_H
#define VANE_CONFIG_INTERNAL_H

#include <stdio.h>

#include <libxlutil.h>

#include "config.h"

/* libxlutil's parser and what it complained about. */
struct cfg_parser {
    struct vane *v;
    const char *origin;
    XLU_Config *xlu;
    FILE *report;
    char *said;
    size_t said_len;
};

int cfg_parser_open(struct vane *v, const char *origin, struct cfg_parser *p);
void cfg_parser_close(struct cfg_parser *p);
/* Record -EINVAL with libxlutil's complaint. */
int cfg_parser_fail(struct cfg_parser *p, const char *what);

int cfg_parse_disks(struct cfg_parser *p, struct vane_config *c);
int cfg_parse_nics(struct cfg_parser *p, struct vane_config *c);
/* Both syntaxes of xl.cfg(5). -EOPNOTSUPP for a name that is no feature bit (family, procpkg, ...). */
int cfg_parse_cpuid(struct cfg_parser *p, struct vane_config *c);

#endif
