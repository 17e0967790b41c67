#include "report/live.h"

#include "report/error.h"
#include "report/text_parts.h"

#include <stdio.h>

enum { CALLS_WIDTH = 8, MS_WIDTH = 9, ENDPOINT_WIDTH = 28, HEAD_LINES = 2 };

static void put_status(struct rpt_screen *s, const json_t *status)
{
    const json_t *sessions = json_object_get(status, "sessions");
    const char *run = rpt_text_at(json_object_get(status, "run"), "name");
    rpt_screen_printf(s, RPT_STYLE_BOLD, "pgsleuth %s", rpt_text_at(status, "version"));
    rpt_screen_printf(s, RPT_STYLE_NONE,
                      "  up %.0f s  %" JSON_INTEGER_FORMAT " connections  %" JSON_INTEGER_FORMAT
                      " statements",
                      json_number_value(json_object_get(status, "uptime_s")),
                      rpt_count_at(sessions, "open"), rpt_count_at(status, "statements"));
    if (*run != '\0')
        rpt_screen_printf(s, RPT_STYLE_NONE, "  run %s", run);
    if (rpt_count_at(status, "records_dropped") > 0)
        rpt_screen_printf(s, RPT_STYLE_YELLOW, "  %" JSON_INTEGER_FORMAT " records dropped",
                          rpt_count_at(status, "records_dropped"));
    rpt_screen_end(s);
}

/* Cut what goes beyond the screen, so that nothing scrolls. */
static void cut_lines(struct strbuf *out, size_t from, unsigned height)
{
    unsigned lines = 0;
    for (size_t i = from; i < out->len; i++) {
        lines += out->data[i] == '\n';
        if (lines == height) {
            out->len = i + 1;
            out->data[out->len] = '\0';
            return;
        }
    }
}

int rpt_live_top(const json_t *status, const json_t *endpoints, unsigned height, struct strbuf *out,
                 struct rpt_text_options options)
{
    struct rpt_screen s;
    size_t from = out->len;
    rpt_screen_init(&s, out, rpt_text_width(options), options.color);
    put_status(&s, status);
    if (json_array_size(json_object_get(endpoints, "endpoints")) > 0)
        rpt_put_endpoints(&s, endpoints);
    else
        rpt_screen_put(&s, RPT_STYLE_DIM, "No endpoint was seen yet.");
    rpt_screen_end(&s);
    rpt_screen_fini(&s);
    if (out->failed)
        return RPT_E_NO_MEMORY;
    if (height > 0)
        cut_lines(out, from, height);
    return RPT_OK;
}

/* Calls of the same statement of the same endpoint in an earlier list. */
static json_int_t calls_before(const json_t *list, const json_t *one)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *other = json_array_get(list, i);
        if (strcmp(rpt_text_at(other, "id"), rpt_text_at(one, "id")) == 0 &&
            strcmp(rpt_text_at(other, "endpoint_key"), rpt_text_at(one, "endpoint_key")) == 0)
            return rpt_count_at(other, "calls");
    }
    return 0;
}

static void put_statement(struct rpt_screen *s, const json_t *one, json_int_t calls)
{
    char cell[32];
    json_int_t errors = rpt_count_at(one, "errors");
    snprintf(cell, sizeof(cell), "%" JSON_INTEGER_FORMAT "x", calls);
    rpt_screen_right(s, RPT_STYLE_BOLD, cell, CALLS_WIDTH);
    snprintf(cell, sizeof(cell), "%.2f ms", json_number_value(rpt_value_at(one, "ms", "p95")));
    rpt_screen_right(s, RPT_STYLE_NONE, cell, MS_WIDTH + 2);
    rpt_screen_put(s, RPT_STYLE_NONE, "  ");
    rpt_screen_left(s, RPT_STYLE_DIM, rpt_text_at(one, "endpoint"), ENDPOINT_WIDTH);
    rpt_screen_put(s, RPT_STYLE_NONE, "  ");
    if (errors > 0)
        rpt_screen_printf(s, RPT_STYLE_RED, "%" JSON_INTEGER_FORMAT " errors ", errors);
    rpt_screen_put(s, RPT_STYLE_NONE, rpt_text_at(one, "sql"));
    rpt_screen_end(s);
}

int rpt_live_tail(const json_t *before, const json_t *now, struct strbuf *out,
                  struct rpt_text_options options)
{
    struct rpt_screen s;
    const json_t *list = json_object_get(now, "statements");
    const json_t *earlier = json_object_get(before, "statements");
    rpt_screen_init(&s, out, rpt_text_width(options), options.color);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        json_int_t calls = rpt_count_at(one, "calls") - calls_before(earlier, one);
        if (calls != 0) /* fewer: another run has begun */
            put_statement(&s, one, calls > 0 ? calls : rpt_count_at(one, "calls"));
    }
    rpt_screen_fini(&s);
    return out->failed ? RPT_E_NO_MEMORY : RPT_OK;
}
