/* The difference of two reports for a terminal. */
#include "report/compare.h"
#include "report/error.h"
#include "report/read.h"

enum { SEVERITY_WIDTH = 10, ISSUE_LINES = 3 };

static const struct {
    const char *title;
    enum rpt_style style;
} lists[RPT_DIFF_LISTS] = {
    [RPT_DIFF_NEW] = {"New", RPT_STYLE_RED},
    [RPT_DIFF_WORSE] = {"Worse", RPT_STYLE_RED},
    [RPT_DIFF_BETTER] = {"Better", RPT_STYLE_GREEN},
    [RPT_DIFF_FIXED] = {"Fixed", RPT_STYLE_GREEN},
    [RPT_DIFF_NOT_SEEN] = {"Not seen again, so nobody knows", RPT_STYLE_DIM},
};

static double number_at(const json_t *map, const char *key)
{
    const json_t *value = json_object_get(map, key);
    return json_is_number(value) ? json_number_value(value) : -1;
}

/* "promised  12.3 -> 1.2 ms (10.1x, estimated), 36 -> 2 statements" */
static void put_gain(struct rpt_screen *s, const char *title, const json_t *gain)
{
    enum { TITLE = 10 };
    if (!json_is_object(gain))
        return;
    double before = number_at(gain, "before_ms");
    double after = number_at(gain, "after_ms");
    double speedup = number_at(gain, "speedup");
    rpt_screen_to(s, SEVERITY_WIDTH);
    rpt_screen_left(s, RPT_STYLE_BOLD, title, TITLE);
    if (before >= 0 && after >= 0)
        rpt_screen_printf(s, RPT_STYLE_NONE, "%.2f -> %.2f ms", before, after);
    else
        rpt_screen_put(s, RPT_STYLE_NONE, "no time");
    if (speedup > 0)
        rpt_screen_printf(s, RPT_STYLE_NONE, " (%.1fx, %s)", speedup, rpt_text_at(gain, "kind"));
    before = number_at(gain, "queries_before");
    after = number_at(gain, "queries_after");
    if (before > 0 && after >= 0)
        rpt_screen_printf(s, RPT_STYLE_NONE, ", %.0f -> %.0f statements", before, after);
    rpt_screen_end(s);
}

static void put_change(struct rpt_screen *s, enum rpt_diff_list list, const json_t *one)
{
    const char *severity = rpt_text_at(one, "severity");
    const char *before = rpt_text_at(one, "severity_before");
    rpt_screen_left(s, lists[list].style, severity, SEVERITY_WIDTH);
    rpt_screen_paragraph(s, rpt_text_at(one, "issue"), SEVERITY_WIDTH, ISSUE_LINES);
    if (*before != '\0' && strcmp(before, severity) != 0) {
        rpt_screen_to(s, SEVERITY_WIDTH);
        rpt_screen_printf(s, RPT_STYLE_DIM, "was %s", before);
        rpt_screen_end(s);
    }
    if (list == RPT_DIFF_NEW || list == RPT_DIFF_NOT_SEEN)
        return;
    put_gain(s, "promised", json_object_get(one, "promised"));
    put_gain(s, "measured", json_object_get(one, "measured"));
}

static void put_side(struct rpt_screen *s, const char *title, const json_t *side)
{
    rpt_screen_left(s, RPT_STYLE_BOLD, title, SEVERITY_WIDTH);
    rpt_screen_printf(s, RPT_STYLE_NONE,
                      "%s  %s  %" JSON_INTEGER_FORMAT " requests, %" JSON_INTEGER_FORMAT
                      " statements  %s",
                      rpt_text_at(side, "status"), rpt_text_at(side, "performance_score"),
                      rpt_count_at(side, "requests"), rpt_count_at(side, "statements"),
                      rpt_text_at(side, "started"));
    rpt_screen_end(s);
}

int rpt_diff_text(const json_t *diff, struct strbuf *out, struct rpt_text_options options)
{
    struct rpt_screen s;
    if (!json_is_object(diff))
        return RPT_E_EMIT;
    rpt_screen_init(&s, out, rpt_text_width(options), options.color);
    put_side(&s, "base", json_object_get(diff, "base"));
    put_side(&s, "head", json_object_get(diff, "head"));
    for (enum rpt_diff_list l = 0; l < RPT_DIFF_LISTS; l++) {
        const json_t *list = rpt_diff_list(diff, l);
        if (json_array_size(list) == 0)
            continue;
        rpt_screen_end(&s);
        rpt_screen_printf(&s, RPT_STYLE_BOLD, "%s (%zu)", lists[l].title, json_array_size(list));
        rpt_screen_end(&s);
        for (size_t i = 0; i < json_array_size(list); i++)
            put_change(&s, l, json_array_get(list, i));
    }
    rpt_screen_end(&s);
    for (enum rpt_diff_list l = 0; l < RPT_DIFF_LISTS; l++)
        rpt_screen_printf(&s, RPT_STYLE_NONE, "%zu %s, ", json_array_size(rpt_diff_list(diff, l)),
                          rpt_diff_list_name(l));
    rpt_screen_printf(&s, RPT_STYLE_NONE, "%" JSON_INTEGER_FORMAT " unchanged",
                      rpt_count_at(diff, "unchanged"));
    rpt_screen_end(&s);
    rpt_screen_fini(&s);
    return out->failed ? RPT_E_NO_MEMORY : RPT_OK;
}
