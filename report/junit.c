#include "report/junit.h"

#include "report/error.h"
#include "report/place.h"
#include "report/read.h"
#include "report/utf8.h"

#include <stdlib.h>

/* --- XML 1.0 --- */

static bool is_xml(uint32_t code)
{
    return code == '\n' || code == '\t' ||
           (!rpt_is_control(code) && code != 0xFFFE && code != 0xFFFF);
}

/* Text without the signs in `special`, which are the reader's. */
static void put_without(struct strbuf *b, const char *text, const char *special)
{
    struct span left = span_of_text(text);
    uint32_t code;
    while (rpt_utf8_next(&left, &code)) {
        if (!is_xml(code))
            rpt_utf8_put(b, RPT_REPLACEMENT);
        else if (code < 0x80 && strchr(special, (int)code) != NULL)
            strbuf_printf(b, "&#%u;", (unsigned)code);
        else
            rpt_utf8_put(b, code);
    }
}

static void put_escaped(struct strbuf *b, const char *text)
{
    put_without(b, text, "&<>");
}

/* Line ends would be read as blanks. */
static void put_value(struct strbuf *b, const char *text)
{
    put_without(b, text, "&<>\"\n\t");
}

static void put_attribute(struct strbuf *b, const char *name, const char *value)
{
    strbuf_printf(b, " %s=\"", name);
    put_value(b, value);
    strbuf_putc(b, '"');
}

/* A property of the suite, on a line of its own. */
static void put_property(struct strbuf *b, const char *name, const char *value)
{
    strbuf_puts(b, "   <property");
    put_attribute(b, "name", name);
    put_attribute(b, "value", value);
    strbuf_puts(b, "/>\n");
}

/* --- findings by their endpoint --- */

enum { SEVERITIES_THAT_FAIL = 2 }; /* the first of rpt_severities */

struct found {
    const char *endpoint;
    const json_t *issue;
    size_t severity; /* in rpt_severities */
    size_t order;    /* in the report: severity, then waste */
};

struct finds {
    struct found *items;
    size_t n;
};

static int by_endpoint(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    int names = strcmp(x->endpoint, y->endpoint);
    return names != 0 ? names : (x->order > y->order) - (x->order < y->order);
}

static size_t count_issues(const json_t *issues)
{
    size_t n = 0;
    for (size_t s = 0; s < RPT_SEVERITIES; s++)
        n += json_array_size(json_object_get(issues, rpt_severities[s].key));
    return n;
}

/* Sorted, for an endpoint is looked at once for each item. False when there is no memory. */
static bool finds_init(struct finds *f, const json_t *issues)
{
    *f = (struct finds){.items = calloc(count_issues(issues) + 1, sizeof(*f->items))};
    if (f->items == NULL)
        return false;
    for (size_t s = 0; s < RPT_SEVERITIES; s++) {
        const json_t *list = json_object_get(issues, rpt_severities[s].key);
        for (size_t i = 0; i < json_array_size(list); i++, f->n++) {
            const json_t *issue = json_array_get(list, i);
            f->items[f->n] = (struct found){rpt_text_at(issue, "endpoint"), issue, s, f->n};
        }
    }
    qsort(f->items, f->n, sizeof(*f->items), by_endpoint);
    return true;
}

/* Those of one endpoint, a part of `all`. */
static struct finds finds_of(const struct finds *all, const char *endpoint)
{
    size_t low = 0, high = all->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(all->items[middle].endpoint, endpoint) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    struct finds out = {.items = all->items + low};
    while (low + out.n < all->n && strcmp(out.items[out.n].endpoint, endpoint) == 0)
        out.n++;
    return out;
}

static bool has_number(const json_t *list, json_int_t n)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (json_integer_value(json_array_get(list, i)) == n)
            return true;
    }
    return false;
}

/* --- one case --- */

/* One item of the checklist at one endpoint. */
struct test_case {
    const json_t *item;
    const json_t *endpoint; /* NULL: the report is of no endpoint in particular */
    struct finds finds;     /* of the endpoint */
    const char *verdict;
};

enum outcome { PASSED, FAILED, SKIPPED };

struct tally {
    size_t tests, failures, skipped;
};

static bool concerns(const struct test_case *c, const struct found *f)
{
    return has_number(json_object_get(f->issue, "checklist"), rpt_count_at(c->item, "id"));
}

/* An endpoint's row says what was seen there; in the report of one endpoint the items do. */
static const char *verdict_of(const json_t *endpoint, const json_t *item)
{
    const char *whole = rpt_text_at(item, "verdict");
    const json_t *here = json_object_get(endpoint, "checklist");
    if (here == NULL)
        return whole;
    if (has_number(json_object_get(here, "fail"), rpt_count_at(item, "id")))
        return "fail";
    if (has_number(json_object_get(here, "pass"), rpt_count_at(item, "id")))
        return "pass";
    return strcmp(whole, "fail") == 0 || strcmp(whole, "pass") == 0 ? "not_observed" : whole;
}

/* The worst of the findings that fail the case, or NULL. */
static const struct found *worst(const struct test_case *c)
{
    for (size_t i = 0; i < c->finds.n && strcmp(c->verdict, "fail") == 0; i++) {
        if (c->finds.items[i].severity < SEVERITIES_THAT_FAIL && concerns(c, &c->finds.items[i]))
            return &c->finds.items[i];
    }
    return NULL;
}

static enum outcome outcome_of(const struct test_case *c)
{
    if (worst(c) != NULL)
        return FAILED;
    bool judged = strcmp(c->verdict, "pass") == 0 || strcmp(c->verdict, "fail") == 0;
    return judged ? PASSED : SKIPPED;
}

static void put_part(struct strbuf *b, const char *text)
{
    put_escaped(b, text);
    if (b->len > 0 && b->data[b->len - 1] != '\n')
        strbuf_putc(b, '\n');
}

/* What is known of a finding, as text. */
static void put_finding(struct strbuf *b, const struct found *f)
{
    strbuf_printf(b, "%s ", rpt_severities[f->severity].title);
    put_escaped(b, rpt_text_at(f->issue, "id"));
    strbuf_putc(b, ' ');
    put_part(b, rpt_text_at(f->issue, "issue"));
    put_part(b, rpt_text_at(f->issue, "impact"));
    put_part(b, rpt_text_at(f->issue, "current_code"));
    put_part(b, rpt_text_at(f->issue, "optimized_code"));
    put_part(b, rpt_text_at(f->issue, "expected_improvement"));
}

/* The findings of the case from one severity on and before another. */
static void put_findings(struct strbuf *b, const struct test_case *c, size_t from, size_t to)
{
    for (size_t i = 0; i < c->finds.n; i++) {
        const struct found *f = &c->finds.items[i];
        if (f->severity >= from && f->severity < to && concerns(c, f))
            put_finding(b, f);
    }
}

/* One element for all: readers show the first alone. */
static void put_failure(struct strbuf *b, const struct test_case *c, const struct found *first)
{
    strbuf_puts(b, "<failure");
    put_attribute(b, "type", rpt_severities[first->severity].key);
    put_attribute(b, "message", rpt_text_at(first->issue, "issue"));
    strbuf_putc(b, '>');
    put_findings(b, c, 0, SEVERITIES_THAT_FAIL);
    strbuf_puts(b, "</failure>");
}

static void put_skipped(struct strbuf *b, const struct test_case *c)
{
    const char *how = rpt_text_at(c->item, "how_to_observe");
    strbuf_puts(b, "<skipped message=\"");
    put_value(b, c->verdict);
    strbuf_puts(b, ": ");
    put_value(b, *how != '\0' ? how : "not enough was seen at this endpoint");
    strbuf_puts(b, "\"/>");
}

static void put_output(struct strbuf *b, const struct test_case *c)
{
    struct strbuf text;
    strbuf_init(&text, b->max);
    put_findings(&text, c, SEVERITIES_THAT_FAIL, RPT_SEVERITIES);
    if (text.len > 0) {
        strbuf_puts(b, "<system-out>");
        strbuf_add_span(b, strbuf_span(&text));
        strbuf_puts(b, "</system-out>");
    }
    b->failed |= text.failed;
    strbuf_fini(&text);
}

/* Times are seconds; a case takes what a request of its endpoint takes, at the 95th percentile. */
static void put_head(struct strbuf *b, const struct test_case *c, const struct found *first)
{
    const json_t *p95 = rpt_value_at(c->endpoint, "latency_ms", "p95");
    const char *name = rpt_text_at(c->endpoint, "name");
    strbuf_puts(b, "  <testcase");
    put_attribute(b, "classname", c->endpoint != NULL ? name : "all endpoints");
    strbuf_printf(b, " name=\"#%" JSON_INTEGER_FORMAT " ", rpt_count_at(c->item, "id"));
    put_value(b, rpt_text_at(c->item, "text"));
    strbuf_printf(b, "\" time=\"%.6f\"", json_number_value(p95) / 1000);
    struct rpt_place place = rpt_place_of(first != NULL ? first->issue : NULL);
    if (place.file != NULL)
        put_attribute(b, "file", place.file);
    if (place.line > 0)
        strbuf_printf(b, " line=\"%" JSON_INTEGER_FORMAT "\"", place.line);
    strbuf_putc(b, '>');
}

static void put_case(struct strbuf *b, const struct test_case *c, enum outcome outcome)
{
    const struct found *first = worst(c);
    put_head(b, c, first);
    if (outcome == FAILED)
        put_failure(b, c, first);
    else if (outcome == SKIPPED)
        put_skipped(b, c);
    put_output(b, c);
    strbuf_puts(b, "</testcase>\n");
}

/* --- the suite --- */

/* The cases of one endpoint, counted; and written, when there is a buffer. */
static void add_cases(struct strbuf *b, struct tally *tally, const json_t *tree,
                      const struct finds *all, const json_t *endpoint)
{
    const json_t *items = json_object_get(tree, "checklist");
    struct test_case c = {.endpoint = json_is_object(endpoint) ? endpoint : NULL};
    if (c.endpoint != NULL)
        c.finds = finds_of(all, rpt_text_at(endpoint, "name"));
    for (size_t i = 0; i < json_array_size(items); i++) {
        c.item = json_array_get(items, i);
        c.verdict = verdict_of(c.endpoint, c.item);
        enum outcome outcome = outcome_of(&c);
        tally->tests++;
        tally->failures += outcome == FAILED;
        tally->skipped += outcome == SKIPPED;
        if (b != NULL)
            put_case(b, &c, outcome);
    }
}

static struct tally add_all(struct strbuf *b, const json_t *tree, const struct finds *all)
{
    const json_t *endpoints = json_object_get(tree, "endpoints");
    struct tally tally = {0};
    for (size_t i = 0; i < json_array_size(endpoints); i++)
        add_cases(b, &tally, tree, all, json_array_get(endpoints, i));
    if (json_array_size(endpoints) == 0)
        add_cases(b, &tally, tree, all, json_object_get(tree, "endpoint"));
    return tally;
}

/* To the second: a reader of the schema may want no more, and the time is UTC. */
static void put_timestamp(struct strbuf *b, const json_t *run)
{
    enum { TO_THE_SECOND = 19 };
    const char *started = rpt_text_at(run, "started");
    if (strlen(started) >= TO_THE_SECOND)
        strbuf_printf(b, " timestamp=\"%.*s\"", TO_THE_SECOND, started);
}

/* The head has the counts, so that all is judged twice, which is cheaper than to write it twice. */
static void put_suite(struct strbuf *out, const json_t *tree, const struct finds *all)
{
    struct tally t = add_all(NULL, tree, all);
    strbuf_puts(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    strbuf_printf(out, "<testsuites>\n <testsuite name=\"pgsleuth\" tests=\"%zu\" failures=\"%zu\"",
                  t.tests, t.failures);
    strbuf_printf(out, " errors=\"0\" skipped=\"%zu\"", t.skipped);
    put_timestamp(out, json_object_get(tree, "run"));
    strbuf_puts(out, ">\n  <properties>\n");
    put_property(out, "version", rpt_text_at(json_object_get(tree, "run"), "version"));
    put_property(out, "status", rpt_text_at(tree, "status"));
    put_property(out, "performance_score", rpt_text_at(tree, "performance_score"));
    strbuf_puts(out, "  </properties>\n");
    add_all(out, tree, all);
    strbuf_puts(out, " </testsuite>\n</testsuites>\n");
}

int rpt_junit(const json_t *tree, struct strbuf *out)
{
    struct finds all;
    if (!json_is_object(tree))
        return RPT_E_EMIT;
    if (!finds_init(&all, json_object_get(tree, "issues")))
        return RPT_E_NO_MEMORY;
    put_suite(out, tree, &all);
    free(all.items);
    return out->failed ? RPT_E_NO_MEMORY : RPT_OK;
}
