#include "proxy/cli/api.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <openssl/crypto.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_S = 10, ANSWER_MAX = 64 * 1024 * 1024, TOKEN_MAX = 128, HTTP_PORT = 80 };

struct api {
    struct event_base *base;
    struct evhttp_uri *uri;
    char authorization[TOKEN_MAX + 16];
    json_t *answer; /* of the request on its way */
    char *error;
};

static void say(char *error, const char *what)
{
    snprintf(error, API_ERROR, "%s", what);
}

/* The token of "?token=...". False when there is none, or one that cannot be. */
static bool read_token(struct api *api)
{
    struct evkeyvalq query;
    const char *text = evhttp_uri_get_query(api->uri);
    if (text == NULL || evhttp_parse_query_str(text, &query) != 0)
        return false;
    const char *token = evhttp_find_header(&query, "token");
    bool good = token != NULL && strlen(token) <= TOKEN_MAX && strpbrk(token, "\r\n") == NULL;
    if (good)
        snprintf(api->authorization, sizeof(api->authorization), "Bearer %s", token);
    evhttp_clear_headers(&query);
    return good;
}

struct api *api_new(const char *url, char error[API_ERROR])
{
    struct api *api = calloc(1, sizeof(*api));
    if (api != NULL)
        api->base = event_base_new();
    if (api == NULL || api->base == NULL) {
        say(error, "out of memory");
        goto fail;
    }
    api->uri = evhttp_uri_parse(url);
    if (api->uri == NULL || evhttp_uri_get_scheme(api->uri) == NULL ||
        strcmp(evhttp_uri_get_scheme(api->uri), "http") != 0 ||
        evhttp_uri_get_host(api->uri) == NULL || evhttp_uri_get_host(api->uri)[0] == '\0') {
        say(error, "it is no http:// URL");
        goto fail;
    }
    if (read_token(api))
        return api;
    say(error, "there is no ?token= in the URL");
fail:
    api_free(api);
    return NULL;
}

static void on_answer(struct evhttp_request *request, void *context)
{
    struct api *api = context;
    json_error_t json_error;
    if (request == NULL || evhttp_request_get_response_code(request) == 0) {
        say(api->error, "no pgsleuth answers there");
        return;
    }
    int status = evhttp_request_get_response_code(request);
    struct evbuffer *body = evhttp_request_get_input_buffer(request);
    size_t len = evbuffer_get_length(body);
    const unsigned char *text = evbuffer_pullup(body, -1);
    if (status == 401 || status == 403)
        say(api->error, "the token is not one of that pgsleuth");
    else if (status == HTTP_OK)
        api->answer = json_loadb((const char *)text, len, 0, &json_error);
    if (api->answer == NULL && api->error[0] == '\0')
        snprintf(api->error, API_ERROR, "it answered with status %d and no document", status);
}

static bool ask(struct api *api, struct evhttp_connection *connection, const char *path)
{
    struct evhttp_request *request = evhttp_request_new(on_answer, api);
    char host[300];
    int port = evhttp_uri_get_port(api->uri);
    if (request == NULL)
        return false;
    snprintf(host, sizeof(host), "%.250s:%d", evhttp_uri_get_host(api->uri),
             port > 0 ? port : HTTP_PORT);
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    if (evhttp_add_header(headers, "Host", host) != 0 ||
        evhttp_add_header(headers, "Connection", "close") != 0 ||
        evhttp_add_header(headers, "Authorization", api->authorization) != 0) {
        evhttp_request_free(request);
        return false;
    }
    return evhttp_make_request(connection, request, EVHTTP_REQ_GET, path) == 0;
}

json_t *api_get(struct api *api, const char *path, char error[API_ERROR])
{
    int port = evhttp_uri_get_port(api->uri);
    error[0] = '\0';
    api->answer = NULL;
    api->error = error;
    struct evhttp_connection *connection = evhttp_connection_base_new(
        api->base, NULL, evhttp_uri_get_host(api->uri), (uint16_t)(port > 0 ? port : HTTP_PORT));
    if (connection == NULL) {
        say(error, "out of memory");
        return NULL;
    }
    evhttp_connection_set_timeout(connection, ANSWER_S);
    evhttp_connection_set_max_body_size(connection, ANSWER_MAX);
    if (ask(api, connection, path))
        event_base_dispatch(api->base);
    else
        say(error, "no pgsleuth answers there");
    evhttp_connection_free(connection);
    if (api->answer == NULL && error[0] == '\0')
        say(error, "no pgsleuth answers there");
    return api->answer;
}

void api_free(struct api *api)
{
    if (api == NULL)
        return;
    if (api->uri != NULL)
        evhttp_uri_free(api->uri);
    if (api->base != NULL)
        event_base_free(api->base);
    OPENSSL_cleanse(api->authorization, sizeof(api->authorization));
    free(api);
}
