#include "detectors/checklist.h"

#include <string.h>

enum {
    ENOUGH_UNITS = 20, /* seen, before silence counts as a pass */
    ITEM_POOL = 5,
    ITEM_STREAMING = 28,
    STREAMING_ROWS = 10000, /* a page is the cure below, a stream above */
    ITEM_ASYNC = 9,         /* statements one after the other show on the wire */
    ITEM_BACKGROUND = 10,
    ITEM_COMPRESSION = 11,
    ITEM_CACHING = 12,
    ITEM_RATE_LIMIT = 15,
    ITEM_KEEP_ALIVE = 16,
    ITEM_PROCESSES = 33, /* a stall may be a computation; that there is none needs more */
    ITEM_BLOCKING = 36,
    ITEM_HTTP_CACHE = 40,
};

/* What the HTTP side says of the items that it settles, added up over routes. */
struct http_evidence {
    uint64_t requests;
    uint64_t beside;  /* of these, in flight with others */
    uint64_t joined;  /* units that are known to be of one request */
    uint64_t wanted;  /* bodies that would become smaller, and whose client takes them so */
    uint64_t coded;   /* of them compressed */
    uint64_t answers; /* to GET, that a cache could keep */
    uint64_t kept;    /* of them with a validator or a time to live */
    uint64_t not_modified;
    uint64_t limits; /* 429, and answers that tell their limit */
};

/* What a verdict looks at. */
struct scope {
    struct finding *const *findings;
    size_t n_findings;
    uint64_t units;
    bool facts; /* the grammar told of statements */
    bool plans; /* plans came back */
    struct http_evidence http;
};

enum source { WIRE, PLAN, HTTP, REDIS, SOURCE, MANUAL };

struct row {
    int id;
    const char *text;
    enum source source;
    const char *how;
};

static const struct row rows[CHECKLIST_ITEMS] = {
#define CHECKLIST(id_, text_, source_, how_)                                                       \
    {.id = (id_), .text = (text_), .source = (source_), .how = (how_)},
#include "detectors/checklist.def"
#undef CHECKLIST
};

static const char *source_name(enum source s)
{
    static const char *const names[] = {"wire",  "wire+explain", "http",
                                        "redis", "source",       "manual"};
    return names[s];
}

static bool concerns(const struct detector *d, int item)
{
    for (int i = 0; i < DETECTOR_MAX_CHECKLIST && d->checklist[i] != 0; i++) {
        if (d->checklist[i] == item)
            return true;
    }
    return false;
}

static bool fails(const struct scope *s, int item)
{
    for (size_t i = 0; i < s->n_findings; i++) {
        const struct finding *f = s->findings[i];
        if (concerns(f->detector, item) &&
            (item != ITEM_STREAMING || f->occurrences.max >= STREAMING_ROWS))
            return true;
    }
    return false;
}

static bool is_judged(int item)
{
    for (int i = 0; i < DETECTOR_COUNT; i++) {
        if (concerns(det_detectors[i], item))
            return true;
    }
    return false;
}

static void not_observed(struct checklist_item *out, const char *reason, const char *how)
{
    out->verdict = VERDICT_NOT_OBSERVED;
    out->reason = reason;
    out->how_to_observe = how;
}

/* --- what only HTTP shows --- */

static void add_route(struct http_evidence *h, const struct http_route *r)
{
    h->requests += r->requests;
    h->beside += r->requests - r->alone;
    h->wanted += r->coding.plain + r->coding.coded;
    h->coded += r->coding.coded;
    h->answers += r->caching.answers;
    h->kept +=
        r->caching.validators > r->caching.lasting ? r->caching.validators : r->caching.lasting;
    h->not_modified += r->caching.not_modified;
    h->limits += r->limited + r->limits_told;
}

static void pass(struct checklist_item *out, const char *reason)
{
    out->verdict = VERDICT_PASS;
    out->reason = reason;
}

/* No finding fails it: a pass wants positive evidence. */
static void judge_http(const struct http_evidence *h, const struct row *row,
                       struct checklist_item *out)
{
    if (h->requests == 0)
        not_observed(out, "its source was not seen", row->how);
    else if (row->id == ITEM_RATE_LIMIT && h->limits > 0)
        pass(out, "answers told of a limit or were 429");
    else if (row->id == ITEM_RATE_LIMIT)
        not_observed(out, "no limit was told or reached; it may stand before the application",
                     "Look at what is before the application, and for slowapi or DRF's throttles");
    else if (h->requests < ENOUGH_UNITS)
        not_observed(out, "fewer than 20 requests were seen",
                     "Send more requests through pgsleuth");
    else if (row->id == ITEM_COMPRESSION && h->coded > 0 && h->coded * 2 > h->wanted)
        pass(out, "most bodies that become smaller were compressed");
    else if (row->id == ITEM_COMPRESSION)
        not_observed(out, "no client asked for compressed bodies worth it",
                     "Send Accept-Encoding: gzip, as browsers do");
    else if (row->id == ITEM_CACHING && h->kept * 2 > h->answers && h->answers > 0)
        pass(out, "most answers to GET have a validator or a time to live");
    else if (row->id == ITEM_HTTP_CACHE && h->not_modified > 0)
        pass(out, "clients asked again and were answered 304");
    else if (row->id == ITEM_CACHING || row->id == ITEM_HTTP_CACHE)
        not_observed(out, "no answer was seen to repeat", "Ask for the same address again");
    else if (row->id == ITEM_KEEP_ALIVE)
        pass(out, "connections were used for several requests");
    else if (row->id == ITEM_BLOCKING && h->beside >= ENOUGH_UNITS)
        pass(out, "requests beside others were served while those went on");
    else if (row->id == ITEM_BLOCKING || row->id == ITEM_PROCESSES)
        not_observed(out, "no request was held up by another; few were in flight together",
                     "Send requests of several users at once; ruff check --select ASYNC");
    else if (row->id == ITEM_BACKGROUND && h->joined >= ENOUGH_UNITS)
        pass(out, "no request waited long after its last statement");
    else
        not_observed(out, "too few statements could be joined to their requests",
                     "Run with --calibrate, or tag the statements");
}

/* An item that a detector decides and that no finding fails. */
static void judge_quiet(const struct scope *s, const struct row *row, struct checklist_item *out)
{
    const bool needs_facts = row->id != 1 && row->id != 2;
    if (row->source == PLAN && !s->plans)
        not_observed(out, "no plan was asked for", row->how);
    else if (s->units < ENOUGH_UNITS)
        not_observed(out, "fewer than 20 requests were seen",
                     "Send more requests through pgsleuth");
    else if (needs_facts && !s->facts)
        not_observed(out, "the grammar told nothing of these statements",
                     "Run with the parser helper");
    else if (row->id == 2)
        not_observed(out,
                     "no lazy load was seen; whether what is loaded is used does not show here",
                     "Guard with raiseload(\"*\") in tests");
    else {
        out->verdict = VERDICT_PASS;
        out->reason = "looked for in the traffic and not found";
    }
}

static void judge(const struct scope *s, const struct row *row, struct checklist_item *out)
{
    *out = (struct checklist_item){
        .id = row->id,
        .text = row->text,
        .source = source_name(row->source),
        .how_to_observe = "",
    };
    bool by_http = row->source == HTTP && (is_judged(row->id) || row->id == ITEM_RATE_LIMIT);
    if (fails(s, row->id)) {
        out->verdict = VERDICT_FAIL;
        out->reason = "see the issues of this item";
    } else if (by_http && row->id != ITEM_ASYNC) {
        judge_http(&s->http, row, out);
    } else if (is_judged(row->id)) {
        judge_quiet(s, row, out);
    } else if (row->source == MANUAL) {
        out->verdict = VERDICT_MANUAL;
        out->reason = "cannot be seen in traffic";
        out->how_to_observe = row->how;
    } else {
        not_observed(out,
                     row->source == WIRE ? "not judged by this version" : "its source was not seen",
                     row->how);
    }
}

/* Middleware whose name says what it is for, and the item that it settles. */
static const struct {
    const char *word;
    int item;
} telling[] = {
    {"GZip", ITEM_COMPRESSION},       {"Brotli", ITEM_COMPRESSION}, {"Compress", ITEM_COMPRESSION},
    {"ConditionalGet", ITEM_CACHING}, {"SlowAPI", ITEM_RATE_LIMIT}, {"RateLimit", ITEM_RATE_LIMIT},
};

/* What nobody saw, the application may tell of itself. */
static void ask_application(const struct application *a, struct checklist_item *out)
{
    if (out->id == ITEM_POOL && a->pooled) {
        pass(out, "the application's manifest has a pool of connections");
        out->how_to_observe = "";
    }
    for (size_t i = 0; i < a->n_middleware; i++) {
        for (size_t k = 0; k < sizeof(telling) / sizeof(telling[0]); k++) {
            if (telling[k].item != out->id || strstr(a->middleware[i], telling[k].word) == NULL)
                continue;
            pass(out, "the application's manifest has middleware for it");
            out->how_to_observe = "";
        }
    }
}

void checklist_judge(const struct result *r, const struct endpoint_result *e,
                     struct checklist_item out[CHECKLIST_ITEMS])
{
    struct scope s = {
        .findings = r->findings,
        .n_findings = r->n_findings,
        .units = r->units,
        .facts = r->with_facts > 0,
        .plans = r->explained > 0,
    };
    if (e != NULL) {
        s.findings = e->findings;
        s.n_findings = e->n_findings;
        s.units = e->endpoint->units;
        s.http.joined = e->endpoint->split.units;
        if (e->endpoint->http != NULL)
            add_route(&s.http, e->endpoint->http);
        s.facts = false;
        s.plans = false;
        for (const struct usage *u = e->endpoint->usages; u != NULL; u = u->next) {
            s.facts |= u->statement->facts != NULL;
            s.plans |= u->statement->plans[0] != NULL;
        }
    }
    for (size_t i = 0; e == NULL && i < r->n_endpoints; i++) {
        const struct endpoint *one = r->endpoints[i].endpoint;
        s.http.joined += one->split.units;
        if (one->http != NULL && one->http->endpoint == one)
            add_route(&s.http, one->http);
    }
    for (int i = 0; i < CHECKLIST_ITEMS; i++) {
        judge(&s, &rows[i], &out[i]);
        if (out[i].verdict == VERDICT_NOT_OBSERVED)
            ask_application(&r->application, &out[i]);
    }
}
