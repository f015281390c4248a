/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cli.h - what the commands share
 *
 * A command gets the handle and its own argv (argv[0] is the command's name) and returns the exit
 * status: 0, or 1 after printing why. The exit statuses are xl's, whose callers tell them apart. Only
 * files in cli/ print or exit.
 */
#ifndef VANE_CLI_H
#define VANE_CLI_H

#include <json-c/json.h>
#include <stdio.h>

#include "../stream/stream.h"

#define EXIT_USAGE 2            /* an unknown option, too few arguments */

struct cli {
    struct vane *v;
    bool json;              /* --json: one JSON document on standard output */
    bool dry_run, quiet;
    bool misused;           /* the command line was wrong: main() makes the exit status EXIT_USAGE of it */
    int verbose;
};

struct command {
    const char *name;
    int (*run)(struct cli *c, int argc, char **argv);
    bool changes;           /* sweep first: it changes something */
    const char *args;       /* usage */
    const char *help;       /* one line */
    const char *options;    /* lines, or NULL */
};

extern const struct command commands[];
const struct command *command_find(const char *name);

/* A whole command line, argv[0] being the program: the exit status. The handle is open, the rest is set from it. */
int cli_run(struct cli *c, int argc, char **argv);

/* Print the recorded error (as JSON with --json) and return the exit status 1. */
int cli_error(struct cli *c);
/* The same for an error of the command line itself. */
int cli_fail(struct cli *c, const char *hint, const char *fmt, ...) PRINTF(3, 4);
int cli_usage(struct cli *c, const char *command);
/* Print a JSON document, drop it, return 0. */
int cli_json(struct json_object *o);
/* "ok" for verbs without output. */
int cli_ok(struct cli *c, const char *key, const char *value);
/* Exactly @n arguments from @first on, else usage. */
bool cli_args(struct cli *c, int argc, char **argv, int first, int min, int max);

/* A decimal number of at most @max and nothing else; no sign, no blanks. False leaves *@out alone. */
bool cli_number(const char *s, uint64_t max, uint64_t *out);
/* "512", "512m", "2g", "+64" is not: KiB. False when it is no size. */
bool cli_size_kb(const char *s, char unit, uint64_t *kb);
/* The domain called @who, about which something is to be changed that a copy would not have. 0, or 1 after printing why. */
int cli_find_settled(struct cli *c, const char *who, struct vane_dom *d);
/* cmd_create.c: @file's text (NULL: none) with @n key=value lines behind it. malloc'ed, or NULL with the error. */
char *cli_config_text(struct cli *c, const char *file, char **extra, int n);

/* cmd_list.c: "0-3,5", "all" of @cpus, "none". */
void cli_format_cpus(const uint8_t *map, int cpus, char *out, size_t len);
/* cmd_list_long.c: @n domains; the exit status. */
int cli_list_long(struct cli *c, const struct vane_dom *d, int n);

/* cmd_save.c: images. "none", "zero", "zlib", "zstd"; false when it is none of them. */
bool cli_codec(const char *name, enum stream_codec *codec);
int cli_open_image(struct cli *c, const char *file, struct stream_in *in, struct vane_config **cfg) MUST_CHECK;
void cli_close_image(struct stream_in *in);
struct start_options {
    bool paused, console, no_daemon;
};
/* Make the domain and let it run; the exit status. */
int cli_start_image(struct cli *c, struct stream_in *in, struct vane_config *cfg, const struct start_options *o);

/* cmd_console.c: connect the terminal to a domain's console until ^] or its end. */
int cli_console(struct cli *c, uint32_t domid, bool unpause);

#define CMD(name) int cmd_##name(struct cli *c, int argc, char **argv)
CMD(list); CMD(vm_list); CMD(domid); CMD(domname); CMD(uptime); CMD(info); CMD(dmesg); CMD(vcpu_list);
CMD(cpupool_list); CMD(claims); CMD(help); CMD(version);
CMD(create); CMD(config_update); CMD(destroy); CMD(shutdown); CMD(reboot); CMD(pause); CMD(unpause);
CMD(rename); CMD(console); CMD(mem_set); CMD(mem_max); CMD(vcpu_set); CMD(vcpu_pin);
CMD(sched_credit2); CMD(sched_credit); CMD(sysrq); CMD(trigger); CMD(debug_keys); CMD(dump_core); CMD(top);
CMD(block_attach); CMD(block_list); CMD(block_detach);
CMD(network_attach); CMD(network_list); CMD(network_detach);
CMD(events); CMD(metrics); CMD(act); CMD(worker); CMD(store); CMD(on);
CMD(save); CMD(snapshot); CMD(clone); CMD(restore); CMD(migrate); CMD(migrate_receive);
CMD(migrate_listen); CMD(migrate_status);

#endif
