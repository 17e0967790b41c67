#include "wire/sql_mask.h"

#define BIT(token) (1U << SQL_TOKEN_##token)
#define ALL_TOKENS ((1U << SQL_TOKEN_COUNT) - 1U)
/* What hugs the token before it. */
#define TIGHT         (BIT(COMMA) | BIT(CLOSE) | BIT(CLOSE_BRACKET) | BIT(DOT))
#define AFTER_OPERAND (ALL_TOKENS & ~(TIGHT | BIT(OPEN_BRACKET) | BIT(CAST)))

/* Reads as people write it, and never lets two tokens merge into another one when the text is read
 * again: operators stand alone, and a point between a hole and anything else keeps its distance
 * (`a. 0`, not `a.0`). */
const uint16_t sql_mask_space[SQL_TOKEN_COUNT] = {
    [SQL_TOKEN_START] = 0,
    [SQL_TOKEN_WORD] = AFTER_OPERAND & ~BIT(OPEN),
    [SQL_TOKEN_KEYWORD] = ALL_TOKENS & ~(TIGHT | BIT(CAST)),
    [SQL_TOKEN_HOLE] = AFTER_OPERAND | BIT(DOT),
    [SQL_TOKEN_OPERATOR] = ALL_TOKENS & ~(BIT(COMMA) | BIT(CLOSE) | BIT(CLOSE_BRACKET)),
    [SQL_TOKEN_COMMA] = ALL_TOKENS & ~(BIT(COMMA) | BIT(CLOSE) | BIT(CLOSE_BRACKET)),
    [SQL_TOKEN_OPEN] = 0,
    [SQL_TOKEN_CLOSE] = AFTER_OPERAND,
    [SQL_TOKEN_OPEN_BRACKET] = 0,
    [SQL_TOKEN_CLOSE_BRACKET] = AFTER_OPERAND,
    [SQL_TOKEN_DOT] = BIT(HOLE) | BIT(DOT),
    [SQL_TOKEN_CAST] = BIT(OPERATOR) | BIT(CAST),
};

enum {
    WATCH_LIST = SQL_WATCH_LIST_OPEN | SQL_WATCH_LIST_VALUE | SQL_WATCH_LIST_COMMA,
    WATCH_ROWS = SQL_WATCH_FIRST_ROW | SQL_WATCH_ROW_DONE | SQL_WATCH_ROW_COMMA,
};

void sql_mask_init(struct sql_mask *m, struct sql_masked out)
{
    *m = (struct sql_mask){.text = out.text, .at = out.text, .soft_end = out.text, .end = out.text};
    m->kinds = out.kinds;
    m->kinds_size = out.kinds_size;
    if (out.text_size < SQL_MASK_SLACK) {
        m->full = true;
        return;
    }
    m->end = out.text + out.text_size;
    m->soft_end = m->end - SQL_MASK_SLACK;
}

static void put_kind(struct sql_mask *m, char kind)
{
    if (m->n_holes < m->kinds_size)
        m->kinds[m->n_holes] = kind;
    m->n_holes++;
}

/* A hole is in the text for good: it must have its kind. */
static void check_kinds(struct sql_mask *m)
{
    if (m->n_holes > m->kinds_size)
        m->full = true;
}

/* The list turned out to be a mixed one: write the values that were only counted. */
static void write_counted(struct sql_mask *m)
{
    for (; m->list_more > 0 && m->at <= m->soft_end; m->list_more--) {
        sql_mask_put(m, ',');
        sql_mask_put(m, ' ');
        sql_mask_put(m, SQL_HOLE);
    }
    if (m->list_more > 0)
        m->full = true;
    m->list_more = 0;
    check_kinds(m);
}

void sql_mask_settle(struct sql_mask *m)
{
    unsigned watch = m->watch;
    m->watch = 0;
    if ((watch & (SQL_WATCH_LIST_VALUE | SQL_WATCH_LIST_COMMA)) == 0)
        return;
    write_counted(m);
    if ((watch & SQL_WATCH_LIST_COMMA) != 0)
        sql_mask_put(m, ',');
}

static void open_list(struct sql_mask *m, char kind)
{
    sql_mask_put(m, SQL_HOLE);
    put_kind(m, kind);
    check_kinds(m);
    m->watch = SQL_WATCH_LIST_VALUE;
    m->list_end = m->at;
    m->list_holes = m->n_holes;
    m->list_more = 0;
    m->prev = SQL_TOKEN_HOLE;
}

void sql_mask_hole(struct sql_mask *m, char kind)
{
    if ((m->watch & SQL_WATCH_LIST_COMMA) != 0) {
        put_kind(m, kind);
        m->list_more++;
        m->watch = SQL_WATCH_LIST_VALUE;
        m->prev = SQL_TOKEN_HOLE;
        return;
    }
    if ((m->watch & SQL_WATCH_LIST_OPEN) != 0) {
        open_list(m, kind);
        return;
    }
    bool pure = m->row_pure;
    sql_mask_begin(m, SQL_TOKEN_HOLE);
    m->row_pure = pure;
    sql_mask_put(m, SQL_HOLE);
    put_kind(m, kind);
    check_kinds(m);
}

void sql_mask_replace(struct sql_mask *m, char *start, char kind)
{
    m->at = start;
    sql_mask_put(m, SQL_HOLE);
    put_kind(m, kind);
    check_kinds(m);
    m->prev = SQL_TOKEN_HOLE;
}

void sql_mask_comma(struct sql_mask *m)
{
    if ((m->watch & SQL_WATCH_LIST_VALUE) != 0) {
        m->watch = SQL_WATCH_LIST_COMMA;
        m->prev = SQL_TOKEN_COMMA;
        return;
    }
    bool pure = m->row_pure;
    bool between_rows = (m->watch & SQL_WATCH_ROW_DONE) != 0;
    sql_mask_begin(m, SQL_TOKEN_COMMA);
    m->row_pure = pure;
    sql_mask_put(m, ',');
    m->watch = between_rows ? SQL_WATCH_ROW_COMMA : 0;
}

void sql_mask_expect_rows(struct sql_mask *m)
{
    m->watch = SQL_WATCH_FIRST_ROW;
    m->last_row = (struct sql_mask_row){.start = NULL};
}

void sql_mask_expect_list(struct sql_mask *m)
{
    m->after_in = m->at;
}

void sql_mask_open(struct sql_mask *m)
{
    bool row = (m->watch & (SQL_WATCH_FIRST_ROW | SQL_WATCH_ROW_COMMA)) != 0;
    bool after_in = m->after_in == m->at;
    bool call = m->prev == SQL_TOKEN_WORD;
    sql_mask_begin(m, SQL_TOKEN_OPEN);
    m->depth++;
    if (row) {
        m->row_depth = m->depth;
        m->row.start = m->at;
        m->row_pure = true;
    }
    sql_mask_put(m, '(');
    if (after_in)
        sql_mask_expect_rows(m);
    /* The arguments of a function are no list of values: their number is part of what is asked. */
    if (!call)
        m->watch |= SQL_WATCH_LIST_OPEN;
}

/* At a closing mark: a list of two or more becomes its first value and SQL_MORE. */
static void end_list(struct sql_mask *m)
{
    if ((m->watch & SQL_WATCH_LIST_VALUE) == 0 || m->list_more == 0)
        return;
    m->list_more = 0;
    m->at = m->list_end;
    m->n_holes = m->list_holes;
    m->flags |= SQL_SCAN_LIST;
    sql_mask_put(m, SQL_MORE);
}

static bool same_row(const struct sql_mask_row *a, const struct sql_mask_row *b)
{
    if (a->start == NULL)
        return false;
    if (a->pure && b->pure)
        return true;
    return span_equal(span_of(a->start, (size_t)(a->end - a->start)),
                      span_of(b->start, (size_t)(b->end - b->start)));
}

static void end_row(struct sql_mask *m)
{
    m->row.end = m->at;
    m->row.n_holes = m->n_holes;
    m->row.pure = m->row_pure;
    m->row_depth = 0;
    m->watch = SQL_WATCH_ROW_DONE;
    if (!same_row(&m->last_row, &m->row)) {
        m->last_row = m->row;
        return;
    }
    m->at = m->last_row.end;
    m->n_holes = m->last_row.n_holes;
    m->after_in = NULL; /* it may have pointed into what is gone */
    m->flags |= SQL_SCAN_LIST;
    sql_mask_put(m, SQL_MORE);
}

void sql_mask_close(struct sql_mask *m)
{
    bool pure = m->row_pure;
    end_list(m);
    sql_mask_begin(m, SQL_TOKEN_CLOSE);
    m->row_pure = pure;
    sql_mask_put(m, ')');
    if (m->depth > 0 && m->depth == m->row_depth)
        end_row(m);
    if (m->depth > 0)
        m->depth--;
}

void sql_mask_open_bracket(struct sql_mask *m)
{
    sql_mask_begin(m, SQL_TOKEN_OPEN_BRACKET);
    sql_mask_put(m, '[');
    m->watch = SQL_WATCH_LIST_OPEN;
}

void sql_mask_close_bracket(struct sql_mask *m)
{
    end_list(m);
    sql_mask_begin(m, SQL_TOKEN_CLOSE_BRACKET);
    sql_mask_put(m, ']');
}
