#include "proxy/admin_parts.h"
#include "report/html.h"
#include "report/value.h"

#include <event2/buffer.h>
#include <event2/keyvalq_struct.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/queue.h>

#define POLICY "Content-Security-Policy"

void admin_secure(struct evhttp_request *request)
{
    static const char *const lines[][2] = {
        {"X-Content-Type-Options", "nosniff"},
        {"Cache-Control", "no-store"},
        {POLICY, "default-src 'none'; frame-ancestors 'none'"},
        {"Referrer-Policy", "no-referrer"},
    };
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        evhttp_add_header(headers, lines[i][0], lines[i][1]);
}

bool admin_allow_page(struct evhttp_request *request)
{
    enum { POLICY_MAX = 1024 };
    struct strbuf policy;
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    strbuf_init(&policy, POLICY_MAX);
    rpt_html_policy(&policy);
    bool done = !policy.failed && evhttp_remove_header(headers, POLICY) == 0 &&
                evhttp_add_header(headers, POLICY, strbuf_text(&policy)) == 0;
    strbuf_fini(&policy);
    return done;
}

const char *admin_header(struct evhttp_request *request, const char *name, bool *twice)
{
    const char *value = NULL;
    *twice = false;
    const struct evkeyval *line;
    TAILQ_FOREACH(line, evhttp_request_get_input_headers(request), next)
    {
        if (strcasecmp(line->key, name) != 0)
            continue;
        *twice = *twice || value != NULL;
        value = line->value;
    }
    return value;
}

void admin_reply(struct evhttp_request *request, int code, json_t *body)
{
    struct evbuffer *out = evhttp_request_get_output_buffer(request);
    char *text =
        body != NULL ? json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(RPT_REAL_DIGITS)) : NULL;
    json_decref(body);
    if (text == NULL || evbuffer_add_printf(out, "%s\n", text) < 0) {
        code = HTTP_INTERNAL;
        evbuffer_drain(out, evbuffer_get_length(out));
    }
    free(text);
    evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type",
                      "application/json");
    evhttp_send_reply(request, code, NULL, NULL);
}

void admin_refuse(struct evhttp_request *request, int code, const char *error, const char *todo)
{
    json_t *body = json_object();
    rpt_put(&body, "error", rpt_string(error));
    rpt_put(&body, "do", rpt_string(todo));
    admin_reply(request, code, body);
}
