/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_internal.h - the subcommands of `vane store`, one table in cmd_store.c */
#ifndef STORE_CMD_INTERNAL_H
#define STORE_CMD_INTERNAL_H

#include <xenstore.h>

enum { EXIT_NO = 1, EXIT_FAILED = 2, EXIT_TIMEOUT = 3 };

int store_cmd_ls(int argc, char **argv);
int store_cmd_read(int argc, char **argv);
int store_cmd_write(int argc, char **argv);
int store_cmd_rm(int argc, char **argv);
int store_cmd_explain(int argc, char **argv);
int store_cmd_dump(int argc, char **argv);
int store_cmd_lint(int argc, char **argv);
int store_cmd_diff(int argc, char **argv);
int store_cmd_watch(int argc, char **argv);
int store_cmd_wait(int argc, char **argv);

/* "vane store VERB: ..." on stderr; returns EXIT_FAILED. */
int store_fail(const char *verb, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A connection, or NULL with the reason and what to do on stderr. */
struct xs_handle *store_connect(const char *verb);

/* Seconds, with a fraction allowed, to milliseconds; -1 for nonsense. */
long store_parse_seconds(const char *s);

#endif
