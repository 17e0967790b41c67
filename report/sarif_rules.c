#include "report/sarif_rules.h"

#include "detectors/detector.h"
#include "report/value.h"

static const struct rule {
    const char *level;
    const char *why;
    const char *what;
} rules[DETECTOR_COUNT] = {
#define SARIF_RULE(name, level, why, what) [DETECTOR_##name] = {level, why, what},
#include "report/sarif_rules.def"
#undef SARIF_RULE
};

static json_t *text_of(const char *text)
{
    json_t *out = json_object();
    rpt_put(&out, "text", json_string(text));
    return out;
}

static json_t *help(const struct rule *r)
{
    json_t *out = json_object();
    rpt_put(&out, "text", json_sprintf("%s\n%s", r->why, r->what));
    rpt_put(&out, "markdown", json_sprintf("%s\n\n**What to do:** %s", r->why, r->what));
    return out;
}

/* Words of GitHub's code scanning. Every rule is held to a precision of 0.95 on labelled
 * applications, which is what it calls high. */
static json_t *properties(const char *name, const struct rule *r)
{
    bool note = strcmp(r->level, "note") == 0;
    json_t *tags = json_array();
    rpt_add(&tags, json_string("performance"));
    rpt_add(&tags, json_string(name));
    json_t *out = json_object();
    rpt_put(&out, "tags", tags);
    rpt_put(&out, "precision", json_string("high"));
    rpt_put(&out, "problem.severity", json_string(note ? "recommendation" : r->level));
    return out;
}

static json_t *descriptor(const struct detector *d, const struct rule *r)
{
    json_t *level = json_object();
    rpt_put(&level, "level", json_string(r->level));
    json_t *out = json_object();
    rpt_put(&out, "id", json_string(d->id));
    rpt_put(&out, "name", json_string(d->name));
    rpt_put(&out, "shortDescription", text_of(d->title));
    rpt_put(&out, "fullDescription", text_of(r->why));
    rpt_put(&out, "help", help(r));
    rpt_put(&out, "defaultConfiguration", level);
    rpt_put(&out, "properties", properties(d->name, r));
    return out;
}

json_t *rpt_sarif_rules(void)
{
    json_t *out = json_array();
    for (int i = 0; i < DETECTOR_COUNT; i++)
        rpt_add(&out, descriptor(det_detectors[i], &rules[i]));
    return out;
}

int rpt_sarif_rule_index(const char *id)
{
    for (int i = 0; i < DETECTOR_COUNT; i++) {
        if (strcmp(det_detectors[i]->id, id) == 0)
            return i;
    }
    return -1;
}
