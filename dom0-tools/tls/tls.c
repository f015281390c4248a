/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls.c - see tls.h */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "tls.h"

#define NOBODY 65534
#define BUFFER 65536u

static void complain(const char *what)
{
    unsigned long e = ERR_peek_last_error();

    fprintf(stderr, "vane-tls: %s: %s\n", what, e ? ERR_reason_error_string(e) : strerror(errno));
    ERR_clear_error();
}

SSL_CTX *tls_context(const char *dir, bool server)
{
    SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    char ca[256], cert[256], key[256];

    snprintf(ca, sizeof(ca), "%s/ca.pem", dir);
    snprintf(cert, sizeof(cert), "%s/cert.pem", dir);
    snprintf(key, sizeof(key), "%s/key.pem", dir);
    if (!ctx || !SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION)) {
        complain("no TLS 1.3");
    } else if (!SSL_CTX_load_verify_locations(ctx, ca, NULL)) {
        complain(ca);
    } else if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1) {
        complain(cert);
    } else if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(ctx) != 1) {
        complain(key);
    } else {
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_num_tickets(ctx, 0);
        SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
        SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        return ctx;
    }
    SSL_CTX_free(ctx);
    return NULL;
}

static int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/* What OpenSSL waits for: poll events, or 0 when it has failed. */
static short wants(SSL *ssl, int rc)
{
    int e = SSL_get_error(ssl, rc);

    return e == SSL_ERROR_WANT_READ ? POLLIN : e == SSL_ERROR_WANT_WRITE ? POLLOUT : 0;
}

/* A name or an address, in brackets or not. */
static bool set_expected(SSL *ssl, const char *host)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    char name[256];
    size_t n = strlen(host);

    if (*host == '[' && n > 2 && host[n - 1] == ']')
        snprintf(name, sizeof(name), "%.*s", (int)n - 2, host + 1);
    else
        snprintf(name, sizeof(name), "%s", host);
    if (X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1)
        return true;
    ERR_clear_error();
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

SSL *tls_handshake(SSL_CTX *ctx, int fd, const char *host)
{
    int64_t end = now_ms() + TLS_HANDSHAKE_MS;
    SSL *ssl = SSL_new(ctx);
    bool ok = ssl && fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0 && SSL_set_fd(ssl, fd) == 1 &&
              (!host || set_expected(ssl, host));
    int rc = 0;

    while (ok && (rc = host ? SSL_connect(ssl) : SSL_accept(ssl)) != 1) {
        struct pollfd p = { fd, wants(ssl, rc), 0 };
        int64_t left = end - now_ms();

        ok = p.events != 0;
        if (ok && (left <= 0 || poll(&p, 1, (int)left) == 0)) {
            fprintf(stderr, "vane-tls: no handshake within %d s\n", TLS_HANDSHAKE_MS / 1000);
            SSL_free(ssl);
            return NULL;
        }
    }
    if (ok)
        return ssl;
    if (ssl && SSL_get_verify_result(ssl) != X509_V_OK)
        fprintf(stderr, "vane-tls: the certificate of %s is refused: %s\n", host ? host : "the sender",
                X509_verify_cert_error_string(SSL_get_verify_result(ssl)));
    else
        complain("the handshake failed");
    SSL_free(ssl);
    return NULL;
}

void tls_peer_name(SSL *ssl, char *out, size_t size)
{
    X509 *cert = SSL_get0_peer_certificate(ssl);

    out[0] = '\0';
    if (!cert || X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, out, (int)size) < 0)
        snprintf(out, size, "(no name)");
    for (; *out; out++)
        if ((unsigned char)*out <= ' ' || *out == 0x7f)
            *out = '?';
}

bool tls_allowed(FILE *list, SSL *ssl)
{
    X509 *cert = SSL_get0_peer_certificate(ssl);
    char line[256];
    bool ok = false;

    while (!ok && fgets(line, sizeof(line), list)) {
        line[strcspn(line, "\r\n")] = '\0';
        ok = *line && *line != '#' && X509_check_host(cert, line, 0, 0, NULL) == 1;
    }
    return ok;
}

bool tls_drop_privileges(void)
{
    if (geteuid() != 0)
        return true;
    if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        fprintf(stderr, "vane-tls: cannot become nobody: %s\n", strerror(errno));
        return false;
    }
    return true;
}

/* ---- the relay ---- */

struct half {                   /* one direction: bytes on their way */
    char buf[BUFFER];
    size_t at, n;
    bool ended, done;           /* no more comes in; that has been passed on */
};

/* From @fd into the buffer. */
static void fill(struct half *h, int fd)
{
    ssize_t n = read(fd, h->buf, sizeof(h->buf));

    if (n > 0) {
        h->at = 0;
        h->n = (size_t)n;
    } else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
        h->ended = true;
    }
}

/* From the buffer to @fd; false when nobody reads there any more. */
static bool drain(struct half *h, int fd)
{
    ssize_t n = write(fd, h->buf + h->at, h->n);

    if (n < 0)
        return errno == EINTR || errno == EAGAIN;
    h->at += (size_t)n;
    h->n -= (size_t)n;
    return true;
}

/* To and from the connection as far as it goes now. *@events: what to wait for. False: it is broken. */
static bool pump(SSL *ssl, struct half *up, struct half *down, short *events)
{
    int rc;

    *events = 0;
    while (up->n) {
        rc = SSL_write(ssl, up->buf + up->at, (int)up->n);
        if (rc <= 0) {
            short w = wants(ssl, rc);

            *events |= w;
            if (!w)
                return false;
            break;
        }
        up->at += (size_t)rc;
        up->n -= (size_t)rc;
    }
    if (up->ended && !up->n && !up->done) {
        up->done = true;
        SSL_shutdown(ssl);                          /* half: the other direction goes on */
    }
    if (!down->n && !down->ended) {
        rc = SSL_read(ssl, down->buf, sizeof(down->buf));
        if (rc > 0) {
            down->at = 0;
            down->n = (size_t)rc;
        } else if (SSL_get_error(ssl, rc) == SSL_ERROR_ZERO_RETURN) {
            down->ended = true;
        } else {
            short w = wants(ssl, rc);

            *events |= w;
            return w != 0;
        }
    }
    return true;
}

int tls_relay(SSL *ssl, int in, int out)
{
    static struct half up, down;
    int fd = SSL_get_fd(ssl);

    fcntl(in, F_SETFL, fcntl(in, F_GETFL) | O_NONBLOCK);
    fcntl(out, F_SETFL, fcntl(out, F_GETFL) | O_NONBLOCK);
    for (;;) {
        struct pollfd p[3] = { { fd, 0, 0 }, { in, POLLIN, 0 }, { out, POLLOUT, 0 } };

        ERR_clear_error();
        if (!pump(ssl, &up, &down, &p[0].events)) {
            complain("the connection was cut");
            return 1;
        }
        if (down.n) {
            if (!drain(&down, out))
                return 1;
            if (!down.n)
                continue;                           /* the connection may have more already */
        }
        if (down.ended && out >= 0) {
            close(out);
            out = -1;
        }
        if (up.done && out < 0)
            return 0;
        if (up.n || up.ended)
            p[1].fd = -1;
        if (!down.n)
            p[2].fd = -1;
        poll(p, 3, -1);
        if (p[1].revents)
            fill(&up, in);
    }
}
