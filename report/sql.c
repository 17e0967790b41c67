#include "report/sql.h"

#include "report/value.h"
#include "wire/sql_lexer.h"

enum { WRAP_COLUMN = 92, WRAP_INDENT = 4 };

/* The statement for people in `text`, with the ellipsis where it was cut. */
static void display(struct strbuf *text, struct span masked)
{
    char shown[RPT_SQL_MAX + 1];
    size_t len = sql_display(masked, shown, sizeof shown);
    bool cut = len >= RPT_SQL_MAX;
    /* A character cut in its middle would come out as a replacement mark. */
    while (cut && len > 0 && ((uint8_t)shown[len - 1] & 0xC0) == 0x80)
        len--;
    if (cut && len > 0 && ((uint8_t)shown[len - 1] & 0x80) != 0)
        len--;
    strbuf_add(text, shown, len);
    if (cut)
        strbuf_puts(text, "…");
}

json_t *rpt_sql_line(struct span masked)
{
    struct strbuf text;
    strbuf_init(&text, RPT_TEXT_MAX);
    display(&text, masked);
    json_t *out = text.failed ? NULL : rpt_text(strbuf_span(&text));
    strbuf_fini(&text);
    return out;
}

/* Where a layout stands. */
struct layout {
    size_t column;
    unsigned depth;       /* of parentheses */
    bool after_join_word; /* "left" was written: its "join" stays with it */
};

/* Cut the next piece off: up to a space or behind a comma, quoted identifiers kept whole. */
static struct span next_piece(struct span *text)
{
    size_t n = 0;
    bool quoted = false;
    while (text->len > 0 && text->data[0] == ' ')
        *text = span_skip(*text, 1);
    while (n < text->len && (quoted || text->data[n] != ' ')) {
        quoted ^= text->data[n] == '"';
        n++;
        if (!quoted && text->data[n - 1] == ',')
            break;
    }
    struct span piece = span_head(*text, n);
    *text = span_skip(*text, n);
    return piece;
}

static bool is_one_of(struct span word, const char *const *list)
{
    for (; *list != NULL; list++) {
        if (span_is(word, *list))
            return true;
    }
    return false;
}

/* Whether a piece begins a line of its own, at the outermost level. */
static bool begins_clause(struct layout *at, struct span piece)
{
    static const char *const clauses[] = {"from",   "where", "group",  "having",
                                          "order",  "limit", "offset", "returning",
                                          "values", "set",   "union",  NULL};
    static const char *const joins[] = {"inner", "left",    "right", "full",
                                        "cross", "natural", "outer", NULL};
    bool is_join_word = is_one_of(piece, joins);
    bool begins = at->depth == 0 && !at->after_join_word &&
                  (is_join_word || span_is(piece, "join") || is_one_of(piece, clauses));
    at->after_join_word = is_join_word;
    return begins;
}

static void track_depth(struct layout *at, struct span piece)
{
    bool quoted = false;
    for (size_t i = 0; i < piece.len; i++) {
        quoted ^= piece.data[i] == '"';
        if (!quoted && piece.data[i] == '(')
            at->depth++;
        if (!quoted && piece.data[i] == ')' && at->depth > 0)
            at->depth--;
    }
}

static void add_piece(struct strbuf *out, struct layout *at, struct span piece)
{
    bool clause = begins_clause(at, piece);
    if (at->column > 0 && (clause || at->column + 1 + piece.len > WRAP_COLUMN)) {
        strbuf_putc(out, '\n');
        at->column = 0;
        for (; !clause && at->column < WRAP_INDENT; at->column++)
            strbuf_putc(out, ' ');
    } else if (at->column > 0) {
        strbuf_putc(out, ' ');
        at->column++;
    }
    strbuf_add_span(out, piece);
    at->column += piece.len;
    track_depth(at, piece);
}

void rpt_sql_block(struct strbuf *out, struct span masked)
{
    struct strbuf text;
    struct layout at = {.column = 0};
    strbuf_init(&text, RPT_TEXT_MAX);
    display(&text, masked);
    struct span left = strbuf_span(&text);
    for (struct span piece = next_piece(&left); piece.len > 0; piece = next_piece(&left))
        add_piece(out, &at, piece);
    strbuf_putc(out, '\n');
    out->failed |= text.failed;
    strbuf_fini(&text);
}
