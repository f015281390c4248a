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

int store_main(int argc, char **argv);
int on_main(int argc, char **argv);
int events_main(int argc, char **argv);

/* For the table's help. */
#define STORE_VERBS_HELP "ls read write rm watch wait dump lint diff explain: see vane store help"
#define CMD_STORE_SUMMARY "read, write, watch, dump, check and compare XenStore"
#define CMD_ON_SUMMARY    "run commands when XenStore says so (rules)"

#endif
