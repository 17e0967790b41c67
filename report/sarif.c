#include "report/sarif.h"

#include "report/error.h"
#include "report/json.h"
#include "report/place.h"
#include "report/read.h"
#include "report/sarif_rules.h"
#include "report/value.h"

/* By severity. Critical and high are one: SARIF has no more levels, and `rank` is confidence. */
static const char *const levels[RPT_SEVERITIES] = {"error", "error", "warning", "note"};

static json_t *map_with(const char *key, json_t *value)
{
    json_t *out = json_object();
    rpt_put(&out, key, value);
    return out;
}

/* --- messages --- */

/* Text of the traffic as part of a message. There "[x](y)" is a link and "{0}" an argument
 * (3.11.5, 3.11.6); other brackets and braces stay, for few viewers undo their escapes. */
static void put_text(struct strbuf *b, const char *text)
{
    for (; *text != '\0'; text++) {
        bool placeholder = *text == '{' && text[1] >= '0' && text[1] <= '9';
        strbuf_putc(b, *text);
        if (placeholder || (*text == ']' && text[1] == '('))
            strbuf_putc(b, ' ');
    }
}

static void put_line(struct strbuf *b, const char *label, const char *text)
{
    if (*text == '\0')
        return;
    if (b->len > 0)
        strbuf_putc(b, '\n');
    strbuf_puts(b, label);
    put_text(b, text);
}

static json_t *message(const json_t *issue)
{
    struct strbuf text;
    strbuf_init(&text, (size_t)RPT_TEXT_MAX * 16);
    put_line(&text, "", rpt_text_at(issue, "issue"));
    put_line(&text, "", rpt_text_at(issue, "impact"));
    put_line(&text, "Expected: ", rpt_text_at(issue, "expected_improvement"));
    json_t *out = text.failed ? NULL : map_with("text", json_string(strbuf_text(&text)));
    strbuf_fini(&text);
    return out;
}

/* --- where --- */

static json_t *uri_of(const char *path)
{
    struct strbuf uri;
    strbuf_init(&uri, (size_t)RPT_TEXT_MAX * 16);
    rpt_place_uri(&uri, path);
    json_t *out = uri.failed ? NULL : json_string(strbuf_text(&uri));
    strbuf_fini(&uri);
    return out;
}

/* `documents` has the document of each endpoint by its name. */
static json_t *physical_location(const json_t *issue, const json_t *documents)
{
    struct rpt_place place = rpt_place_of(issue);
    const char *document = rpt_text_at(documents, rpt_text_at(issue, "endpoint"));
    json_t *artifact = json_object();
    json_t *out = json_object();
    if (place.file == NULL)
        rpt_put(&artifact, "uri", uri_of(*document != '\0' ? document : "report.yaml"));
    else
        rpt_put(&artifact, "uri", uri_of(place.file));
    rpt_put(&artifact, "uriBaseId", json_string(place.file != NULL ? "SOURCE" : "REPORT"));
    rpt_put(&out, "artifactLocation", artifact);
    rpt_put(&out, "region", map_with("startLine", json_integer(place.line > 0 ? place.line : 1)));
    return out;
}

static json_t *logical_locations(const json_t *issue)
{
    json_t *one = json_object();
    json_t *out = json_array();
    rpt_put(&one, "fullyQualifiedName", json_string(rpt_text_at(issue, "endpoint")));
    rpt_put(&one, "kind", json_string("function"));
    rpt_add(&out, one);
    return out;
}

static json_t *locations(const json_t *issue, const json_t *documents)
{
    json_t *one = json_object();
    json_t *out = json_array();
    rpt_put(&one, "physicalLocation", physical_location(issue, documents));
    rpt_put(&one, "logicalLocations", logical_locations(issue));
    rpt_add(&out, one);
    return out;
}

static json_t *documents_of(const json_t *tree)
{
    const json_t *endpoints = json_object_get(tree, "endpoints");
    json_t *out = json_object();
    for (size_t i = 0; i < json_array_size(endpoints); i++) {
        const json_t *row = json_array_get(endpoints, i);
        rpt_put(&out, rpt_text_at(row, "name"), json_string(rpt_text_at(row, "report")));
    }
    return out;
}

/* --- results --- */

static json_t *properties(const json_t *issue, const char *severity)
{
    static const char *const keys[] = {
        "confidence", "confidence_basis", "attribution",          "checklist", "current_code",
        "evidence",   "optimized_code",   "expected_improvement", "plan",      "improvement",
    };
    json_t *out = json_object();
    rpt_put(&out, "severity", json_string(severity));
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const json_t *value = json_object_get(issue, keys[i]);
        if (value != NULL)
            rpt_put(&out, keys[i], json_deep_copy(value));
    }
    return out;
}

/* GitHub knows an alert again by primaryLocationLineHash alone; ours does not change when lines
 * move. */
static void put_fingerprints(json_t **out, const json_t *issue)
{
    const char *fingerprint = rpt_text_at(issue, "fingerprint");
    rpt_put(out, "fingerprints", map_with("pgsleuth/v1", json_string(fingerprint)));
    rpt_put(out, "partialFingerprints",
            map_with("primaryLocationLineHash", json_sprintf("%s:1", fingerprint)));
}

static json_t *result(const json_t *issue, size_t severity, const json_t *documents)
{
    const char *id = rpt_text_at(issue, "id");
    int index = rpt_sarif_rule_index(id);
    json_int_t seen = json_integer_value(rpt_value_at(issue, "evidence", "requests_seen"));
    json_t *out = json_object();
    rpt_put(&out, "ruleId", json_string(id));
    if (index >= 0)
        rpt_put(&out, "ruleIndex", json_integer(index));
    rpt_put(&out, "kind", json_string("fail"));
    rpt_put(&out, "level", json_string(levels[severity]));
    rpt_put(&out, "rank",
            rpt_number(100 * json_number_value(json_object_get(issue, "confidence"))));
    rpt_put(&out, "message", message(issue));
    rpt_put(&out, "locations", locations(issue, documents));
    put_fingerprints(&out, issue);
    rpt_put(&out, "occurrenceCount", json_integer(seen > 0 ? seen : 1));
    rpt_put(&out, "properties", properties(issue, rpt_severities[severity].key));
    return out;
}

static json_t *results(const json_t *tree)
{
    json_t *documents = documents_of(tree);
    json_t *out = documents != NULL ? json_array() : NULL;
    for (size_t s = 0; s < RPT_SEVERITIES; s++) {
        const json_t *list = rpt_value_at(tree, "issues", rpt_severities[s].key);
        for (size_t i = 0; i < json_array_size(list) && out != NULL; i++)
            rpt_add(&out, result(json_array_get(list, i), s, documents));
    }
    json_decref(documents);
    return out;
}

/* --- the run --- */

static json_t *tool(const json_t *run)
{
    json_t *driver = json_object();
    rpt_put(&driver, "name", json_string("pgsleuth"));
    rpt_put(&driver, "version", json_string(rpt_text_at(run, "version")));
    rpt_put(&driver, "rules", rpt_sarif_rules());
    return map_with("driver", driver);
}

static json_t *invocations(const json_t *run)
{
    const char *started = rpt_text_at(run, "started");
    const char *ended = rpt_text_at(run, "ended");
    json_t *one = json_object();
    json_t *out = json_array();
    rpt_put(&one, "executionSuccessful", json_true());
    if (*started != '\0')
        rpt_put(&one, "startTimeUtc", json_string(started));
    if (*ended != '\0')
        rpt_put(&one, "endTimeUtc", json_string(ended));
    rpt_add(&out, one);
    return out;
}

static json_t *base(const char *text)
{
    return map_with("description", map_with("text", json_string(text)));
}

static json_t *bases(void)
{
    json_t *out = json_object();
    rpt_put(&out, "SOURCE", base("the folder below which the application's tags name files"));
    rpt_put(&out, "REPORT", base("the folder of the report, with a document for each endpoint"));
    return out;
}

static json_t *run_properties(const json_t *tree)
{
    json_t *out = json_object();
    rpt_put(&out, "status", json_string(rpt_text_at(tree, "status")));
    rpt_put(&out, "performance_score", json_string(rpt_text_at(tree, "performance_score")));
    return out;
}

static json_t *log_of(const json_t *tree)
{
    const json_t *of = json_object_get(tree, "run");
    json_t *run = json_object();
    rpt_put(&run, "tool", tool(of));
    rpt_put(&run, "automationDetails", map_with("id", json_string("pgsleuth/")));
    rpt_put(&run, "invocations", invocations(of));
    rpt_put(&run, "originalUriBaseIds", bases());
    rpt_put(&run, "results", results(tree));
    rpt_put(&run, "properties", run_properties(tree));
    json_t *runs = json_array();
    rpt_add(&runs, run);
    json_t *out = json_object();
    rpt_put(&out, "$schema", json_string("https://json.schemastore.org/sarif-2.1.0.json"));
    rpt_put(&out, "version", json_string("2.1.0"));
    rpt_put(&out, "runs", runs);
    return out;
}

int rpt_sarif(const json_t *tree, struct strbuf *out)
{
    if (!json_is_object(tree))
        return RPT_E_EMIT;
    json_t *log = log_of(tree);
    int r = log != NULL ? rpt_json(log, out) : RPT_E_NO_MEMORY;
    json_decref(log);
    return r;
}
