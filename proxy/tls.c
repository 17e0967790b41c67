#include "proxy/tls.h"

#include "common/log.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct tls {
    atomic_uint refs;
    SSL_CTX *accept; /* NULL: no certificate to show */
    SSL_CTX *connect;
    enum sslmode sslmode;
    bool sni;
};

/* The protocol's name in the form ALPN has it: a length, then the text. */
static const unsigned char alpn[] = "\x0apostgresql";
enum { ALPN_LEN = sizeof(alpn) - 1 };

static const char *last_error(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;
    if (reason == NULL && code != 0 && ERR_SYSTEM_ERROR(code))
        reason = strerrordesc_np((int)ERR_GET_REASON(code));
    return reason != NULL ? reason : "unknown error";
}

struct complaint {
    char *text;
    size_t size;
};

static bool bad_file(const struct complaint *c, const char *what, const char *path)
{
    snprintf(c->text, c->size, "cannot use the %s %s: %s", what, path, last_error());
    return false;
}

static bool bad_value(const struct complaint *c, const char *text)
{
    snprintf(c->text, c->size, "%s", text);
    return false;
}

/* --- both legs --- */

static SSL_CTX *new_context(const SSL_METHOD *method)
{
    SSL_CTX *ctx = SSL_CTX_new(method);
    if (ctx == NULL)
        return NULL;
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    /* A FIN without close_notify is an end of stream: the protocol above has its own ends. */
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                                 SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ctx, 0);
    /* What was not taken is offered again from the spill, which is elsewhere in memory. */
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    /* A record without data, a KeyUpdate, must not keep SSL_read going for as long as a peer sends
     * more of them. */
    SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_read_ahead(ctx, 1);
    return ctx;
}

/* A key that wants a passphrase must not ask for it on the terminal. */
static int give_password(char *out, int size, int writing, void *context)
{
    (void)writing;
    const char *password = context;
    int len = password != NULL ? (int)strlen(password) : 0;
    if (len > size)
        return 0;
    memcpy(out, password != NULL ? password : "", (size_t)len);
    return len;
}

static void warn_of_open_key(const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && (st.st_mode & (S_IRWXG | S_IRWXO) & ~(mode_t)S_IRGRP) != 0)
        log_warning("the private key %s can be read by others; chmod 600 it", path);
}

static bool use_certificate(SSL_CTX *ctx, const char *cert, const char *key, const char *password,
                            const struct complaint *c)
{
    union {
        const char *text;
        void *context;
    } borrowed = {.text = password}; /* OpenSSL hands it back to give_password, which only reads */
    ERR_clear_error();
    SSL_CTX_set_default_passwd_cb(ctx, give_password);
    SSL_CTX_set_default_passwd_cb_userdata(ctx, borrowed.context);
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
        return bad_file(c, "certificate", cert);
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
        return bad_file(c, "private key", key);
    if (SSL_CTX_check_private_key(ctx) != 1)
        return bad_file(c, "private key", key);
    SSL_CTX_set_default_passwd_cb_userdata(ctx, NULL);
    warn_of_open_key(key);
    return true;
}

/* --- client leg --- */

static int select_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *in, unsigned in_len, void *context)
{
    (void)ssl;
    (void)context;
    unsigned char *selected = NULL;
    if (SSL_select_next_proto(&selected, out_len, alpn, ALPN_LEN, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = selected;
    return SSL_TLSEXT_ERR_OK;
}

static bool ask_for_client_certificate(SSL_CTX *ctx, const char *ca, const struct complaint *c)
{
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(ca);
    if (names == NULL || SSL_CTX_load_verify_file(ctx, ca) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return bad_file(c, "certificate authority", ca);
    }
    SSL_CTX_set_client_CA_list(ctx, names);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE, NULL);
    return true;
}

static bool init_accept(struct tls *t, const struct tls_files *files, const struct complaint *c)
{
    if (files->cert[0] == '\0' && files->key[0] == '\0')
        return files->client_ca[0] == '\0' ||
               bad_value(c, "tls.client_ca needs tls.cert and tls.key");
    if (files->cert[0] == '\0' || files->key[0] == '\0')
        return bad_value(c, "tls.cert and tls.key go together: give both");
    t->accept = new_context(TLS_server_method());
    if (t->accept == NULL)
        return bad_value(c, "out of memory");
    if (files->only_1_3)
        SSL_CTX_set_min_proto_version(t->accept, TLS1_3_VERSION);
    SSL_CTX_set_options(t->accept, SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_dh_auto(t->accept, 1);
    SSL_CTX_set_alpn_select_cb(t->accept, select_protocol, NULL);
    if (!use_certificate(t->accept, files->cert, files->key, NULL, c))
        return false;
    return files->client_ca[0] == '\0' ||
           ask_for_client_certificate(t->accept, files->client_ca, c);
}

/* --- server leg --- */

/* The file in ~/.postgresql that libpq reads when the URL names none; NULL when it is not there. */
static const char *home_file(const char *name, char *path, size_t size)
{
    const char *home =
        getenv("HOME"); /* NOLINT(concurrency-mt-unsafe): nothing here sets variables */
    if (home == NULL)
        return NULL;
    int len = snprintf(path, size, "%s/.postgresql/%s", home, name);
    /* One that is there but cannot be read is an error, not a file less. */
    return len > 0 && (size_t)len < size && access(path, F_OK) == 0 ? path : NULL;
}

static bool load_revoked(SSL_CTX *ctx, const struct upstream *u, const struct complaint *c)
{
    char home[1024];
    const char *file = u->crl;
    if (file == NULL && u->crl_dir == NULL)
        file = home_file("root.crl", home, sizeof(home));
    if (file == NULL && u->crl_dir == NULL)
        return true;
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    if (X509_STORE_load_locations(store, file, u->crl_dir) != 1)
        return bad_file(c, "revocation list", file != NULL ? file : u->crl_dir);
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    return true;
}

/* libpq: a root certificate that is there makes `require` as strong as `verify-ca`. */
static bool init_verification(struct tls *t, const struct upstream *u, const struct complaint *c)
{
    char home[1024];
    const char *root =
        u->root_cert != NULL ? u->root_cert : home_file("root.crt", home, sizeof(home));
    if (t->sslmode < SSLMODE_REQUIRE || (t->sslmode == SSLMODE_REQUIRE && root == NULL))
        return true;
    if (root == NULL)
        return bad_value(c, "sslmode=verify-ca and verify-full need sslrootcert in the URL, or "
                            "~/.postgresql/root.crt");
    if (strcmp(root, "system") == 0) {
        if (SSL_CTX_set_default_verify_paths(t->connect) != 1)
            return bad_file(c, "certificates of the", root);
    } else if (SSL_CTX_load_verify_file(t->connect, root) != 1) {
        return bad_file(c, "root certificate", root);
    }
    SSL_CTX_set_verify(t->connect, SSL_VERIFY_PEER, NULL);
    if (t->sslmode == SSLMODE_REQUIRE)
        t->sslmode = SSLMODE_VERIFY_CA;
    return load_revoked(t->connect, u, c);
}

static bool init_client_certificate(struct tls *t, const struct upstream *u,
                                    const struct complaint *c)
{
    char home_cert[1024];
    char home_key[1024];
    const char *cert =
        u->cert != NULL ? u->cert : home_file("postgresql.crt", home_cert, sizeof(home_cert));
    const char *key =
        u->key != NULL ? u->key : home_file("postgresql.key", home_key, sizeof(home_key));
    if (cert == NULL)
        return true;
    if (key == NULL)
        return bad_value(c, "sslcert needs sslkey in the URL, or ~/.postgresql/postgresql.key");
    return use_certificate(t->connect, cert, key, u->key_password, c);
}

static int protocol_version(const char *text)
{
    static const struct {
        const char *text;
        int version;
    } versions[] = {
        {"TLSv1", TLS1_2_VERSION},
        {"TLSv1.1", TLS1_2_VERSION}, /* ours is the floor */
        {"TLSv1.2", TLS1_2_VERSION},
        {"TLSv1.3", TLS1_3_VERSION},
    };
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        if (strcmp(text, versions[i].text) == 0)
            return versions[i].version;
    }
    return 0;
}

static bool init_versions(SSL_CTX *ctx, const struct upstream *u, const struct complaint *c)
{
    int min = u->min_protocol != NULL ? protocol_version(u->min_protocol) : TLS1_2_VERSION;
    int max = u->max_protocol != NULL ? protocol_version(u->max_protocol) : TLS1_3_VERSION;
    if (min == 0 || max == 0)
        return bad_value(c, "ssl_min_protocol_version and ssl_max_protocol_version are TLSv1.2 or "
                            "TLSv1.3");
    if (min > max)
        return bad_value(c, "ssl_min_protocol_version is above ssl_max_protocol_version");
    SSL_CTX_set_min_proto_version(ctx, min);
    SSL_CTX_set_max_proto_version(ctx, max);
    return true;
}

static bool init_connect(struct tls *t, const struct upstream *u, const struct complaint *c)
{
    t->sslmode = u->sslmode;
    t->sni = u->sni;
    if (u->sslmode == SSLMODE_DISABLE)
        return true;
    t->connect = new_context(TLS_client_method());
    if (t->connect == NULL || SSL_CTX_set_alpn_protos(t->connect, alpn, ALPN_LEN) != 0)
        return bad_value(c, "out of memory");
    return init_versions(t->connect, u, c) && init_verification(t, u, c) &&
           init_client_certificate(t, u, c);
}

/* --- life --- */

struct tls *tls_new(const struct tls_files *files, const struct upstream *upstream, char *error,
                    size_t error_size)
{
    struct complaint c = {.text = error, .size = error_size};
    struct tls *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        bad_value(&c, "out of memory");
        return NULL;
    }
    atomic_init(&t->refs, 1);
    ERR_clear_error();
    if (init_accept(t, files, &c) && init_connect(t, upstream, &c))
        return t;
    tls_unref(t);
    return NULL;
}

struct tls *tls_ref(struct tls *t)
{
    atomic_fetch_add(&t->refs, 1);
    return t;
}

void tls_unref(struct tls *t)
{
    if (t == NULL || atomic_fetch_sub(&t->refs, 1) > 1)
        return;
    SSL_CTX_free(t->accept);
    SSL_CTX_free(t->connect);
    free(t);
}

bool tls_has_certificate(const struct tls *t)
{
    return t->accept != NULL;
}

/* --- connections --- */

SSL *tls_accept(const struct tls *t, int fd)
{
    SSL *ssl = SSL_new(t->accept);
    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1) {
        SSL_free(ssl);
        return NULL;
    }
    SSL_set_accept_state(ssl);
    return ssl;
}

/* verify-full: the name, or the address, must stand in the certificate. */
static bool expect_host(SSL *ssl, const char *host)
{
    if (!address_is_name(host))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host) == 1;
}

SSL *tls_connect(const struct tls *t, int fd, const char *host)
{
    SSL *ssl = SSL_new(t->connect);
    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1)
        goto fail;
    char name[TLSEXT_MAXLEN_host_name + 1]; /* OpenSSL's macro takes no const */
    snprintf(name, sizeof(name), "%s", host);
    if (t->sni && address_is_name(host) && SSL_set_tlsext_host_name(ssl, name) != 1)
        goto fail;
    if (t->sslmode == SSLMODE_VERIFY_FULL && !expect_host(ssl, host))
        goto fail;
    SSL_set_connect_state(ssl);
    return ssl;
fail:
    SSL_free(ssl);
    return NULL;
}

bool tls_agreed_on_postgresql(const SSL *ssl)
{
    const unsigned char *name = NULL;
    unsigned len = 0;
    SSL_get0_alpn_selected(ssl, &name, &len);
    return len == ALPN_LEN - 1 && memcmp(name, alpn + 1, len) == 0;
}

bool tls_same_certificate(const SSL *client, const SSL *server)
{
    X509 *ours = SSL_get_certificate(client);
    X509 *theirs = SSL_get0_peer_certificate(server);
    return ours != NULL && theirs != NULL && X509_cmp(ours, theirs) == 0;
}

bool tls_shows_certificate_of(const struct tls *t, const SSL *server)
{
    X509 *ours = t->accept != NULL ? SSL_CTX_get0_certificate(t->accept) : NULL;
    X509 *theirs = SSL_get0_peer_certificate(server);
    return ours != NULL && theirs != NULL && X509_cmp(ours, theirs) == 0;
}

bool tls_days_left(const struct tls *t, int *days)
{
    int seconds = 0;
    X509 *ours = t->accept != NULL ? SSL_CTX_get0_certificate(t->accept) : NULL;
    return ours != NULL && ASN1_TIME_diff(days, &seconds, NULL, X509_get0_notAfter(ours)) == 1;
}

bool tls_failure(const SSL *ssl, char text[TLS_ERROR_TEXT])
{
    /* What nobody asked to be verified has a verdict, too, but it is not why. */
    bool verified = SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE;
    long verdict = verified ? SSL_get_verify_result(ssl) : X509_V_OK;
    bool closed = verdict == X509_V_OK && ERR_peek_last_error() == 0;
    snprintf(text, TLS_ERROR_TEXT, "%s",
             verdict != X509_V_OK ? X509_verify_cert_error_string(verdict)
             : closed             ? "the connection was closed"
                                  : last_error());
    return !closed;
}

const char *tls_alert_text(uint8_t alert)
{
    /* SSL_alert_desc_string_long knows nothing of the alerts of TLS 1.3. */
    unsigned long code = ERR_PACK(ERR_LIB_SSL, 0, SSL_AD_REASON_OFFSET + alert);
    const char *text = ERR_reason_error_string(code);
    return text != NULL ? text : "alert of an unknown kind";
}
