#include "detectors/commands.h"

#include "detectors/text.h"

enum { MAX_COMMANDS = 24, MAX_RECOMMENDATIONS = 40, MAX_PLANS = 5, MAX_LOADS = 3 };

static void add(const char **list, size_t *count, size_t max, const char *text)
{
    if (text == NULL || *count >= max)
        return;
    for (size_t i = 0; i < *count; i++) {
        if (strcmp(list[i], text) == 0)
            return;
    }
    list[(*count)++] = text;
}

/* Text inside a shell's double quotes: what the shell would read there is escaped, and a line ends
 * nowhere. */
static void add_quoted(struct strbuf *b, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (c < ' ' || c == 0x7f)
            continue;
        if (c == '"' || c == '\\' || c == '$' || c == '`')
            strbuf_putc(b, '\\');
        strbuf_putc(b, (char)c);
    }
}

/* The statement as displayed, for people to fill in: no value was kept. */
static const char *explain_command(struct arena *arena, const struct statement *s)
{
    if (s->text.len == 0)
        return NULL;
    char text[2048];
    size_t len = sql_display(s->text, text, sizeof(text));
    if (len + 1 >= sizeof(text))
        return NULL;
    struct strbuf b;
    strbuf_init(&b, DET_TEXT_MAX);
    strbuf_puts(&b, "psql \"$DATABASE_URL\" -c \"EXPLAIN (ANALYZE, BUFFERS) ");
    add_quoted(&b, span_of(text, len));
    strbuf_puts(&b, "\"  # put a value where each ? stands");
    return det_take(arena, &b);
}

static const struct statement *costliest(const struct finding *f)
{
    const struct statement *best = NULL;
    for (unsigned i = 0; i < f->n_statements; i++) {
        const struct statement *s = f->statements[i].statement;
        if (s->verb == SQL_VERB_SELECT && (best == NULL || s->time_us > best->time_us))
            best = s;
    }
    return best;
}

/* A load for one route. Its name is in a comment of the shell, which only a line's end would end.
 */
static const char *load_command(struct arena *arena, const struct endpoint *e)
{
    if (e->route == NULL || (e->method != NULL && strcmp(e->method, "GET") != 0))
        return NULL;
    struct strbuf b;
    strbuf_init(&b, DET_TEXT_MAX);
    strbuf_puts(&b, "locust -f locustfile.py --headless -u 20 -r 5 -t 60s -H http://127.0.0.1:8000"
                    "  # with a task for ");
    for (const char *c = e->name; *c != '\0'; c++) {
        if (*c >= ' ' && *c != 0x7f)
            strbuf_putc(&b, *c);
    }
    return det_take(arena, &b);
}

static void add_for_findings(struct result *r)
{
    size_t plans = 0;
    size_t loads = 0;
    for (size_t i = 0; i < r->n_findings; i++) {
        const struct statement *s = costliest(r->findings[i]);
        if (s != NULL && plans++ < MAX_PLANS)
            add(r->profiling_commands, &r->n_profiling_commands, MAX_COMMANDS,
                explain_command(&r->arena, s));
        if (loads < MAX_LOADS) {
            const char *load = load_command(&r->arena, r->findings[i]->endpoint);
            loads += load != NULL;
            add(r->profiling_commands, &r->n_profiling_commands, MAX_COMMANDS, load);
        }
    }
}

void commands_fill(struct result *r)
{
    r->profiling_commands = arena_alloc(&r->arena, MAX_COMMANDS * sizeof(char *));
    r->recommendations = arena_alloc(&r->arena, MAX_RECOMMENDATIONS * sizeof(char *));
    if (r->profiling_commands == NULL || r->recommendations == NULL)
        return;
    add(r->profiling_commands, &r->n_profiling_commands, MAX_COMMANDS,
        "uv run py-spy record -o profile.svg --pid <application pid>");
    add(r->profiling_commands, &r->n_profiling_commands, MAX_COMMANDS,
        "uv run python -m cProfile -o profile.stats main.py");
    add_for_findings(r);
    for (size_t i = 0; i < r->n_findings; i++)
        add(r->recommendations, &r->n_recommendations, MAX_RECOMMENDATIONS,
            r->findings[i]->recommendation);
}
