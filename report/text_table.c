/* The endpoints of a report as a table. */
#include "report/text_parts.h"

#include <stdio.h>

enum { MAX_ENDPOINTS = 20, MIN_NAME = 12, CELL_SIZE = 48, COUNTS_MAX = 256 };

enum column { REQUESTS, QUERIES, DB_MS, ROWS, SCORE, NUMERIC_COLUMNS };

static const struct {
    const char *title;
    const char *unit;
} columns[NUMERIC_COLUMNS] = {
    [REQUESTS] = {"REQUESTS", ""}, [QUERIES] = {"QUERIES", "p50/p95"},
    [DB_MS] = {"DB MS", "p95"},    [ROWS] = {"ROWS", "p95"},
    [SCORE] = {"SCORE", ""},
};

enum { GAP = 2 };

struct table {
    const json_t *rows;
    size_t n; /* shown */
    unsigned name_width;
    unsigned width[NUMERIC_COLUMNS];
};

static void add_thousands(char cell[CELL_SIZE], json_int_t n)
{
    const json_int_t many = 1000000;
    if (n < many)
        snprintf(cell, CELL_SIZE, "%" JSON_INTEGER_FORMAT, n);
    else
        snprintf(cell, CELL_SIZE, "%.1fM", (double)n / (double)many);
}

/* Statements that nobody could tell apart, in columns that are about them. */
static bool is_unknown(const json_t *row, enum column c)
{
    return (c == QUERIES || c == DB_MS || c == ROWS) &&
           json_is_null(json_object_get(row, "queries"));
}

static void cell_of(const json_t *row, enum column c, char cell[CELL_SIZE])
{
    const char *score = rpt_text_at(row, "performance_score");
    if (is_unknown(row, c)) {
        snprintf(cell, CELL_SIZE, "?");
        return;
    }
    switch (c) {
    case REQUESTS:
        add_thousands(cell, rpt_count_at(row, "requests"));
        break;
    case QUERIES:
        snprintf(cell, CELL_SIZE, "%" JSON_INTEGER_FORMAT "/%" JSON_INTEGER_FORMAT,
                 json_integer_value(rpt_value_at(row, "queries", "p50")),
                 json_integer_value(rpt_value_at(row, "queries", "p95")));
        break;
    case DB_MS:
        snprintf(cell, CELL_SIZE, "%.1f", json_number_value(rpt_value_at(row, "db_ms", "p95")));
        break;
    case ROWS:
        add_thousands(cell, json_integer_value(rpt_value_at(row, "rows", "p95")));
        break;
    case SCORE:
        snprintf(cell, CELL_SIZE, "%.*s", (int)strcspn(score, "/"), score);
        break;
    case NUMERIC_COLUMNS:
        break;
    }
}

static unsigned larger(unsigned a, unsigned b)
{
    return a > b ? a : b;
}

/* Every column as wide as its widest cell; the names take what the width leaves, less the room of
 * the issues. */
static struct table lay_out(const json_t *rows, unsigned screen_width)
{
    enum { ISSUES_ROOM = 20 };
    struct table t = {.rows = rows, .n = json_array_size(rows), .name_width = MIN_NAME};
    unsigned taken = ISSUES_ROOM + GAP;
    if (t.n > MAX_ENDPOINTS)
        t.n = MAX_ENDPOINTS;
    for (enum column c = 0; c < NUMERIC_COLUMNS; c++) {
        t.width[c] = larger((unsigned)strlen(columns[c].title), (unsigned)strlen(columns[c].unit));
        for (size_t i = 0; i < t.n; i++) {
            char cell[CELL_SIZE] = "";
            cell_of(json_array_get(rows, i), c, cell);
            t.width[c] = larger(t.width[c], (unsigned)strlen(cell));
        }
        taken += GAP + t.width[c];
    }
    for (size_t i = 0; i < t.n; i++) {
        const char *name = rpt_text_at(json_array_get(rows, i), "name");
        t.name_width = larger(t.name_width, rpt_text_columns(span_of_text(name)));
    }
    unsigned room = screen_width > taken ? screen_width - taken : 0;
    if (t.name_width > room)
        t.name_width = larger(room, MIN_NAME);
    return t;
}

static void put_table_head(struct rpt_screen *s, const struct table *t)
{
    rpt_screen_left(s, RPT_STYLE_BOLD, "ENDPOINT", t->name_width);
    for (enum column c = 0; c < NUMERIC_COLUMNS; c++) {
        rpt_screen_to(s, s->column + GAP);
        rpt_screen_right(s, RPT_STYLE_BOLD, columns[c].title, t->width[c]);
    }
    rpt_screen_to(s, s->column + GAP);
    rpt_screen_put(s, RPT_STYLE_BOLD, "ISSUES");
    rpt_screen_end(s);
    rpt_screen_to(s, t->name_width);
    for (enum column c = 0; c < NUMERIC_COLUMNS; c++) {
        rpt_screen_to(s, s->column + GAP);
        rpt_screen_right(s, RPT_STYLE_NONE, columns[c].unit, t->width[c]);
    }
    rpt_screen_end(s);
}

static enum rpt_style worst_style(const json_t *issues)
{
    for (size_t i = 0; i < RPT_SEVERITIES; i++) {
        if (rpt_issue_count(issues, &rpt_severities[i]) > 0)
            return rpt_severities[i].style;
    }
    return RPT_STYLE_NONE;
}

static void put_row(struct rpt_screen *s, const struct table *t, const json_t *row)
{
    const json_t *issues = json_object_get(row, "issues");
    struct strbuf b;
    rpt_screen_left(s, RPT_STYLE_NONE, rpt_text_at(row, "name"), t->name_width);
    for (enum column c = 0; c < NUMERIC_COLUMNS; c++) {
        char cell[CELL_SIZE] = "";
        cell_of(row, c, cell);
        rpt_screen_to(s, s->column + GAP);
        rpt_screen_right(s, RPT_STYLE_NONE, cell, t->width[c]);
    }
    strbuf_init(&b, COUNTS_MAX);
    rpt_issue_counts(&b, issues);
    rpt_screen_to(s, s->column + GAP);
    rpt_screen_put(s, worst_style(issues), strbuf_text(&b));
    rpt_screen_end(s);
    s->out->failed |= b.failed;
    strbuf_fini(&b);
}

void rpt_put_endpoints(struct rpt_screen *s, const json_t *tree)
{
    const json_t *rows = json_object_get(tree, "endpoints");
    struct table t = lay_out(rows, s->width);
    if (t.n == 0)
        return;
    rpt_screen_end(s);
    put_table_head(s, &t);
    for (size_t i = 0; i < t.n; i++)
        put_row(s, &t, json_array_get(rows, i));
    if (json_array_size(rows) > t.n) {
        rpt_screen_printf(s, RPT_STYLE_DIM, "and %zu more in report.yaml",
                          json_array_size(rows) - t.n);
        rpt_screen_end(s);
    }
}
