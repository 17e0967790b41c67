#include "report/assertions.h"

#include "report/baseline.h"
#include "report/error.h"
#include "report/read.h"
#include "report/value.h"

#include <stdlib.h>

enum { CRITICAL, HIGH, TOO_MANY_HIGH = 3, WHAT_MAX = 4096, BUDGET_DIGITS = 9 };

/* --- what counts --- */

static bool has_plan(const json_t *issue)
{
    return rpt_text_at(issue, "optimized_code")[0] != '\0' &&
           json_number_value(json_object_get(issue, "confidence")) >= RPT_PLAN_MIN_CONFIDENCE;
}

void rpt_weigh(struct rpt_weighed *w, size_t severity)
{
    w->high += severity == HIGH;
}

bool rpt_fails(const struct rpt_weighed *w, const json_t *issue, size_t severity,
               enum rpt_fail_on fail_on)
{
    switch (fail_on) {
    case RPT_FAIL_ON_STATUS:
        return severity == CRITICAL ||
               (severity == HIGH && (w->high >= TOO_MANY_HIGH || !has_plan(issue)));
    case RPT_FAIL_ON_CRITICAL:
    case RPT_FAIL_ON_HIGH:
    case RPT_FAIL_ON_MEDIUM:
    case RPT_FAIL_ON_LOW:
        return severity <= (size_t)(fail_on - RPT_FAIL_ON_CRITICAL);
    case RPT_FAIL_ON_NEVER:
        break;
    }
    return false;
}

/* --- lists in texts --- */

static bool next_part(struct span *rest, struct span *part)
{
    while (rest->len > 0) {
        *part = span_head(*rest, span_find_byte(*rest, ','));
        *rest = span_skip(*rest, part->len + 1);
        if (part->len > 0)
            return true;
    }
    return false;
}

/* `*` stands for any text. Goes back to the last star alone, so the time is of the product. */
static bool matches(struct span pattern, struct span text)
{
    size_t p = 0;
    size_t t = 0;
    size_t star = pattern.len;
    size_t from = 0;
    while (t < text.len) {
        if (p < pattern.len && pattern.data[p] == '*') {
            star = p++;
            from = t;
        } else if (p < pattern.len && pattern.data[p] == text.data[t]) {
            p++;
            t++;
        } else if (star < pattern.len) {
            p = star + 1;
            t = ++from;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.data[p] == '*')
        p++;
    return p == pattern.len;
}

static bool is_listed(const char *list, const char *name)
{
    struct span rest = span_of_text(list);
    struct span part;
    while (next_part(&rest, &part)) {
        if (matches(part, span_of_text(name)))
            return true;
    }
    return false;
}

/* "GET /books=5". A route may have an = in it: the last one counts. */
static bool read_budget(struct span part, struct span *endpoint, json_int_t *limit)
{
    size_t at = part.len;
    while (at > 0 && part.data[at - 1] != '=')
        at--;
    struct span digits = span_skip(part, at);
    if (at < 2 || digits.len == 0 || digits.len > BUDGET_DIGITS)
        return false;
    *limit = 0;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9')
            return false;
        *limit = *limit * 10 + (digits.data[i] - '0');
    }
    *endpoint = span_head(part, at - 1);
    return true;
}

bool rpt_budgets_are_good(const char *budgets)
{
    struct span rest = span_of_text(budgets);
    struct span part;
    struct span endpoint;
    json_int_t limit = 0;
    while (next_part(&rest, &part)) {
        if (!read_budget(part, &endpoint, &limit))
            return false;
    }
    return true;
}

/* --- the check --- */

struct check {
    const json_t *report;
    const json_t *baseline;
    const char *today;
    const struct rpt_criteria *criteria;
    struct rpt_weighed weighed;
    json_t *failures; /* NULL without memory */
    json_t *unjudged;
    size_t known;
    size_t not_counted;
};

bool rpt_is_report(const json_t *tree)
{
    return json_is_object(json_object_get(tree, "issues")) &&
           json_is_object(json_object_get(tree, "run")) &&
           rpt_text_at(tree, "schema_version")[0] != '\0';
}

static bool is_set(const char *list)
{
    return list != NULL && *list != '\0';
}

static bool is_looked_at(const struct check *c, const char *endpoint)
{
    return !is_set(c->criteria->endpoints) || is_listed(c->criteria->endpoints, endpoint);
}

/* A text that was cut at its maximum is one; without memory there is none. */
static json_t *text_of(const struct strbuf *what)
{
    return what->no_memory ? NULL : rpt_string(strbuf_text(what));
}

static void fail(struct check *c, const char *kind, const struct strbuf *what)
{
    json_t *one = json_object();
    rpt_put(&one, "kind", json_string(kind));
    rpt_put(&one, "what", text_of(what));
    rpt_add(&c->failures, one);
}

static void fail_issue(struct check *c, const char *kind, const json_t *issue, size_t severity,
                       bool expired)
{
    static const char *const kept[] = {"id", "rule", "fingerprint", "endpoint", "file", "line"};
    json_t *one = json_object();
    rpt_put(&one, "kind", json_string(kind));
    rpt_put(&one, "what", rpt_string(rpt_text_at(issue, "issue")));
    rpt_put(&one, "severity", json_string(rpt_severities[severity].key));
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        json_t *value = json_object_get(issue, kept[i]);
        rpt_put(&one, kept[i], value != NULL ? json_incref(value) : json_null());
    }
    rpt_put(&one, "expired", json_boolean(expired));
    rpt_add(&c->failures, one);
}

typedef void take_issue(struct check *c, const json_t *issue, size_t severity);

/* Every issue that is looked at and that the baseline does not know. */
static void each_issue(struct check *c, take_issue *take)
{
    const json_t *issues = json_object_get(c->report, "issues");
    for (size_t s = 0; s < RPT_SEVERITIES; s++) {
        const json_t *list = json_object_get(issues, rpt_severities[s].key);
        for (size_t i = 0; i < json_array_size(list); i++) {
            const json_t *issue = json_array_get(list, i);
            if (is_looked_at(c, rpt_text_at(issue, "endpoint")))
                take(c, issue, s);
        }
    }
}

static enum rpt_known known(const struct check *c, const json_t *issue)
{
    return rpt_baseline_find(c->baseline, rpt_text_at(issue, "fingerprint"), c->today);
}

static void weigh(struct check *c, const json_t *issue, size_t severity)
{
    if (known(c, issue) != RPT_KNOWN)
        rpt_weigh(&c->weighed, severity);
}

static void judge(struct check *c, const json_t *issue, size_t severity)
{
    enum rpt_known k = known(c, issue);
    if (k == RPT_KNOWN)
        c->known++;
    else if (rpt_fails(&c->weighed, issue, severity, c->criteria->fail_on))
        fail_issue(c, "finding", issue, severity, k == RPT_EXPIRED);
    else if (is_set(c->criteria->rules) &&
             is_listed(c->criteria->rules, rpt_text_at(issue, "rule")))
        fail_issue(c, "rule", issue, severity, k == RPT_EXPIRED);
    else
        c->not_counted++;
}

/* --- budgets and score --- */

static void judge_budget(struct check *c, const json_t *row, json_int_t limit)
{
    json_int_t most = json_integer_value(rpt_value_at(row, "queries", "max"));
    if (most <= limit)
        return;
    struct strbuf what;
    strbuf_init(&what, WHAT_MAX);
    strbuf_printf(&what,
                  "%s: %" JSON_INTEGER_FORMAT " statements in a request (p95 %" JSON_INTEGER_FORMAT
                  "), %" JSON_INTEGER_FORMAT " are allowed",
                  rpt_text_at(row, "name"), most,
                  json_integer_value(rpt_value_at(row, "queries", "p95")), limit);
    fail(c, "budget", &what);
    strbuf_fini(&what);
}

/* The rows of a run, or the one of an endpoint's own report. */
static const json_t *row_at(const struct check *c, size_t i)
{
    const json_t *rows = json_object_get(c->report, "endpoints");
    if (rows == NULL && i == 0)
        return json_object_get(c->report, "endpoint");
    return json_array_get(rows, i);
}

static void unjudged(struct check *c, const char *before, struct span name, const char *behind)
{
    struct strbuf what;
    strbuf_init(&what, WHAT_MAX);
    strbuf_puts(&what, before);
    strbuf_add_span(&what, name);
    strbuf_puts(&what, behind);
    rpt_add(&c->unjudged, text_of(&what));
    strbuf_fini(&what);
}

/* A budget of an endpoint that nobody called is not kept: it is not known. */
static void judge_budgets(struct check *c)
{
    struct span rest = span_of_text(c->criteria->budgets);
    struct span part;
    struct span endpoint;
    json_int_t limit = 0;
    while (next_part(&rest, &part)) {
        bool seen = false;
        if (!read_budget(part, &endpoint, &limit))
            continue;
        for (size_t i = 0; row_at(c, i) != NULL; i++) {
            const json_t *row = row_at(c, i);
            if (!matches(endpoint, span_of_text(rpt_text_at(row, "name"))) ||
                !json_is_object(json_object_get(row, "queries")))
                continue;
            seen = true;
            judge_budget(c, row, limit);
        }
        if (!seen)
            unjudged(c, "no request of ", endpoint, " was seen");
    }
}

static void judge_endpoints(struct check *c)
{
    struct span rest = span_of_text(c->criteria->endpoints);
    struct span part;
    while (next_part(&rest, &part)) {
        bool seen = false;
        for (size_t i = 0; row_at(c, i) != NULL; i++)
            seen = seen || matches(part, span_of_text(rpt_text_at(row_at(c, i), "name")));
        if (!seen)
            unjudged(c, "no request of ", part, " was seen");
    }
}

static void judge_score(struct check *c)
{
    const json_t *value = rpt_value_at(c->report, "score", "value");
    if (c->criteria->min_score == 0)
        return;
    if (!json_is_integer(value)) {
        unjudged(c, "the score is not known: ", span_of_text(""),
                 "too few of its metrics were seen");
    } else if (json_integer_value(value) < c->criteria->min_score) {
        struct strbuf what;
        strbuf_init(&what, WHAT_MAX);
        strbuf_printf(&what, "the score is %" JSON_INTEGER_FORMAT ", at least %d is wanted",
                      json_integer_value(value), c->criteria->min_score);
        fail(c, "score", &what);
        strbuf_fini(&what);
    }
}

/* Never a verdict on nothing: what was seen, and why that is not enough. */
static void judge_traffic(struct check *c)
{
    const json_t *run = json_object_get(c->report, "run");
    struct strbuf what;
    if (rpt_count_at(run, "statements") > 0)
        return;
    strbuf_init(&what, WHAT_MAX);
    strbuf_printf(&what,
                  "no statement of the application was seen: %" JSON_INTEGER_FORMAT
                  " connections, %" JSON_INTEGER_FORMAT " statements of drivers alone",
                  rpt_count_at(run, "sessions"), rpt_count_at(run, "driver_statements"));
    rpt_add(&c->unjudged, text_of(&what));
    strbuf_fini(&what);
}

static const char *const verdicts[] = {
    [RPT_VERDICT_OK] = "ok",
    [RPT_VERDICT_FINDINGS] = "findings",
    [RPT_VERDICT_TOO_LITTLE] = "too_little",
};

static enum rpt_verdict verdict_of(const struct check *c)
{
    if (json_array_size(c->failures) > 0)
        return RPT_VERDICT_FINDINGS;
    return json_array_size(c->unjudged) > 0 ? RPT_VERDICT_TOO_LITTLE : RPT_VERDICT_OK;
}

json_t *rpt_check(const json_t *report, const json_t *baseline, const char *today,
                  const struct rpt_criteria *criteria)
{
    struct check c = {
        .report = report,
        .baseline = baseline,
        .today = today,
        .criteria = criteria,
        .failures = json_array(),
        .unjudged = json_array(),
    };
    if (criteria->fail_on != RPT_FAIL_ON_NEVER)
        judge_traffic(&c);
    each_issue(&c, weigh);
    each_issue(&c, judge);
    judge_endpoints(&c);
    judge_budgets(&c);
    judge_score(&c);
    const char *verdict = verdicts[verdict_of(&c)];
    json_t *out = json_object();
    rpt_put(&out, "verdict", json_string(verdict));
    rpt_put(&out, "failures", c.failures);
    rpt_put(&out, "unjudged", c.unjudged);
    rpt_put(&out, "known", rpt_count(c.known));
    rpt_put(&out, "not_counted", rpt_count(c.not_counted));
    return out;
}

enum rpt_verdict rpt_check_verdict(const json_t *checked)
{
    const char *text = rpt_text_at(checked, "verdict");
    for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++)
        if (strcmp(text, verdicts[i]) == 0)
            return (enum rpt_verdict)i;
    return RPT_VERDICT_TOO_LITTLE;
}

/* --- the text --- */

static enum rpt_style style_of(const char *severity)
{
    for (size_t i = 0; i < RPT_SEVERITIES; i++)
        if (strcmp(severity, rpt_severities[i].key) == 0)
            return rpt_severities[i].style;
    return RPT_STYLE_RED;
}

static void put_failure(struct rpt_screen *s, const json_t *failure)
{
    enum { TITLE = 10 };
    const char *severity = rpt_text_at(failure, "severity");
    const char *title = *severity != '\0' ? severity : rpt_text_at(failure, "kind");
    rpt_screen_left(s, style_of(severity), title, TITLE);
    rpt_screen_paragraph(s, rpt_text_at(failure, "what"), TITLE, 3);
    const char *file = rpt_text_at(failure, "file");
    const char *fingerprint = rpt_text_at(failure, "fingerprint");
    if (*fingerprint == '\0')
        return;
    rpt_screen_to(s, TITLE);
    if (*file != '\0')
        rpt_screen_printf(s, RPT_STYLE_DIM, "%s:%" JSON_INTEGER_FORMAT "  ", file,
                          rpt_count_at(failure, "line"));
    rpt_screen_printf(s, RPT_STYLE_DIM, "%s %s%s", rpt_text_at(failure, "rule"), fingerprint,
                      json_is_true(json_object_get(failure, "expired"))
                          ? "  (no longer accepted by the baseline)"
                          : "");
    rpt_screen_end(s);
}

static void put_verdict(struct rpt_screen *s, const json_t *checked)
{
    static const struct {
        enum rpt_style style;
        const char *text;
    } heads[] = {
        [RPT_VERDICT_OK] = {RPT_STYLE_GREEN, "ok"},
        [RPT_VERDICT_FINDINGS] = {RPT_STYLE_RED, "FAIL"},
        [RPT_VERDICT_TOO_LITTLE] = {RPT_STYLE_YELLOW, "too little to judge"},
    };
    enum rpt_verdict v = rpt_check_verdict(checked);
    rpt_screen_put(s, heads[v].style, heads[v].text);
    rpt_screen_printf(s, RPT_STYLE_NONE,
                      ": %zu counted, %" JSON_INTEGER_FORMAT " known, %" JSON_INTEGER_FORMAT
                      " not counted",
                      json_array_size(json_object_get(checked, "failures")),
                      rpt_count_at(checked, "known"), rpt_count_at(checked, "not_counted"));
    rpt_screen_end(s);
}

int rpt_check_text(const json_t *checked, struct strbuf *out, struct rpt_text_options options)
{
    const json_t *failures = json_object_get(checked, "failures");
    const json_t *open = json_object_get(checked, "unjudged");
    struct rpt_screen s;
    rpt_screen_init(&s, out, rpt_text_width(options), options.color);
    for (size_t i = 0; i < json_array_size(failures); i++)
        put_failure(&s, json_array_get(failures, i));
    for (size_t i = 0; i < json_array_size(open); i++) {
        const char *text = json_string_value(json_array_get(open, i));
        rpt_screen_left(&s, RPT_STYLE_YELLOW, "unknown", 10);
        rpt_screen_paragraph(&s, text != NULL ? text : "", 10, 3);
    }
    put_verdict(&s, checked);
    rpt_screen_fini(&s);
    return out->failed ? RPT_E_NO_MEMORY : RPT_OK;
}
