#include "detectors/advice_template.h"

#include "detectors/advice_parts.h"

struct names {
    struct name model, rows, one, table, column;
};

/* The name that a placeholder at `at` stands for, and its length there; NULL when it is none. */
static const char *placeholder(const struct names *n, const char *at, size_t *len)
{
    const struct {
        const char *text;
        const char *name;
    } all[] = {
        {"{Model}", n->model.text}, {"{rows}", n->rows.text},     {"{one}", n->one.text},
        {"{table}", n->table.text}, {"{column}", n->column.text},
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        *len = strlen(all[i].text);
        if (strncmp(at, all[i].text, *len) == 0)
            return all[i].name;
    }
    return NULL;
}

static const char *expand(struct arena *arena, const struct names *n, const char *text)
{
    struct strbuf b;
    if (text == NULL)
        return NULL;
    strbuf_init(&b, DET_TEXT_MAX);
    while (*text != '\0') {
        size_t plain = strcspn(text, "{");
        size_t len = 0;
        strbuf_add(&b, text, plain);
        text += plain;
        const char *name = *text != '\0' ? placeholder(n, text, &len) : NULL;
        if (name != NULL)
            strbuf_puts(&b, name);
        else if (*text != '\0')
            strbuf_putc(&b, '{');
        text += name != NULL ? len : *text != '\0';
    }
    return det_take(arena, &b);
}

void advice_template(struct arena *arena, struct finding *f, const struct statement *subject,
                     const struct advice_texts *texts)
{
    advice_template_column(arena, f, subject, span_of("", 0), texts);
}

void advice_template_column(struct arena *arena, struct finding *f, const struct statement *subject,
                            struct span column, const struct advice_texts *texts)
{
    static const struct statement nothing;
    struct span table = subject != NULL ? ledger_table(subject, 0) : span_of("", 0);
    const struct names n = {
        .model = name_class(table),
        .rows = name_attribute(table, "rows"),
        .one = name_singular(table, "item"),
        .table = name_sql_in_python(table, "your_table"),
        .column = name_attribute(column, "column"),
    };
    f->sqlalchemy = expand(arena, &n, texts->sqlalchemy);
    f->django = expand(arena, &n, texts->django);
    f->asyncpg = expand(arena, &n, texts->asyncpg);
    advice_choose(arena, f, subject != NULL ? subject : &nothing);
}
