/* SPDX-License-Identifier: GPL-2.0-or-later */
/* visibility.h - included before everything in the metal build: all symbols are ours, none goes through a GOT */
#pragma GCC visibility push(hidden)
