/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tls_test.c - who gets through, and what comes through
 *
 * Certificates are made here: a CA and a stranger's, right, expired and misnamed ones. Both ends are real.
 */
#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../dom0-tools/tls/tls.h"
#include "../unit.h"

#define BYTES 3000000u

struct who {
    X509 *cert;
    EVP_PKEY *key;
};

static char dir[64];
static struct who ca, stranger;

static void extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *e;

    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    X509_add_ext(cert, e, -1);
    X509_EXTENSION_free(e);
}

/* A certificate for @name, valid from now on for @seconds, of @by (NULL: its own). */
static struct who make(const char *name, long seconds, const struct who *by)
{
    struct who w = { X509_new(), EVP_EC_gen("P-256") };
    char san[100];
    X509_NAME *subject = X509_get_subject_name(w.cert);
    static long serial;

    X509_set_version(w.cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(w.cert), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(w.cert), seconds < 0 ? 2 * seconds : 0);
    X509_gmtime_adj(X509_getm_notAfter(w.cert), seconds);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(w.cert, X509_get_subject_name(by ? by->cert : w.cert));
    X509_set_pubkey(w.cert, w.key);
    extend(w.cert, by ? by->cert : w.cert, NID_basic_constraints, by ? "critical,CA:FALSE" : "critical,CA:TRUE");
    snprintf(san, sizeof(san), "DNS:%s", name);
    if (by)
        extend(w.cert, by->cert, NID_subject_alt_name, san);
    X509_sign(w.cert, by ? by->key : w.key, EVP_sha256());
    return w;
}

static void write_pem(const char *side, const char *file, X509 *cert, EVP_PKEY *key)
{
    char path[160];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, side);
    mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/%s/%s", dir, side, file);
    f = fopen(path, "w");
    if (cert)
        PEM_write_X509(f, cert);
    else
        PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
    fclose(f);
}

/* @side trusts @trust and shows a certificate for @name by @by. */
static void equip(const char *side, const struct who *trust, const char *name, long seconds, const struct who *by)
{
    struct who w = make(name, seconds, by);

    write_pem(side, "ca.pem", trust->cert, NULL);
    write_pem(side, "cert.pem", w.cert, NULL);
    write_pem(side, "key.pem", NULL, w.key);
    X509_free(w.cert);
    EVP_PKEY_free(w.key);
}

static SSL_CTX *context(const char *side, bool server)
{
    char path[100];

    snprintf(path, sizeof(path), "%s/%s", dir, side);
    return tls_context(path, server);
}

/* Both ends of a handshake, in two processes: whether each is content, and with @bytes what comes through. */
static void meet(const char *host, bool *client_ok, bool *server_ok)
{
    int s[2], status;
    SSL_CTX *ctx;
    SSL *ssl;
    pid_t pid;
    char byte;

    CU_ASSERT_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        close(s[0]);
        ctx = context("server", true);
        ssl = ctx ? tls_handshake(ctx, s[1], NULL) : NULL;
        if (ssl) {                                  /* the client's certificate is judged before it learns of it */
            SSL_write(ssl, "y", 1);
            SSL_shutdown(ssl);
        }
        _exit(ssl ? 0 : 1);
    }
    close(s[1]);
    ctx = context("client", false);
    ssl = ctx ? tls_handshake(ctx, s[0], host) : NULL;
    *client_ok = false;
    if (ssl) {
        int out[2];

        CU_ASSERT_FATAL(pipe(out) == 0);
        if (fork() == 0) {
            int null[2];

            if (pipe(null) == 0) {
                close(null[1]);
                tls_relay(ssl, null[0], out[1]);
            }
            _exit(0);
        }
        close(out[1]);
        *client_ok = read(out[0], &byte, 1) == 1;
        close(out[0]);
    }
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    close(s[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    while (wait(NULL) > 0)
        ;
    *server_ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void test_who_gets_through(void)
{
    static const struct {
        const char *what, *host, *server_name;
        bool server_stranger, client_stranger, server_expired, client_expired, ok;
    } cases[] = {
        { "right", "b.example", "b.example", .ok = true },
        { "server of a wrong CA", "b.example", "b.example", .server_stranger = true },
        { "client of a wrong CA", "b.example", "b.example", .client_stranger = true },
        { "server expired", "b.example", "b.example", .server_expired = true },
        { "client expired", "b.example", "b.example", .client_expired = true },
        { "server with a wrong name", "b.example", "c.example", .ok = false },
        { "no card blanche", "b.example", "*.example", .ok = false },
        { "not under that name", "x.b.example", "b.example", .ok = false },
        { "an address is no name", "192.0.2.1", "b.example", .ok = false },
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool client, server;

        equip("server", &ca, cases[i].server_name, cases[i].server_expired ? -3600 : 3600,
              cases[i].server_stranger ? &stranger : &ca);
        equip("client", &ca, "a.example", cases[i].client_expired ? -3600 : 3600,
              cases[i].client_stranger ? &stranger : &ca);
        meet(cases[i].host, &client, &server);
        if ((client && server) != cases[i].ok || (client != cases[i].ok))
            printf("%s: client %d, server %d\n", cases[i].what, client, server);
        CU_ASSERT_EQUAL(client && server, cases[i].ok);
        CU_ASSERT_EQUAL(client, cases[i].ok);       /* not a byte reaches one who should not have it */
    }
}

static void test_names_allowed(void)
{
    int s[2];
    pid_t pid;
    SSL_CTX *ctx;
    SSL *ssl;
    FILE *f;

    equip("server", &ca, "b.example", 3600, &ca);
    equip("client", &ca, "a.example", 3600, &ca);
    CU_ASSERT_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    pid = fork();
    if (pid == 0) {
        ctx = context("client", false);
        _exit(ctx && tls_handshake(ctx, s[0], "b.example") ? 0 : 1);
    }
    ctx = context("server", true);
    ssl = tls_handshake(ctx, s[1], NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ssl);
    f = tmpfile();
    CU_ASSERT_FALSE(tls_allowed(f, ssl));
    fputs("# hosts\nz.example\nexample\n", f);
    rewind(f);
    CU_ASSERT_FALSE(tls_allowed(f, ssl));
    fputs("a.example\n", f);
    rewind(f);
    CU_ASSERT_TRUE(tls_allowed(f, ssl));
    fclose(f);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    close(s[0]);
    close(s[1]);
    waitpid(pid, NULL, 0);
}

/* Megabytes both ways at once, through pipes of another pace, to the last byte. */
static uint8_t pattern(size_t i, int way)
{
    return (uint8_t)(i * 31 + (i >> 9) + (size_t)way);
}

static void talker(const char *side, bool server, int fd, int *to, int *from)
{
    int in[2], out[2];
    pid_t pid;

    if (pipe(in) < 0 || pipe(out) < 0)
        abort();
    pid = fork();
    if (pid == 0) {
        SSL_CTX *ctx = context(side, server);
        SSL *ssl = tls_handshake(ctx, fd, server ? NULL : "b.example");

        for (int i = 3; i < 64; i++)                /* others' ends, which would keep them from ending */
            if (i != fd && i != in[0] && i != out[1])
                close(i);
        _exit(ssl ? tls_relay(ssl, in[0], out[1]) : 1);
    }
    close(in[0]);
    close(out[1]);
    *to = in[1];
    *from = out[0];
}

static void writer(int fd, int way)
{
    pid_t pid = fork();

    if (pid == 0) {
        static uint8_t all[BYTES];
        size_t done = 0;

        for (int i = 3; i < 64; i++)
            if (i != fd)
                close(i);
        for (size_t i = 0; i < BYTES; i++)
            all[i] = pattern(i, way);
        while (done < BYTES) {
            ssize_t n = write(fd, all + done, BYTES - done);

            if (n <= 0)
                _exit(1);
            done += (size_t)n;
        }
        _exit(0);
    }
    close(fd);
}

static size_t right_bytes(int fd, int way)
{
    uint8_t buf[777];
    size_t at = 0;
    ssize_t n;

    while (at < BYTES && (n = read(fd, buf, sizeof(buf))) > 0)
        for (ssize_t i = 0; i < n; i++, at++)
            if (buf[i] != pattern(at, way))
                return at;
    return at;
}

static void test_bytes_both_ways(void)
{
    int s[2], to[2], from[2];
    pid_t reader;
    int status;

    equip("server", &ca, "b.example", 3600, &ca);
    equip("client", &ca, "a.example", 3600, &ca);
    CU_ASSERT_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    talker("client", false, s[0], &to[0], &from[0]);
    talker("server", true, s[1], &to[1], &from[1]);
    close(s[0]);
    close(s[1]);
    writer(to[0], 0);
    writer(to[1], 1);
    reader = fork();
    if (reader == 0)
        _exit(right_bytes(from[1], 0) == BYTES ? 0 : 1);
    CU_ASSERT_EQUAL(right_bytes(from[0], 1), BYTES);
    waitpid(reader, &status, 0);
    CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close(from[0]);
    close(from[1]);
    while (wait(NULL) > 0)
        ;
}

static void test_missing_files_and_silence(void)
{
    bool client, server;
    char path[100];
    SSL_CTX *ctx;
    int s[2];

    snprintf(path, sizeof(path), "%s/nowhere", dir);
    CU_ASSERT_PTR_NULL(tls_context(path, true));
    equip("server", &ca, "b.example", 3600, &ca);
    equip("client", &ca, "a.example", 3600, &ca);
    write_pem("client", "key.pem", NULL, ca.key);               /* not the certificate's */
    meet("b.example", &client, &server);
    CU_ASSERT_FALSE(client || server);
    CU_ASSERT_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    CU_ASSERT_EQUAL(write(s[0], "GET / HTTP/1.0\r\n\r\n", 18), 18);     /* no TLS at all */
    ctx = context("server", true);
    CU_ASSERT_PTR_NULL(tls_handshake(ctx, s[1], NULL));
    SSL_CTX_free(ctx);
    close(s[0]);
    close(s[1]);
}

int main(void)
{
    static const struct unit_case cases[] = {
        UNIT(test_who_gets_through), UNIT(test_names_allowed), UNIT(test_bytes_both_ways),
        UNIT(test_missing_files_and_silence), { 0 },
    };
    char command[100];
    int failed;

    signal(SIGPIPE, SIG_IGN);
    snprintf(dir, sizeof(dir), "/tmp/tls-XXXXXX");
    if (!mkdtemp(dir))
        return 2;
    ca = make("a CA", 3600, NULL);
    stranger = make("another CA", 3600, NULL);
    failed = unit_main("tls", cases);
    X509_free(ca.cert);
    X509_free(stranger.cert);
    EVP_PKEY_free(ca.key);
    EVP_PKEY_free(stranger.key);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command) != 0 || failed;
}
