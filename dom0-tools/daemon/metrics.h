/* SPDX-License-Identifier: GPL-2.0-or-later */
/* metrics.h - figures of host and domains in Prometheus' text format */
#ifndef VANE_METRICS_H
#define VANE_METRICS_H

#include <stdio.h>

#include "../lib/vane.h"

int metrics_print(struct vane *v, FILE *out) MUST_CHECK;

#endif
