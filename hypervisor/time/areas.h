/* SPDX-License-Identifier: GPL-2.0-or-later */
/* areas.h - between the files of time/ */
#ifndef PARAVANE_TIME_AREAS_H
#define PARAVANE_TIME_AREAS_H

#include "time/time.h"

/* The tuple of @d's vCPUs, version 0. */
void time_tuple(const struct domain *d, struct vcpu_time_info *t);
/* True: the guest's copy was not right and has been rewritten. */
bool time_publish_if_stale(struct vcpu *v);
/* Move @v's timers to this CPU and keep the periodic one going (switch in); stop it (switch out). */
void vcpu_timers_switch_in(struct vcpu *v);
void vcpu_timers_switch_out(struct vcpu *v);
void vcpu_timers_create(struct vcpu *v);
void vcpu_timers_destroy(struct vcpu *v);

#endif
