/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tls.h - bytes between two descriptors and a TLS connection, both ends proven by certificates
 *
 * ca.pem, cert.pem and key.pem of a directory: who has a certificate of that CA may send and receive guests. TLS 1.3
 * only. The side that connects compares the host's name; the side that listens compares with the names in `allow`
 * (one a line), if there is such a file.
 */
#ifndef VANE_TLS_H
#define VANE_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TLS_DIR "/etc/vane/tls"
#define TLS_HANDSHAKE_MS 10000

/* Says on standard error what is wrong and returns NULL. */
SSL_CTX *tls_context(const char *dir, bool server);

/* The handshake; @host: the name the other side must have, NULL when it is the client. NULL: refused, said why. */
SSL *tls_handshake(SSL_CTX *ctx, int fd, const char *host);
/* The common name of the other side. */
void tls_peer_name(SSL *ssl, char *out, size_t size);
/* Whether one of the lines of @list is a name of the other side. */
bool tls_allowed(FILE *list, SSL *ssl);

/* @in to the connection, the connection to @out, until both have ended. 0, or 1 when it was cut. */
int tls_relay(SSL *ssl, int in, int out);

/* From here on this process reads what a stranger sends: as nobody. */
bool tls_drop_privileges(void);

#endif
