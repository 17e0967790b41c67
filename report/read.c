#include "report/read.h"

const struct rpt_severity rpt_severities[RPT_SEVERITIES] = {
    {"critical", "CRITICAL", RPT_STYLE_ALARM},
    {"high", "HIGH", RPT_STYLE_RED},
    {"medium", "MEDIUM", RPT_STYLE_YELLOW},
    {"low", "LOW", RPT_STYLE_DIM},
};

const char *rpt_text_at(const json_t *map, const char *key)
{
    const char *text = json_string_value(json_object_get(map, key));
    return text != NULL ? text : "";
}

json_int_t rpt_count_at(const json_t *map, const char *key)
{
    return json_integer_value(json_object_get(map, key));
}

void rpt_counted(struct strbuf *b, json_int_t n, const char *one, const char *many)
{
    strbuf_printf(b, "%" JSON_INTEGER_FORMAT " %s", n, n == 1 ? one : many);
}

const json_t *rpt_value_at(const json_t *map, const char *key, const char *inner)
{
    return json_object_get(json_object_get(map, key), inner);
}

json_int_t rpt_issue_count(const json_t *issues, const struct rpt_severity *severity)
{
    const json_t *value = json_object_get(issues, severity->key);
    return json_is_array(value) ? (json_int_t)json_array_size(value) : json_integer_value(value);
}

void rpt_issue_counts(struct strbuf *b, const json_t *issues)
{
    size_t before = b->len;
    for (size_t i = 0; i < RPT_SEVERITIES; i++) {
        json_int_t n = rpt_issue_count(issues, &rpt_severities[i]);
        if (n > 0)
            strbuf_printf(b, "%s%" JSON_INTEGER_FORMAT " %s", b->len > before ? ", " : "", n,
                          rpt_severities[i].key);
    }
    if (b->len == before)
        strbuf_puts(b, "none");
}
