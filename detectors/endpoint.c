#include "detectors/audit.h"
#include "detectors/ledger.h"
#include "detectors/worst.h"
#include "wire/values.h"

#include <ctype.h>
#include <stdio.h>

void ledger_init(struct ledger *l, struct arena *arena)
{
    *l = (struct ledger){.arena = arena};
    l->end = &l->first;
    map64_init(&l->endpoints, AUDIT_MAX_ENDPOINTS);
    map64_init(&l->usages, AUDIT_MAX_USAGES);
}

void ledger_fini(struct ledger *l)
{
    map64_fini(&l->endpoints);
    map64_fini(&l->usages);
}

/* --- which endpoint --- */

static const char *value_of(const struct tag *tag, enum sql_tag_key key)
{
    const char *value = tag != NULL ? tag->value[key] : NULL;
    return value != NULL && *value != '\0' ? value : NULL;
}

bool ledger_tag_names(const struct tag *tag)
{
    return value_of(tag, SQL_TAG_ROUTE) != NULL || value_of(tag, SQL_TAG_CONTROLLER) != NULL ||
           value_of(tag, SQL_TAG_ACTION) != NULL;
}

static uint64_t add_text(uint64_t hash, const char *text)
{
    return wire_hash_combine(hash, text != NULL ? wire_value_hash_text(span_of_text(text)) : 0);
}

/* A route says it all; without one it is controller and action. */
static uint64_t tag_key(const struct tag *tag)
{
    if (value_of(tag, SQL_TAG_ROUTE) != NULL)
        return add_text(add_text(1, value_of(tag, SQL_TAG_METHOD)), value_of(tag, SQL_TAG_ROUTE));
    return add_text(add_text(2, value_of(tag, SQL_TAG_CONTROLLER)), value_of(tag, SQL_TAG_ACTION));
}

static const char *joined(struct ledger *l, const char *a, const char *between, const char *b)
{
    char text[2 * (SQL_TAG_VALUE_MAX + 1) + 2];
    int n = snprintf(text, sizeof(text), "%s%s%s", a != NULL ? a : "",
                     a != NULL && b != NULL ? between : "", b != NULL ? b : "");
    return n > 0 ? arena_text(l->arena, span_of_text(text)) : NULL;
}

static void name_by_tag(struct ledger *l, struct endpoint *e, const struct tag *tag, bool marked)
{
    const char *route = value_of(tag, SQL_TAG_ROUTE);
    const char *method = value_of(tag, SQL_TAG_METHOD);
    e->attribution = marked ? ATTRIBUTION_MARK : ATTRIBUTION_TAG;
    e->method = method;
    e->route = route;
    e->name = route != NULL ? joined(l, method, " ", route)
                            : joined(l, value_of(tag, SQL_TAG_CONTROLLER), "#",
                                     value_of(tag, SQL_TAG_ACTION));
}

static void name_by_http(struct ledger *l, struct endpoint *e, const struct http_route *route)
{
    e->attribution = ATTRIBUTION_HTTP;
    e->method = route->method;
    e->route = route->route;
    e->name = joined(l, route->method, " ", route->route);
}

static uint64_t route_key(const struct http_route *route)
{
    return add_text(add_text(1, route->method), route->route);
}

static uint64_t unit_key(const struct unit *u)
{
    if (ledger_tag_names(u->tag))
        return tag_key(u->tag);
    if (u->http.route != NULL)
        return route_key(u->http.route);
    uint64_t key = wire_hash_combine(3, unit_signature(u->exchanges, u->n));
    return u->application != NULL ? add_text(key, u->application) : key;
}

/* Without a name yet. */
static struct endpoint *new_endpoint(struct ledger *l, uint64_t key)
{
    if (l->endpoints.count >= AUDIT_MAX_ENDPOINTS)
        return NULL;
    struct endpoint *e = arena_alloc(l->arena, sizeof(*e));
    if (e == NULL || map64_put(&l->endpoints, key, e) != MAP64_OK)
        return NULL;
    e->key = key;
    e->usages_end = &e->usages;
    e->confidence = UNIT_EXACT;
    e->name = "";
    *l->end = e;
    l->end = &e->next;
    return e;
}

static struct endpoint *endpoint_of_unit(struct ledger *l, const struct unit *u)
{
    if (u->learnt != NULL)
        return u->learnt->endpoint;
    uint64_t key = unit_key(u);
    struct endpoint *e = map64_get(&l->endpoints, key);
    if (e == NULL)
        e = new_endpoint(l, key);
    if (e == NULL || e->anchor != NULL)
        return e;
    e->anchor = u->exchanges[0].statement;
    e->first_us = u->start_us;
    if (ledger_tag_names(u->tag))
        name_by_tag(l, e, u->tag, u->marked);
    else if (u->http.route != NULL)
        name_by_http(l, e, u->http.route);
    else
        e->application = u->application;
    if (e->name == NULL)
        e->name = "";
    return e;
}

enum { LEARNT_UNITS = 3 };

bool ledger_route_is_learnt(const struct http_route *route)
{
    const struct endpoint *e = route->endpoint;
    return e != NULL &&
           (e->split.units >= LEARNT_UNITS || (e->units == 0 && route->alone >= LEARNT_UNITS));
}

bool ledger_is_named(const struct unit *u)
{
    return ledger_tag_names(u->tag) || u->http.route != NULL;
}

struct endpoint *ledger_of_route(struct ledger *l, struct http_route *route)
{
    uint64_t key = route_key(route);
    struct endpoint *e = map64_get(&l->endpoints, key);
    if (e == NULL && (e = new_endpoint(l, key)) != NULL) {
        name_by_http(l, e, route);
        if (e->name == NULL)
            e->name = "";
    }
    if (e != NULL && e->http == NULL)
        e->http = route;
    return e;
}

uint64_t endpoint_requests(const struct endpoint *e)
{
    return e->units == 0 && e->http != NULL ? e->http->requests : e->units;
}

bool endpoint_statements_known(const struct endpoint *e)
{
    return e->units > 0 || e->http == NULL || e->http->alone > 0;
}

const struct histogram *endpoint_latency(const struct endpoint *e)
{
    bool told = e->http != NULL && e->http->total_us.count > 0;
    return told ? &e->http->total_us : &e->wall_us_each;
}

/* --- counting --- */

static uint64_t usage_key(const struct endpoint *e, const struct statement *s)
{
    return wire_hash_combine(e->key, statement_key(s));
}

struct usage *ledger_usage(const struct ledger *l, const struct endpoint *e,
                           const struct statement *s)
{
    return map64_get(&l->usages, usage_key(e, s));
}

static struct usage *usage_of(struct ledger *l, struct endpoint *e, const struct unit_exchange *x)
{
    uint64_t key = usage_key(e, x->statement);
    struct usage *u = map64_get(&l->usages, key);
    if (u != NULL || l->usages.count >= AUDIT_MAX_USAGES)
        return u;
    u = arena_alloc(l->arena, sizeof(*u));
    if (u == NULL || map64_put(&l->usages, key, u) != MAP64_OK)
        return NULL;
    u->endpoint = e;
    u->statement = x->statement;
    u->tag = x->tag;
    *e->usages_end = u;
    e->usages_end = &u->next;
    return u;
}

static void count_exchange(struct ledger *l, struct usage *u, const struct unit_exchange *x,
                           uint64_t serial)
{
    if (u->last_unit != serial) {
        u->last_unit = serial;
        u->units++;
    }
    u->calls++;
    u->errors += (x->flags & EXCHANGE_ERROR) != 0;
    u->limited += x->max_rows != 0;
    u->suspended += (x->flags & EXCHANGE_SUSPENDED) != 0;
    histogram_add(&u->time_us, l->arena, x->total_us);
    if ((x->flags & EXCHANGE_ERROR) != 0)
        return; /* what a failed statement returned is no evidence */
    u->rows += x->rows;
    u->bytes += x->bytes;
    if (x->rows > u->max_rows)
        u->max_rows = x->rows;
    if (x->bytes > u->max_bytes)
        u->max_bytes = x->bytes;
    histogram_add(&u->rows_each, l->arena, x->rows);
}

static uint64_t at_most(uint64_t us, uint64_t left)
{
    return us < left ? us : left;
}

/* A request that waits for a connection takes it as soon as it comes free; that may take a moment
 * itself. Coming to its first statement no later than most do that waited for nobody, it needed
 * that time for its own work. */
static uint64_t pool_wait(const struct latency_split *s, const struct unit *u)
{
    const uint64_t enough = 5;
    const int64_t at_once_us = 5000;
    int64_t before_us = u->start_us - u->http.start_us;
    if (u->handed_us == 0 || s->before_us.count < enough ||
        before_us <= (int64_t)histogram_percentile(&s->before_us, 0.75))
        return 0;
    int64_t own_us = (int64_t)histogram_percentile(&s->before_us, 0.50);
    int64_t wait_us = u->handed_us - u->http.start_us - own_us;
    int64_t taking_us = u->start_us - u->handed_us;
    bool waited = wait_us > 0 && (taking_us <= at_once_us || taking_us <= wait_us / 4);
    return waited ? (uint64_t)wait_us : 0;
}

static void note_before(struct latency_split *s, struct arena *arena, const struct unit *u)
{
    int64_t before_us = u->start_us - u->http.start_us;
    if (u->handed_us <= u->http.start_us && before_us >= 0)
        histogram_add(&s->before_us, arena, (uint64_t)before_us);
}

/* The parts are taken in turn from what is left of the request, so that they add up to it. */
static void split_latency(struct latency_split *s, struct arena *arena, const struct unit *u)
{
    uint64_t idle_us = 0;
    for (size_t i = 0; i < u->n_transactions; i++)
        idle_us += u->transactions[i].idle_us;
    uint64_t left_us = u->http.total_us;
    uint64_t transfer_us = u->http.total_us - at_most(u->http.first_us, u->http.total_us);
    uint64_t db_us = at_most(u->db_us, left_us);
    left_us -= db_us;
    transfer_us = at_most(transfer_us, left_us);
    left_us -= transfer_us;
    idle_us = at_most(idle_us, left_us);
    left_us -= idle_us;
    note_before(s, arena, u);
    uint64_t wait_us = at_most(pool_wait(s, u), left_us);
    s->units++;
    s->total_us += u->http.total_us;
    s->database_us += db_us;
    s->transfer_us += transfer_us;
    s->idle_in_transaction_us += idle_us;
    s->pool_wait_us += wait_us;
    s->application_us += left_us - wait_us;
}

static void count_joined(struct ledger *l, struct endpoint *e, const struct unit *u)
{
    uint64_t n = unit_statements(u);
    if (e->split.units == 0 || n < e->fewest_statements)
        e->fewest_statements = n;
    if (n > e->most_statements)
        e->most_statements = n;
    e->http = u->http.route;
    u->http.route->endpoint = e;
    split_latency(&e->split, l->arena, u);
}

static void count_unit(struct ledger *l, struct endpoint *e, const struct unit *u)
{
    uint64_t wall_us = (uint64_t)(u->end_us - u->start_us);
    if (u->http.route != NULL) {
        wall_us = u->http.total_us;
        count_joined(l, e, u);
    }
    e->units++;
    e->learnt_units += u->learnt != NULL;
    e->statements += unit_statements(u);
    e->chatter += u->chatter;
    e->errors += u->errors;
    e->new_connections += u->new_connections;
    e->asyncpg_units += u->asyncpg;
    e->wall_us += wall_us;
    e->part_us[e->units % ENDPOINT_PARTS] += wall_us;
    e->db_us += u->db_us;
    worst_note(&e->worst, l->arena, u, wall_us);
    histogram_add(&e->wall_us_each, l->arena, wall_us);
    histogram_add(&e->db_us_each, l->arena, u->db_us);
    histogram_add(&e->statements_each, l->arena, unit_statements(u));
    histogram_add(&e->rows_each, l->arena, unit_rows(u));
    histogram_add(&e->bytes_each, l->arena, unit_bytes(u));
    if (u->confidence < e->confidence)
        e->confidence = u->confidence;
    if (u->start_us < e->first_us)
        e->first_us = u->start_us;
    if (u->end_us > e->last_us)
        e->last_us = u->end_us;
}

struct endpoint *ledger_add(struct ledger *l, struct unit *u)
{
    struct endpoint *e = endpoint_of_unit(l, u);
    u->endpoint = e;
    if (e == NULL) {
        l->overflowed++;
        return NULL;
    }
    count_unit(l, e, u);
    for (size_t i = 0; i < u->n; i++) {
        struct usage *usage = usage_of(l, e, &u->exchanges[i]);
        if (usage == NULL)
            l->lost_usages++;
        else
            count_exchange(l, usage, &u->exchanges[i], u->serial);
    }
    return e;
}

/* --- names of endpoints without a tag --- */

static bool is_space(uint8_t c)
{
    return c == ' ';
}

/* The next word of a masked text; quoted identifiers and punctuation are in it. */
static struct span next_word(struct span *text)
{
    while (text->len > 0 && is_space(text->data[0]))
        *text = span_skip(*text, 1);
    size_t n = 0;
    bool quoted = false;
    while (n < text->len && (quoted || !is_space(text->data[n]))) {
        quoted ^= text->data[n] == '"';
        n++;
    }
    struct span word = span_head(*text, n);
    *text = span_skip(*text, n);
    return word;
}

static bool leads_to_table(struct span word)
{
    return span_is(word, "from") || span_is(word, "join") || span_is(word, "into") ||
           span_is(word, "update");
}

/* "orders," is orders, "shop.orders" is orders, "(select" is no table. */
static struct span bare_table(struct span word)
{
    size_t begin = 0;
    size_t n = 0;
    bool quoted = false;
    for (; n < word.len; n++) {
        uint8_t c = word.data[n];
        quoted ^= c == '"';
        if (quoted || isalnum(c) || c == '_' || c == '$' || c >= 0x80 || c == '"')
            continue;
        if (c != '.')
            break;
        begin = n + 1;
    }
    struct span name = span_of(word.data + begin, n - begin);
    if (name.len >= 2 && name.data[0] == '"' && name.data[name.len - 1] == '"')
        name = span_of(name.data + 1, name.len - 2);
    return name;
}

static struct span scan_for_table(struct span text, unsigned i)
{
    while (text.len > 0) {
        if (!leads_to_table(next_word(&text)))
            continue;
        struct span table = bare_table(next_word(&text));
        if (table.len > 0 && !span_is(table, "only") && i-- == 0)
            return table;
    }
    return span_of(NULL, 0);
}

struct span ledger_table(const struct statement *s, unsigned i)
{
    if (s->facts == NULL || s->facts->status != FACTS_OK)
        return scan_for_table(s->text, i);
    struct span table = statement_table(s, i);
    for (size_t k = table.len; k > 0; k--) {
        if (table.data[k - 1] == '.')
            return span_skip(table, k);
    }
    return table;
}

enum { NAME_TABLES = 4 };

/* The first few different tables of an endpoint, in order of their statements. */
static unsigned main_tables(const struct endpoint *e, struct span out[NAME_TABLES])
{
    unsigned n = 0;
    for (const struct usage *u = e->usages; u != NULL && n < NAME_TABLES; u = u->next) {
        struct span table = ledger_table(u->statement, 0);
        bool known = table.len == 0;
        for (unsigned k = 0; k < n; k++)
            known |= span_equal(out[k], table);
        if (!known)
            out[n++] = table;
    }
    return n;
}

static size_t add_part(char *out, size_t at, const char *between, struct span part)
{
    size_t gap = strlen(between);
    if (at + gap + part.len >= LEDGER_NAME_MAX)
        return at;
    for (size_t i = 0; i < gap; i++)
        out[at + i] = between[i];
    if (part.len > 0)
        memcpy(out + at + gap, part.data, part.len);
    return at + gap + part.len;
}

static void name_by_signature(struct endpoint *e, char out[LEDGER_NAME_MAX])
{
    struct span tables[NAME_TABLES];
    unsigned n = main_tables(e, tables);
    const char *verb = sql_verb_name(e->anchor->verb);
    size_t at = 0;
    if (e->application != NULL) {
        at = add_part(out, at, "", span_of_text(e->application));
        at = add_part(out, at, ": ", span_of(NULL, 0));
    }
    for (size_t i = 0; i < LEDGER_NAME_MAX / 4 && verb[i] != '\0'; i++)
        out[at++] = (char)tolower((unsigned char)verb[i]);
    struct span anchor = ledger_table(e->anchor, 0);
    if (anchor.len > 0)
        at = add_part(out, at, " ", anchor);
    for (unsigned i = 0; i < n; i++)
        at = add_part(out, at, i == 0 ? " -> " : ", ", tables[i]);
    out[at] = '\0';
}

void ledger_name(struct ledger *l)
{
    for (struct endpoint *e = l->first; e != NULL; e = e->next) {
        if (e->attribution != ATTRIBUTION_SIGNATURE)
            continue;
        char name[LEDGER_NAME_MAX];
        name_by_signature(e, name);
        if (strcmp(name, e->name) == 0)
            continue;
        const char *kept = arena_text(l->arena, span_of_text(name));
        if (kept != NULL)
            e->name = kept; /* changes once or twice in its life: when the grammar has told */
    }
}
