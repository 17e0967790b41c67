#include "detectors/checklist.h"

enum {
    ENOUGH_UNITS = 20, /* seen, before silence counts as a pass */
    ITEM_STREAMING = 28,
    STREAMING_ROWS = 10000, /* a page is the cure below, a stream above */
};

/* What a verdict looks at. */
struct scope {
    struct finding *const *findings;
    size_t n_findings;
    uint64_t units;
    bool facts; /* the grammar told of statements */
    bool plans; /* plans came back */
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
    if (fails(s, row->id)) {
        out->verdict = VERDICT_FAIL;
        out->reason = "see the issues of this item";
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
        s.facts = false;
        s.plans = false;
        for (const struct usage *u = e->endpoint->usages; u != NULL; u = u->next) {
            s.facts |= u->statement->facts != NULL;
            s.plans |= u->statement->plans[0] != NULL;
        }
    }
    for (int i = 0; i < CHECKLIST_ITEMS; i++)
        judge(&s, &rows[i], &out[i]);
}
