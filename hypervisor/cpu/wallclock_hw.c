/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wallclock_hw.c - read the CMOS clock
 */
#include "cpu/wallclock_hw.h"

#include "cpu/cpu.h"

struct cmos_time { unsigned sec, min, hour, day, month, year; };

static unsigned cmos_read(uint8_t reg)
{
    outb(0x70, reg);
    return inb(0x71);
}

static struct cmos_time read_raw(void)
{
    return (struct cmos_time){ cmos_read(0), cmos_read(2), cmos_read(4), cmos_read(7), cmos_read(8), cmos_read(9) };
}

static unsigned from_bcd(unsigned v)
{
    return (v >> 4) * 10 + (v & 15);
}

/* Days since 1970-01-01 of a Gregorian date, year >= 1970. */
static uint64_t days_since_epoch(unsigned y, unsigned m, unsigned d)
{
    static const unsigned before[12] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
    const unsigned leap_years = (y - 1969) / 4 - (y - 1901) / 100 + (y - 1601) / 400;
    const bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    return (y - 1970) * 365UL + leap_years + before[(m - 1) % 12] + (leap && m > 2 ? 1 : 0) + d - 1;
}

uint64_t wallclock_hw_read(void)
{
    struct cmos_time t = { 0 };
    for (unsigned tries = 0; tries < 1000000 && (cmos_read(10) & 0x80); tries++)
        ;                                   /* an update is in progress */
    t = read_raw();
    const unsigned mode = cmos_read(11);
    const bool pm = t.hour & 0x80;
    t.hour &= 0x7f;
    if (!(mode & 4))
        t = (struct cmos_time){ from_bcd(t.sec), from_bcd(t.min), from_bcd(t.hour),
                                from_bcd(t.day), from_bcd(t.month), from_bcd(t.year) };
    if (!(mode & 2))
        t.hour = t.hour % 12 + (pm ? 12 : 0);
    const unsigned year = t.year + (t.year < 70 ? 2000 : 1900);
    return ((days_since_epoch(year, t.month, t.day) * 24 + t.hour) * 60 + t.min) * 60 + t.sec;
}
