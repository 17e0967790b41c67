#include "detectors/commands.h"

#include "detectors/ledger.h"
#include "detectors/text.h"

enum { MAX_COMMANDS = 16, MAX_RECOMMENDATIONS = 40, MAX_PLANS = 5, SQL_MAX = 2048 };

/* A list without doubles, bounded. */
struct list {
    const char **items;
    size_t n;
    size_t max;
};

static void add(struct list *l, const char *text)
{
    if (text == NULL || l->n >= l->max)
        return;
    for (size_t i = 0; i < l->n; i++) {
        if (strcmp(l->items[i], text) == 0)
            return;
    }
    l->items[l->n++] = text;
}

/* Names of endpoints stand in comments of the shell, which only a line's end would end. */
static const char *in_comment(struct arena *arena, const char *name)
{
    struct strbuf b;
    strbuf_init(&b, DET_TEXT_MAX);
    for (const char *c = name; *c != '\0'; c++) {
        if (*c >= ' ' && *c != 0x7f)
            strbuf_putc(&b, *c);
    }
    return det_take(arena, &b);
}

/* --- EXPLAIN --- */

/* `interval ?` and its kin take a literal, never a parameter. */
static bool takes_literal(struct span before)
{
    static const char *const words[] = {"interval", "date", "time", "timestamp", "timestamptz"};
    while (before.len > 0 && before.data[before.len - 1] == ' ')
        before.len--;
    size_t start = before.len;
    while (start > 0 && before.data[start - 1] >= 'a' && before.data[start - 1] <= 'z')
        start--;
    struct span word = span_skip(before, start);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (span_is(word, words[i]))
            return true;
    }
    return false;
}

/* The masked text with $1, $2, ... for its values, inside the shell's single quotes. Returns the
 * number of parameters, or -1 when it cannot be written so. */
static int put_with_parameters(struct strbuf *b, struct span text)
{
    int n = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (c == SQL_HOLE) {
            if (takes_literal(span_head(text, i)))
                return -1;
            strbuf_printf(b, "$%d", ++n);
        } else if (c == '\'') {
            strbuf_puts(b, "'\\''");
        } else if (c < ' ' || c == 0x7f) {
            return -1;
        } else {
            strbuf_putc(b, (char)c);
        }
    }
    return n;
}

static void put_nulls(struct strbuf *b, int n)
{
    for (int i = 0; i < n; i++)
        strbuf_puts(b, i == 0 ? "(NULL" : ", NULL");
    strbuf_puts(b, n > 0 ? ")" : "");
}

/* A plan without any value, as none was kept: a prepared statement with a generic plan, on every
 * server from PostgreSQL 12 on. */
static const char *explain_command(struct arena *arena, const struct statement *s)
{
    struct strbuf b;
    if (s->text.len == 0 || s->text.len >= SQL_MAX || (s->scan_flags & SQL_SCAN_TRUNCATED) != 0)
        return NULL;
    strbuf_init(&b, DET_TEXT_MAX);
    strbuf_puts(&b, "psql \"$DATABASE_URL\" -c 'PREPARE pgsleuth AS ");
    int n = put_with_parameters(&b, s->text);
    strbuf_puts(&b, "' -c 'SET plan_cache_mode = force_generic_plan' -c 'EXPLAIN EXECUTE pgsleuth");
    put_nulls(&b, n);
    strbuf_puts(&b, "'");
    const char *out = det_take(arena, &b);
    return n >= 0 ? out : NULL;
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

/* --- profilers --- */

/* How the application is started under a profiler, as far as its stack shows. */
static const char *start_of(enum stack stack)
{
    return stack == STACK_DJANGO ? "manage.py runserver --noreload" : "-m uvicorn main:app";
}

static const char *calls_command(struct arena *arena, const struct finding *f, const char *name)
{
    if (f->stack == STACK_DJANGO)
        return det_text(arena,
                        "uv run --with django-silk python manage.py runserver  # with silk's "
                        "middleware; request %s, then read /silk/requests/ by number of queries",
                        name);
    return det_text(
        arena,
        "uv run python -m cProfile -o profile.stats %s  # request %s, stop, then: "
        "python -c \"import pstats; "
        "pstats.Stats('profile.stats').sort_stats('cumtime').print_callers('execute')\"",
        start_of(f->stack), name);
}

static const char *memory_command(struct arena *arena, const struct finding *f, const char *name)
{
    return det_text(arena,
                    "uv run --with memray memray run -o memray.bin %s  # request %s, stop, then: "
                    "memray flamegraph memray.bin",
                    start_of(f->stack), name);
}

static const char *load_command(struct arena *arena, const struct endpoint *e, const char *name)
{
    if (e->route == NULL || (e->method != NULL && strcmp(e->method, "GET") != 0))
        return NULL;
    return det_text(arena,
                    "uv run --with locust locust -f locustfile.py --headless -u 20 -r 5 -t 60s -H "
                    "http://127.0.0.1:8000  # with a task for %s",
                    name);
}

/* Where the application itself takes most of a request's time, database tools show little. */
static const char *sampling_command(struct arena *arena, const struct endpoint *e, const char *name)
{
    double share = e->wall_us > 0 ? 1 - (double)e->db_us / (double)e->wall_us : 0;
    return det_text(arena,
                    "uv run --with py-spy py-spy record -o profile.svg -d 30 --pid \"$APP_PID\"  # "
                    "while %s is requested: %.0f %% of its time is spent outside of the database",
                    name, 100 * (share > 0 ? share : 0));
}

static bool is_python_bound(const struct endpoint *e)
{
    return e->wall_us > 2 * e->db_us;
}

/* --- the lists --- */

static void add_for(struct list *l, struct arena *arena, const struct finding *f, size_t *plans)
{
    const unsigned confirm = f->detector->confirm;
    const char *name = in_comment(arena, f->endpoint->name);
    const struct statement *s = (confirm & CONFIRM_PLAN) != 0 ? costliest(f) : NULL;
    if (name == NULL)
        return;
    if (s != NULL && (*plans)++ < MAX_PLANS)
        add(l, explain_command(arena, s));
    if ((confirm & CONFIRM_CALLS) != 0)
        add(l, calls_command(arena, f, name));
    if ((confirm & CONFIRM_MEMORY) != 0)
        add(l, memory_command(arena, f, name));
    if ((confirm & CONFIRM_SESSIONS) != 0)
        add(l, "psql \"$DATABASE_URL\" -c 'SELECT state, count(*), max(now() - xact_start) AS "
               "oldest_transaction FROM pg_stat_activity WHERE datname = current_database() GROUP "
               "BY state'  # under load");
    if ((confirm & CONFIRM_CONFLICTS) != 0)
        add(l, "psql \"$DATABASE_URL\" -c 'SELECT deadlocks, xact_commit, xact_rollback FROM "
               "pg_stat_database WHERE datname = current_database()'  # before and after a load");
    if ((confirm & CONFIRM_RESPONSE) != 0)
        add(l, det_text(arena,
                        "curl -s -o /dev/null -D - -H 'Accept-Encoding: gzip' "
                        "http://127.0.0.1:8000/  # the headers of %s",
                        name));
    if ((confirm & CONFIRM_LOAD) != 0)
        add(l, load_command(arena, f->endpoint, name));
    if (is_python_bound(f->endpoint))
        add(l, sampling_command(arena, f->endpoint, name));
}

/* Commands for some findings; where there are none, one for the endpoint that takes most time. */
static struct list commands_for(struct arena *arena, struct finding *const *findings, size_t n,
                                const struct endpoint *busiest)
{
    size_t plans = 0;
    struct list l = {.items = arena_alloc(arena, MAX_COMMANDS * sizeof(char *)),
                     .max = MAX_COMMANDS};
    if (l.items == NULL)
        return (struct list){.n = 0};
    for (size_t i = 0; i < n; i++)
        add_for(&l, arena, findings[i], &plans);
    const char *name = busiest != NULL ? in_comment(arena, busiest->name) : NULL;
    if (l.n == 0 && name != NULL)
        add(&l, sampling_command(arena, busiest, name));
    if (l.n == 0)
        add(&l, "uv run --with py-spy py-spy record -o profile.svg -d 30 --pid \"$APP_PID\"");
    return l;
}

static void fill_recommendations(struct result *r)
{
    struct list l = {.items = arena_alloc(&r->arena, MAX_RECOMMENDATIONS * sizeof(char *)),
                     .max = MAX_RECOMMENDATIONS};
    for (size_t i = 0; l.items != NULL && i < r->n_findings; i++)
        add(&l, r->findings[i]->recommendation);
    r->recommendations = l.items;
    r->n_recommendations = l.n;
}

void commands_fill(struct result *r)
{
    const struct endpoint *busiest = r->n_endpoints > 0 ? r->endpoints[0].endpoint : NULL;
    struct list l = commands_for(&r->arena, r->findings, r->n_findings, busiest);
    r->profiling_commands = l.items;
    r->n_profiling_commands = l.n;
    for (size_t i = 0; i < r->n_endpoints; i++) {
        struct endpoint_result *e = &r->endpoints[i];
        l = commands_for(&r->arena, e->findings, e->n_findings, e->endpoint);
        e->profiling_commands = l.items;
        e->n_profiling_commands = l.n;
    }
    fill_recommendations(r);
}
