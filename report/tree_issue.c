/* Findings as issues, by severity, with their evidence. */
#include "report/sql.h"
#include "report/tree_parts.h"
#include "report/value.h"

#include <inttypes.h>

/* --- where it is --- */

static const char *tag_value(const struct finding *f, enum sql_tag_key key)
{
    const char *value = f->tag != NULL ? f->tag->value[key] : NULL;
    return value != NULL && *value != '\0' ? value : NULL;
}

/* A line number of a tag is text from the wire: digits only, 1 and up, or null. */
static json_t *line_of(const struct finding *f)
{
    const char *text = tag_value(f, SQL_TAG_LINE);
    const json_int_t most = 100000000;
    json_int_t line = 0;
    for (; text != NULL && *text != '\0'; text++) {
        if (*text < '0' || *text > '9' || line > most)
            return json_null();
        line = line * 10 + (*text - '0');
    }
    return line > 0 ? json_integer(line) : json_null();
}

/* Without source there is nothing truer to show than what was sent. NULL only without memory. */
static json_t *current_code(const struct finding *f)
{
    struct strbuf code;
    strbuf_init(&code, (size_t)RPT_TEXT_MAX);
    for (unsigned i = 0; i < f->n_statements; i++) {
        const struct finding_statement *s = &f->statements[i];
        if (s->statement->text.len == 0)
            continue;
        if (s->role != NULL && *s->role != '\0')
            strbuf_printf(&code, "-- SQL (%s)\n", s->role);
        else
            strbuf_puts(&code, "-- SQL\n");
        rpt_sql_block(&code, s->statement->text);
    }
    json_t *out = code.failed ? NULL : rpt_code(strbuf_text(&code));
    strbuf_fini(&code);
    return out;
}

static bool has_text(const struct finding *f)
{
    for (unsigned i = 0; i < f->n_statements; i++) {
        if (f->statements[i].statement->text.len > 0)
            return true;
    }
    return false;
}

/* --- evidence --- */

static void put_usage(json_t **out, const struct usage *u)
{
    json_t *time = json_object();
    rpt_put(&time, "mean",
            u != NULL ? rpt_number(histogram_mean(&u->time_us) / 1000) : json_null());
    rpt_put(&time, "p95",
            u != NULL ? rpt_ms(histogram_percentile(&u->time_us, 0.95)) : json_null());
    rpt_put(out, "calls", u != NULL ? rpt_count(u->calls) : json_null());
    rpt_put(out, "rows", u != NULL ? rpt_count(u->rows) : json_null());
    rpt_put(out, "bytes", u != NULL ? rpt_count(u->bytes) : json_null());
    rpt_put(out, "time_ms", time);
}

static json_t *statements(const struct finding *f)
{
    json_t *out = json_array();
    for (unsigned i = 0; i < f->n_statements; i++) {
        const struct finding_statement *s = &f->statements[i];
        json_t *one = json_object();
        rpt_put(&one, "role", rpt_string(s->role));
        rpt_put(
            &one, "fingerprint",
            json_sprintf("%016" PRIx64 "%016" PRIx64, s->statement->id.hi, s->statement->id.lo));
        rpt_put(&one, "text", rpt_sql_line(s->statement->text));
        put_usage(&one, s->usage);
        rpt_add(&out, one);
    }
    return out;
}

static json_t *occurrences(const struct finding *f)
{
    json_t *out = json_object();
    rpt_put(&out, "min", rpt_count(f->occurrences.min));
    rpt_put(&out, "p50", rpt_count(f->occurrences.p50));
    rpt_put(&out, "p95", rpt_count(f->occurrences.p95));
    rpt_put(&out, "max", rpt_count(f->occurrences.max));
    return out;
}

static json_t *lineage(const struct finding *f)
{
    if (f->lineage.from_column == NULL)
        return json_null();
    json_t *out = json_object();
    rpt_put(&out, "from_column", rpt_string(f->lineage.from_column));
    rpt_put(&out, "matched", rpt_count(f->lineage.matched));
    rpt_put(&out, "of", rpt_count(f->lineage.of));
    return out;
}

static json_t *growth(const struct finding *f)
{
    if (!f->growth.known)
        return json_null();
    json_t *out = json_object();
    rpt_put(&out, "statements_base", rpt_number(f->growth.base));
    rpt_put(&out, "statements_per_row", rpt_number(f->growth.slope));
    rpt_put(&out, "statements_exponent", rpt_number(f->growth.exponent));
    rpt_put(&out, "ms_per_row", f->latency.known ? rpt_number(f->latency.slope) : json_null());
    rpt_put(&out, "ms_exponent", f->latency.known ? rpt_number(f->latency.exponent) : json_null());
    rpt_put(&out, "rows_from", rpt_number(f->growth.from));
    rpt_put(&out, "rows_to", rpt_number(f->growth.to));
    return out;
}

static json_t *evidence(const struct finding *f)
{
    json_t *out = json_object();
    rpt_put(&out, "severity_by", rpt_string(f->severity_by));
    rpt_put(&out, "requests_seen", rpt_count(f->requests_seen));
    rpt_put(&out, "requests", rpt_count(f->requests));
    rpt_put(&out, "occurrences", occurrences(f));
    rpt_put(&out, "sql", statements(f));
    rpt_put(&out, "time_share", rpt_number(f->time_share));
    rpt_put(&out, "wasted_ms_p95", rpt_known(f->wasted_ms_p95));
    rpt_put(&out, "round_trips_saved", rpt_number(f->round_trips_saved));
    rpt_put(&out, "removable_statements", rpt_count(f->removable));
    rpt_put(&out, "lineage", lineage(f));
    rpt_put(&out, "growth", growth(f));
    return out;
}

/* --- cure --- */

static json_t *interval(const struct finding *f)
{
    json_t *out = json_array();
    rpt_add(&out, rpt_number(f->ci_low));
    rpt_add(&out, rpt_number(f->ci_high));
    return out;
}

/* At the rate of this run. */
static json_t *saved_per_hour(const struct finding *f, const struct result *r)
{
    const double hour_us = 3600e6;
    double run_us = (double)(r->ended_wall_us - r->started_wall_us);
    if (f->saved_ms <= 0 || run_us <= 0)
        return json_null();
    return rpt_number(f->saved_ms * hour_us / run_us);
}

static json_t *improvement(const struct finding *f, const struct result *r)
{
    bool known = f->method != NULL && f->before_ms >= 0 && f->after_ms >= 0;
    bool gaps = known && f->after_gap_ms >= 0;
    json_t *out = json_object();
    rpt_put(&out, "kind", json_string(improvement_kind_name(known ? f->kind : GAIN_UNKNOWN)));
    rpt_put(&out, "before_ms", rpt_known(f->before_ms));
    rpt_put(&out, "after_ms", known ? rpt_number(f->after_ms) : json_null());
    rpt_put(&out, "after_ms_with_client_gaps", gaps ? rpt_number(f->after_gap_ms) : json_null());
    rpt_put(&out, "speedup", known ? rpt_ratio(f->before_ms, f->after_ms) : json_null());
    rpt_put(&out, "ci95", known && f->ci_known ? interval(f) : json_null());
    rpt_put(&out, "avoidable_share", rpt_known(f->avoidable));
    rpt_put(&out, "db_ms_saved_per_hour", saved_per_hour(f, r));
    rpt_put(&out, "queries_before", rpt_count(f->queries_before));
    rpt_put(&out, "queries_after", rpt_count(f->queries_after));
    rpt_put(&out, "rtt_assumed_ms", rpt_number(r->assumed_rtt_ms));
    rpt_put(&out, "method", rpt_string(f->method));
    rpt_put(&out, "memory", json_string("not observed"));
    return out;
}

static json_t *text_or_null(struct span text)
{
    return text.len > 0 ? rpt_text(text) : json_null();
}

static json_t *plan_before(const struct record_plan *p, const struct span texts[RECORD_PLAN_TEXTS])
{
    bool scan = p->table_len > 0;
    bool generic = (p->flags & PLAN_GENERIC) != 0;
    json_t *out = json_object();
    rpt_put(&out, "node", text_or_null(texts[PLAN_NODE]));
    rpt_put(&out, "schema", text_or_null(texts[PLAN_SCHEMA]));
    rpt_put(&out, "table", text_or_null(texts[PLAN_TABLE]));
    rpt_put(&out, "cost", rpt_number(p->total_cost));
    rpt_put(&out, "scan_cost", scan ? rpt_number(p->scan_cost) : json_null());
    rpt_put(&out, "generic_cost", generic ? rpt_number(p->generic_cost) : json_null());
    rpt_put(&out, "rows", scan ? rpt_number(p->table_rows) : json_null());
    rpt_put(&out, "kept_rows", scan ? rpt_number(p->kept_rows) : json_null());
    rpt_put(&out, "actual_ms", json_null()); /* nothing is ever run to find out */
    rpt_put(&out, "filter",
            texts[PLAN_FILTER].len > 0 ? rpt_sql_line(texts[PLAN_FILTER]) : json_null());
    rpt_put(&out, "columns", text_or_null(texts[PLAN_COLUMNS]));
    rpt_put(&out, "index_note", text_or_null(texts[PLAN_NOTE]));
    return out;
}

/* Without HypoPG the plan with the index is not known. */
static json_t *plan_after(const struct record_plan *p, const struct span texts[RECORD_PLAN_TEXTS])
{
    if (texts[PLAN_AFTER_NODE].len == 0)
        return json_null();
    json_t *out = json_object();
    rpt_put(&out, "node", rpt_text(texts[PLAN_AFTER_NODE]));
    rpt_put(&out, "cost", rpt_number(p->after_cost));
    rpt_put(&out, "actual_ms", json_null());
    rpt_put(&out, "source", json_string("hypopg"));
    return out;
}

static json_t *plan(const struct finding *f)
{
    struct span texts[RECORD_PLAN_TEXTS];
    record_plan_texts(f->plan, texts);
    json_t *out = json_object();
    rpt_put(&out, "before", plan_before(f->plan, texts));
    rpt_put(&out, "after", plan_after(f->plan, texts));
    rpt_put(&out, "ddl", f->plan_ddl != NULL ? rpt_code(f->plan_ddl) : json_null());
    return out;
}

static json_t *variants(const struct finding *f)
{
    json_t *out = json_object();
    if (f->sqlalchemy != NULL)
        rpt_put(&out, "sqlalchemy", rpt_code(f->sqlalchemy));
    if (f->django != NULL)
        rpt_put(&out, "django", rpt_code(f->django));
    if (f->asyncpg != NULL)
        rpt_put(&out, "asyncpg", rpt_code(f->asyncpg));
    return out;
}

/* --- the issue --- */

static json_t *checklist_of(const struct detector *d)
{
    json_t *out = json_array();
    for (size_t i = 0; i < DETECTOR_MAX_CHECKLIST && d->checklist[i] != 0; i++)
        rpt_add(&out, json_integer(d->checklist[i]));
    return out;
}

/* The keys that every reader of the format knows. What is not known is left out where the format
 * allows it; `file` and `line` are there always. */
static void put_known_keys(json_t **out, const struct finding *f)
{
    bool severe = f->severity >= SEVERITY_HIGH;
    rpt_put(out, "issue", rpt_string(f->issue));
    bool tagged = tag_value(f, SQL_TAG_FILE) != NULL;
    const struct handler *h = f->handler;
    rpt_put(out, "file", rpt_string(tagged || h == NULL ? tag_value(f, SQL_TAG_FILE) : h->file));
    rpt_put(out, "line", tagged || h == NULL ? line_of(f) : json_integer((json_int_t)h->line));
    if (f->impact != NULL || severe)
        rpt_put(out, "impact", rpt_string(f->impact != NULL ? f->impact : "not measured"));
    if (f->quoted_code != NULL)
        rpt_put(out, "current_code", rpt_code(f->quoted_code));
    else if (has_text(f))
        rpt_put(out, "current_code", current_code(f));
    if (f->optimized_code != NULL)
        rpt_put(out, "optimized_code", rpt_code(f->optimized_code));
    if (f->expected_improvement != NULL)
        rpt_put(out, "expected_improvement", rpt_string(f->expected_improvement));
    else if (f->severity == SEVERITY_CRITICAL)
        rpt_put(out, "expected_improvement", json_string("not estimated"));
}

/* The line that sent the statement, or at least where the function for the route begins. */
static const char *location_source(const struct finding *f)
{
    if (tag_value(f, SQL_TAG_FILE) != NULL)
        return "tag";
    return f->handler != NULL ? "manifest" : "none";
}

static json_t *issue(const struct finding *f, const struct result *r)
{
    json_t *out = json_object();
    put_known_keys(&out, f);
    rpt_put(&out, "id", rpt_string(f->detector->id));
    rpt_put(&out, "rule", rpt_string(f->detector->name));
    rpt_put(&out, "fingerprint", rpt_hex(f->fingerprint));
    rpt_put(&out, "checklist", checklist_of(f->detector));
    rpt_put(&out, "endpoint", rpt_string(f->endpoint->name));
    rpt_put(&out, "confidence", rpt_number(f->confidence));
    rpt_put(&out, "confidence_basis", rpt_string(confidence_basis_name(f->basis)));
    if (f->label != NULL)
        rpt_put(&out, "label", rpt_string(f->label));
    rpt_put(&out, "location_source", json_string(location_source(f)));
    if (f->optimized_code != NULL)
        rpt_put(&out, "optimized_code_source", json_string(f->edited ? "edited" : "template"));
    rpt_put(&out, "attribution", json_string(rpt_attribution_of(f->endpoint)));
    rpt_put(&out, "evidence", evidence(f));
    rpt_put(&out, "improvement", improvement(f, r));
    if (f->plan != NULL && f->plan->status == PLAN_OK)
        rpt_put(&out, "plan", plan(f));
    rpt_put(&out, "stack", json_string(stack_name(f->stack)));
    rpt_put(&out, "variants", variants(f));
    return out;
}

json_t *rpt_issues(const struct rpt_scope *s)
{
    json_t *out = json_object();
    for (int severity = SEVERITY_CRITICAL; severity >= SEVERITY_LOW; severity--) {
        json_t *list = json_array();
        for (size_t i = 0; i < s->n_findings; i++) {
            if ((int)s->findings[i]->severity == severity)
                rpt_add(&list, issue(s->findings[i], s->result));
        }
        rpt_put(&out, severity_name((enum severity)severity), list);
    }
    return out;
}
