/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * main.c - the table of commands, and what happens before and after one
 *
 * Installed as vane, and as xl: both take xl's global options. --json may stand anywhere.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/create.h"
#include "../migrate/source.h"
#include "../store/store_cmd.h"
#include "cli.h"

#define IMAGE_OPTIONS                                                                       \
    "--compress[=none|zero|zlib|zstd]  an image that only vane reads, but for none; zero drops\n" \
    "          pages of zeros; without a word: zstd\n"                                     \
    "--level N  of the compression\n"                                                       \
    "--checksum  a damaged image is noticed; xl reads it all the same"

const struct command commands[] = {
    { "create", cmd_create, true, "<ConfigFile> [options] [key=value]",
      "Create a domain from config file <filename>",
      "-c  connect to the console after the domain is created\n"
      "-p  leave the domain paused after it is created\n"
      "-n  parse and check only, print the resulting configuration\n"
      "-F  stay in the foreground until the domain is gone\n"
      "-q  quiet\n-e  do not start vaned, which applies on_* policies\n-f FILE  the configuration\n"
      "--timing  print the time each step took\n--wait  return when the guest's kernel is up" },
    { "config-update", cmd_config_update, true, "<Domain> <ConfigFile> [key=value]",
      "Update a running domain's saved configuration, used when rebuilding the domain after reboot",
      NULL },
    { "list", cmd_list, false, "[options] [Domain]", "List information about all/some domains",
      "-l, --long  output all VM details\n-v, --verbose  prints out UUIDs and security context\n"
      "-Z, --context  prints out security context\n-c, --cpupool  prints the cpupool the domain is in\n"
      "-n, --numa  prints out NUMA node affinity" },
    { "destroy", cmd_destroy, true, "[options] <Domain>", "Terminate a domain immediately",
      "-f  permit destroying domain 0, which will only succeed if it has no use" },
    { "shutdown", cmd_shutdown, true, "[options] <-a|Domain>", "Issue a shutdown signal to a domain",
      "-a, --all  shutdown all guest domains\n-w, --wait  wait for guest(s) to shut down\n"
      "-F  accepted for compatibility" },
    { "reboot", cmd_reboot, true, "[options] <-a|Domain>", "Issue a reboot signal to a domain",
      "-a, --all  reboot all guest domains\n-w, --wait  wait for guest(s) to reboot\n"
      "-F  accepted for compatibility" },
    { "pause", cmd_pause, true, "<Domain>", "Pause execution of a domain", NULL },
    { "unpause", cmd_unpause, true, "<Domain>", "Unpause a paused domain", NULL },
    { "console", cmd_console, false, "[options] <Domain>", "Attach to domain's console",
      "-t <type>  pv\n-n <number>  0\n--last  print what the console showed last, also of a dead domain" },
    { "rename", cmd_rename, true, "<Domain> <NewDomainName>", "Rename a domain", NULL },
    { "domid", cmd_domid, false, "<DomainName>", "Convert a domain name to domain id", NULL },
    { "domname", cmd_domname, false, "<DomainId>", "Convert a domain id to domain name", NULL },
    { "vm-list", cmd_vm_list, false, "", "List guest domains, excluding dom0, stubdoms, etc.", NULL },
    { "uptime", cmd_uptime, false, "[-s] [Domain]", "Print uptime for all/some domains", NULL },
    { "info", cmd_info, false, "[-n]", "Get information about Xen host",
      "-n, --numa  list host NUMA topology information" },
    { "dmesg", cmd_dmesg, false, "[-c]", "Read and/or clear dmesg buffer",
      "-c, --clear  clear dmesg buffer as well as printing it" },
    { "top", cmd_top, false, "[-b]", "Monitor a host and the domains in real time",
      "-b  print once and end" },
    { "save", cmd_save, true, "[options] <Domain> <CheckpointFile>",
      "Save a domain state to restore later",
      "-c  leave the domain running after creating the snapshot\n"
      "-p  leave the domain paused after creating the snapshot\n"
      "--live  copy it while it runs, stop it for the rest only\n" IMAGE_OPTIONS },
    { "snapshot", cmd_snapshot, true, "[options] <Domain> <CheckpointFile>",
      "Save a domain state and let the domain go on",
      "-p  leave the domain paused afterwards\n"
      "--live  copy it while it runs, stop it for the rest only\n" IMAGE_OPTIONS },
    { "clone", cmd_clone, true, "[options] <Domain|CheckpointFile> <NewDomainName> [key=value]",
      "Start a copy of a domain, or of a saved state, under a name of its own",
      "-p  leave it paused\n-c  connect to its console\n-e  do not start vaned, which applies on_* policies\n"
      "key=value  its configuration where it differs; a template's writable disks must differ (disk=[...])" },
    { "restore", cmd_restore, true, "[options] [<ConfigFile>] <CheckpointFile>",
      "Restore a domain from a saved state",
      "-p  do not unpause the domain after restoring it\n-c  connect to the console\n"
      "-e  do not start vaned, which applies on_* policies" },
    { "migrate", cmd_migrate, true, "[options] <Domain> <host>", "Migrate a domain to another host",
      "-s COMMAND  instead of ssh; -s '' runs <host> itself as a command\n"
      "--tls  towards `vane migrate-listen` on <host>[:port], with certificates in /etc/vane/tls\n"
      "-p  do not unpause the domain at the target\n"
      "--non-live  suspend the domain while it is copied\n"
      "--max-downtime MS  how long it may stand still (300)\n--strict  give up rather than exceed that\n"
      "--timeout S  give up after so long\n--stall-timeout S  give up when the link stands still for so long\n"
      "--bandwidth MiB/s  take no more of the link\n--compress[=none|zero|zlib|zstd]  (zero; without a word zstd)\n"
      "--throttle  slow it down when it writes faster than the link carries\n"
      "--max-rounds N  pre-copy rounds at most\n--progress[=text|json]  print each stage and round\n"
      "--cancel <Domain|ID>  stop one that is under way\n"
      "--recover [ID]  bring those whose process or link died to an end\n"
      "--promote ID, --discard ID  the operator's word when the other host is dead for good" },
    { "migrate-receive", cmd_migrate_receive, true, "[options]", "Restore a domain from a saved state",
      "-p  do not unpause the domain" },
    { "migrate-listen", cmd_migrate_listen, false, "[options]", "Receive domains over TLS",
      "-p, --port PORT  (8002)\n-a, --address ADDRESS  where to listen" },
    { "migrate-status", cmd_migrate_status, false, "[options] [ID]", "Show migrations that are not finished",
      "--peer  ask the target of this one" },
    { "mem-set", cmd_mem_set, true, "<Domain> <MemMB['b'[bytes]|'k'[KB]|'m'[MB]|'g'[GB]|'t'[TB]]>",
      "Set the current memory usage for a domain", NULL },
    { "mem-max", cmd_mem_max, true, "<Domain> <MemMB['b'[bytes]|'k'[KB]|'m'[MB]|'g'[GB]|'t'[TB]]>",
      "Set the maximum amount reservation for a domain", NULL },
    { "vcpu-list", cmd_vcpu_list, false, "[Domain, ...]", "List the VCPUs for all/some domains", NULL },
    { "vcpu-set", cmd_vcpu_set, true, "[option] <Domain> <vCPUs>",
      "Set the number of active VCPUs allowed for the domain",
      "-i, --ignore-host  don't limit the vcpu based on the host cpu count" },
    { "vcpu-pin", cmd_vcpu_pin, true, "<Domain> <VCPU|all> <Hard affinity|-|all> <Soft affinity|-|all>",
      "Set which CPUs a VCPU can use", "-f, --force  undo an override pinning done by the kernel" },
    { "sched-credit2", cmd_sched_credit2, true, "[-d <Domain> [-w[=WEIGHT]|-c[=CAP]]] [-s] [-p CPUPOOL]",
      "Get/set credit2 scheduler parameters",
      "-d DOMAIN  domain to modify\n-w WEIGHT  weight\n-c CAP  cap\n-s  the pool's parameters\n"
      "-p CPUPOOL  restrict output to CPUPOOL" },
    { "sched-credit", cmd_sched_credit, true, "[-d <Domain> [-w[=WEIGHT]|-c[=CAP]]]",
      "Get/set credit scheduler parameters", NULL },
    { "cpupool-list", cmd_cpupool_list, false, "[-c|--cpus] [<CPU Pool>]", "List CPU pools on host",
      "-c, --cpus  output list of CPUs used by a pool" },
    { "claims", cmd_claims, false, "", "List outstanding claim information about all domains", NULL },
    { "block-attach", cmd_block_attach, true, "<Domain> <disk-spec-component(s)>...",
      "Create a new virtual block device", NULL },
    { "block-list", cmd_block_list, false, "<Domain(s)>", "List virtual block devices for a domain",
      NULL },
    { "block-detach", cmd_block_detach, true, "<Domain> <DevId> [option]",
      "Destroy a domain's virtual block device", "--force  do not wait for the guest's agreement" },
    { "network-attach", cmd_network_attach, true,
      "<Domain> [mac=<mac>] [bridge=<bridge>] [vifname=<name>] [rate=<rate>] [script=<script>] ...",
      "Create a new virtual network device", NULL },
    { "network-list", cmd_network_list, false, "<Domain(s)>",
      "List virtual network interfaces for a domain", NULL },
    { "network-detach", cmd_network_detach, true, "<Domain> <DevId|mac> [option]",
      "Destroy a domain's virtual network device", "--force  do not wait for the guest's agreement" },
    { "sysrq", cmd_sysrq, true, "<Domain> <letter>", "Send a sysrq to a domain", NULL },
    { "trigger", cmd_trigger, true, "<Domain> <nmi|reset|init|power|sleep|s3resume> [<VCPU>]",
      "Send a trigger to a domain", NULL },
    { "debug-keys", cmd_debug_keys, false, "<Keys>", "Send debug keys to Xen", NULL },
    { "dump-core", cmd_dump_core, true, "<Domain> <filename>", "Core dump a domain", NULL },
    { "events", cmd_events, false, "[--once] [[--journal <Name>] <Pattern>...]",
      "Print what happens to domains, or to paths of XenStore, a JSON object a line",
      "<Pattern>  a path as in docs/xenstore.md: /local/domain/<domid>/name"},
    { "metrics", cmd_metrics, false, "", "Print figures in Prometheus' text format", NULL },
    { "store", cmd_store, false, "<Verb> ...", CMD_STORE_SUMMARY, STORE_VERBS_HELP },
    { "on", cmd_on, false, "[--check] <RuleFile>", CMD_ON_SUMMARY, NULL },
    { "help", cmd_help, false, "[command]", "Describe a command, or list all", NULL },
    { "version", cmd_version, false, "", "Print the version of this command", NULL },
    { "act", cmd_act, true, "<DomainId> <action>", NULL, NULL },
    { "worker", cmd_worker, false, "", NULL, NULL },
    { NULL, NULL, false, NULL, NULL, NULL },
};

/* xl's other commands: known, and told apart from a typing mistake. */
static const char *const not_for_pv[] = {
    "vncviewer", "button-press", "cd-insert", "cd-eject", "qemu-monitor-command", "remus",
    "pci-attach", "pci-detach", "pci-list", "pci-assignable-add", "pci-assignable-remove",
    "pci-assignable-list", "sharing", "psr-hwinfo", "psr-cmt-attach", "psr-cmt-detach", "psr-cmt-show",
    "psr-cat-set", "psr-cat-show", "psr-mba-set", "psr-mba-show", "usbctrl-attach", "usbctrl-detach",
    "usbdev-attach", "usbdev-detach", "usb-list", "vtpm-attach", "vtpm-list", "vtpm-detach",
    "vkb-attach", "vkb-list", "vkb-detach", "vdispl-attach", "vdispl-list", "vdispl-detach",
    "vsnd-attach", "vsnd-list", "vsnd-detach", "channel-list", "getenforce", "setenforce",
    "loadpolicy", "devd", "sched-rtds", "set-parameters", "cpupool-create", "cpupool-destroy",
    "cpupool-rename", "cpupool-cpu-add", "cpupool-cpu-remove", "cpupool-migrate",
    "cpupool-numa-split",
};

/* These obey -N; the others are not run under it. */
static const char *const dry_runs[] = { "create", "block-attach", "network-attach", "vcpu-pin" };

static bool can_dry_run(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(dry_runs); i++) {
        if (strcmp(dry_runs[i], name) == 0)
            return true;
    }
    return false;
}

const struct command *command_find(const char *name)
{
    for (const struct command *p = commands; p->name; p++) {
        if (strcmp(p->name, name) == 0)
            return p;
    }
    return NULL;
}

int cli_json(struct json_object *o)
{
    puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                        JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(o);
    return fflush(stdout) == 0 ? 0 : 1;
}

int cli_ok(struct cli *c, const char *key, const char *value)
{
    struct json_object *o;

    if (!c->json)
        return 0;
    o = json_object_new_object();
    json_object_object_add(o, "result", json_object_new_string("ok"));
    if (key)
        json_object_object_add(o, key, json_object_new_string(value));
    return cli_json(o);
}

static int print_error(struct cli *c, int code, const char *what, const char *hint)
{
    if (c->json) {
        struct json_object *o = json_object_new_object(), *e = json_object_new_object();

        json_object_object_add(e, "code", json_object_new_int(code));
        json_object_object_add(e, "cause", json_object_new_string(what));
        json_object_object_add(e, "hint", json_object_new_string(hint ? hint : ""));
        json_object_object_add(o, "error", e);
        cli_json(o);
    }
    fflush(stdout);
    fprintf(stderr, "%s\n", what);
    if (hint && *hint)
        fprintf(stderr, "hint: %s\n", hint);
    return EXIT_FAILURE;
}

int cli_error(struct cli *c)
{
    const struct vane_error *e = vane_last_error(c->v);

    return print_error(c, e->code, e->what, e->hint);
}

int cli_find_settled(struct cli *c, const char *who, struct vane_dom *d)
{
    return vane_dom_find(c->v, who, d) < 0 || stream_settled(c->v, d) < 0 ? cli_error(c) : 0;
}

int cli_fail(struct cli *c, const char *hint, const char *fmt, ...)
{
    char what[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    return print_error(c, -EINVAL, what, hint);
}

int cli_usage(struct cli *c, const char *name)
{
    char *argv[] = { (char *)(uintptr_t)"help", (char *)(uintptr_t)name, NULL };

    cmd_help(c, 2, argv);
    c->misused = true;
    return EXIT_USAGE;
}

bool cli_args(struct cli *c, int argc, char **argv, int first, int min, int max)
{
    int n = argc - first;

    if (n >= min && n <= max)
        return true;
    fprintf(stderr, "'%s %s' requires at %s %d argument%s.\n\n", c->json ? "vane" : "xl", argv[0],
            n < min ? "least" : "most", n < min ? min : max, (n < min ? min : max) == 1 ? "" : "s");
    cli_usage(c, argv[0]);
    return false;
}

bool cli_number(const char *s, uint64_t max, uint64_t *out)
{
    unsigned long long n;
    char *end;

    errno = 0;
    n = strtoull(s, &end, 10);
    if (*s < '0' || *s > '9' || *end || errno || n > max)
        return false;
    *out = n;
    return true;
}

bool cli_size_kb(const char *s, char unit, uint64_t *kb)
{
    char *end;
    unsigned long long n;
    char u;

    errno = 0;
    n = strtoull(s, &end, 10);
    u = *end ? *end : unit;
    if (*s < '0' || *s > '9' || errno || n > UINT64_MAX >> 40 ||
        (*end && end[1] && strcmp(end + 1, "b") != 0 && strcmp(end + 1, "B") != 0))
        return false;
    switch (u) {
    case 'b': case 'B': *kb = n / 1024; break;
    case 'k': case 'K': *kb = n; break;
    case 'm': case 'M': *kb = n * 1024; break;
    case 'g': case 'G': *kb = n << 20; break;
    case 't': case 'T': *kb = n << 30; break;
    default: return false;
    }
    return n < (1ull << 33);
}

int cmd_help(struct cli *c, int argc, char **argv)
{
    const struct command *p = argc > 1 ? command_find(argv[1]) : NULL;

    (void)c;
    if (argc > 1 && !p) {
        fprintf(stderr, "no command %s\n", argv[1]);
        return EXIT_FAILURE;
    }
    if (p && p->help) {
        printf("Usage: vane [-vfNtT] %s %s\n\n%s.\n\n", p->name, p->args, p->help);
        if (p->options)
            printf("Options:\n\n%s\n\n", p->options);
        return 0;
    }
    printf("Usage vane [-vfNtT] [--json] <subcommand> [args]\n\nvane full list of subcommands:\n\n");
    for (p = commands; p->help; p++)
        printf(" %-19s %s\n", p->name, p->help);
    return 0;
}

int cmd_version(struct cli *c, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    if (c->json)
        return cli_ok(c, "version", "1");
    puts("vane 1");
    return 0;
}

static void log_line(void *opaque, enum vane_log_level level, const char *line)
{
    const struct cli *c = opaque;

    if (level >= VANE_WARN ? !c->quiet : c->verbose > (level == VANE_INFO ? 0 : 1))
        fprintf(stderr, "%s%s\n", level == VANE_WARN ? "warning: " : "", line);
}

/* Take --json out of the arguments wherever it stands. */
static int take_json(struct cli *c, int argc, char **argv)
{
    int n = 0;

    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            c->json = true;
        else
            argv[n++] = argv[i];
    }
    argv[n] = NULL;
    return n;
}

static int unknown_command(struct cli *c, const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(not_for_pv); i++) {
        if (strcmp(not_for_pv[i], name) == 0)
            return cli_fail(c, "`vane help` lists what there is", "%s is not available for PV guests "
                            "here", name);
    }
    return cli_fail(c, "`vane help` lists the commands", "command not implemented: %s", name);
}

int cli_run(struct cli *c, int argc, char **argv)
{
    const struct command *cmd;
    int i, rc;

    *c = (struct cli){ .v = c->v };
    argc = take_json(c, argc, argv);
    for (i = 1; i < argc && argv[i][0] == '-' && argv[i][1] != '-'; i++) {
        for (const char *o = argv[i] + 1; *o; o++) {
            if (*o == 'v')
                c->verbose++;
            else if (*o == 'N')
                c->dry_run = true;
            else if (*o != 'f' && *o != 't' && *o != 'T')
                return cli_fail(c, NULL, "unknown global option -%c", *o);
        }
    }
    if (i < argc && strcmp(argv[i], "--help") == 0)
        argv[i] += 2;
    if (i >= argc)
        return cmd_help(c, 1, argv), EXIT_FAILURE;
    cmd = command_find(argv[i]);
    if (!cmd)
        return unknown_command(c, argv[i]);
    if (argc > i + 1 && (strcmp(argv[i + 1], "--help") == 0 || strcmp(argv[i + 1], "-h") == 0))
        return cmd_help(c, 2, (char *[]){ argv[0], argv[i], NULL });
    if (c->dry_run && !can_dry_run(cmd->name))
        return cli_fail(c, "leave -N out", "command does not implement the -N (dryrun) option");
    if (cmd->changes && !c->dry_run) {
        migrate_sweep(c->v);            /* before the next: see there */
        vane_sweep(c->v);
        stream_sweep(c->v);
    }
    rc = cmd->run(c, argc - i, argv + i);
    return c->misused ? EXIT_USAGE : rc;
}

int main(int argc, char **argv)
{
    struct cli c = {0};
    int rc;

    c.v = vane_open(log_line, &c);
    if (!c.v)
        return EXIT_FAILURE;
    rc = cli_run(&c, argc, argv);
    vane_close(c.v);
    return rc;
}
