#include "detectors/worst.h"

enum { CONNECTIONS = 64 };

struct connections {
    uint64_t sessions[CONNECTIONS];
    uint32_t n;
};

/* Those after the last that can be told apart share its number. */
static uint32_t number_of(struct connections *c, uint64_t session)
{
    for (uint32_t i = 0; i < c->n; i++) {
        if (c->sessions[i] == session)
            return i + 1;
    }
    if (c->n < CONNECTIONS)
        c->sessions[c->n++] = session;
    return c->n;
}

static uint64_t since(int64_t origin_us, int64_t at_us)
{
    return at_us > origin_us ? (uint64_t)(at_us - origin_us) : 0;
}

static bool goes_on(const struct worst *w, const struct unit_exchange *x, uint32_t connection)
{
    const struct worst_step *last = w->n_steps > 0 ? &w->steps[w->n_steps - 1] : NULL;
    return last != NULL && last->statement == x->statement && last->connection == connection;
}

static void add(struct worst *w, const struct unit_exchange *x, int64_t origin_us,
                uint32_t connection)
{
    bool again = goes_on(w, x, connection);
    if (w->left_out > 0 || (!again && w->n_steps == WORST_STEPS)) {
        w->left_out++;
        return;
    }
    if (!again)
        w->steps[w->n_steps++] = (struct worst_step){.statement = x->statement,
                                                     .start_us = since(origin_us, x->start_us),
                                                     .connection = connection};
    struct worst_step *step = &w->steps[w->n_steps - 1];
    uint64_t end_us = since(origin_us, x->end_us);
    if (end_us > step->start_us + step->span_us)
        step->span_us = end_us - step->start_us;
    step->busy_us += x->total_us;
    step->rows += x->rows;
    step->times++;
    step->errors += x->sqlstate[0] != '\0';
}

void worst_note(struct worst **kept, struct arena *arena, const struct unit *u, uint64_t wall_us)
{
    if (*kept != NULL && wall_us <= (*kept)->wall_us)
        return;
    if (*kept == NULL)
        *kept = arena_alloc(arena, sizeof(**kept));
    if (*kept == NULL)
        return;
    struct worst *w = *kept;
    bool by_http = u->http.route != NULL;
    struct connections connections = {.n = 0};
    *w = (struct worst){
        .wall_us = wall_us,
        .db_us = u->db_us,
        .statements = unit_statements(u),
        .by_http = by_http,
    };
    for (size_t i = 0; i < u->n; i++) {
        const struct unit_exchange *x = &u->exchanges[i];
        add(w, x, by_http ? u->http.start_us : u->start_us, number_of(&connections, x->session));
    }
    w->left_out += u->overflow.statements;
}
