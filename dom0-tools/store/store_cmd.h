/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store_cmd.h - the verbs `vane store` and `vane on`, for the command table
 *
 * Each takes its own words (argv[0] is the verb), prints to stdout, says what went wrong on stderr
 * and returns the exit status:
 *   0 done   1 the answer is no (absent, differs, findings)   2 usage or failure   3 time ran out
 */
#ifndef STORE_CMD_H
#define STORE_CMD_H

int cmd_store(int argc, char **argv);
int cmd_on(int argc, char **argv);

/* One line each, for the table's help. */
#define CMD_STORE_SUMMARY "read, write, watch, dump, check and compare XenStore"
#define CMD_ON_SUMMARY    "run commands when XenStore says so (rules)"

#endif
