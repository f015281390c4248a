/* SPDX-License-Identifier: GPL-2.0-or-later */
/* scenarios.h - what takes two domains: grants that outlive one side, destruction at any instant, hogs, density */
#ifndef SCENARIOS_H
#define SCENARIOS_H

#include "domain.h"

/* Find an image of the archive by its file name. */
bool archive_find(const char *want, struct image *image);
/* Counter of the victim. */
uint64_t victim_count(void);
/* One result of a scenario. */
void verdict(const char *name, unsigned number, bool good, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

void run_scenarios(void);

#endif
