#include "traffic.h"

/* Every cap: what comes after it is counted, and a fault seen before is found as if nothing had
 * come. */

#define LIST  "SELECT id, name FROM authors LIMIT 20"
#define CHILD "SELECT title FROM books WHERE author_id = $1"

struct raw {
    uint64_t session;
    uint64_t statement;
    uint64_t trace;
    uint64_t tag;
    unsigned keys;
    enum sql_verb verb;
    uint8_t tx_before;
    uint8_t tx_after;
    bool error;
};

static struct sql_id raw_id(uint64_t n)
{
    return (struct sql_id){wire_hash_combine(n + 1, 1), wire_hash_combine(n + 1, 2)};
}

/* An exchange of a session and a statement that no other traffic has. */
static void send_raw(struct traffic *t, const struct raw *x)
{
    static uint64_t hashes[RECORD_MAX_KEY_HASHES];
    struct record_exchange *r = (void *)t->out.bytes;
    r->session = 1000 + x->session;
    r->id = raw_id(x->statement);
    r->trace = x->trace;
    r->tag = x->tag;
    r->start_us = ++t->now_us;
    r->total_us = 1;
    r->rows = x->keys;
    r->verb = (uint8_t)x->verb;
    r->tx_before = x->tx_before != 0 ? x->tx_before : 'I';
    r->tx_after = x->tx_after != 0 ? x->tx_after : 'I';
    r->exchange_flags = EXCHANGE_EXTENDED | (x->error ? EXCHANGE_ERROR : 0);
    if (x->error)
        memcpy(r->sqlstate, "40001", sizeof(r->sqlstate));
    size_t at = 0;
    if (x->keys > 0) {
        struct record_key key = {.count = (uint16_t)x->keys};
        r->n_keys = 1;
        r->n_key_hashes = (uint16_t)x->keys;
        at = traffic_tail(t, sizeof(*r), at, &key, sizeof(key));
        at = traffic_tail(t, sizeof(*r), at, hashes, x->keys * sizeof(hashes[0]));
    }
    traffic_send(t, RECORD_EXCHANGE, sizeof(*r), at);
}

static void send_text(struct traffic *t, uint64_t statement, size_t len)
{
    struct record_statement *r = (void *)t->out.bytes;
    r->id = raw_id(statement);
    r->verb = SQL_VERB_SELECT;
    r->text_len = (uint16_t)len;
    memset(r + 1, 'x', len);
    traffic_send(t, RECORD_STATEMENT, sizeof(*r), len);
}

static uint64_t send_tag(struct traffic *t, uint64_t n)
{
    struct record_tag *r = (void *)t->out.bytes;
    char route[32];
    int len = snprintf(route, sizeof(route), "/%u", (unsigned)n);
    r->id = 1 + wire_hash_combine(n, 3);
    r->len[SQL_TAG_ROUTE] = (uint16_t)len;
    uint64_t id = r->id;
    size_t tail = traffic_tail(t, sizeof(*r), 0, route, (size_t)len);
    traffic_send(t, RECORD_TAG, sizeof(*r), tail);
    return id;
}

/* --- what overflows --- */

static void flood_statements(struct traffic *t)
{
    for (uint64_t i = 0; i < AUDIT_MAX_STATEMENTS + 10; i++)
        send_raw(t, &(struct raw){.statement = i, .verb = SQL_VERB_SELECT});
}

static void flood_descriptions(struct traffic *t)
{
    for (uint64_t i = 0; i < AUDIT_NAME_BYTES / RECORD_TEXT_MAX + 100; i++)
        send_text(t, i, RECORD_TEXT_MAX);
}

static void flood_samples(struct traffic *t)
{
    for (uint64_t i = 0; i < 2000; i++) {
        struct record_sample *r = (void *)t->out.bytes;
        r->id = raw_id(i);
        r->len = RECORD_SAMPLE_MAX;
        traffic_send(t, RECORD_SAMPLE, sizeof(*r), RECORD_SAMPLE_MAX);
    }
}

static void flood_tags(struct traffic *t)
{
    for (uint64_t i = 0; i < AUDIT_MAX_TAGS + 10; i++)
        (void)send_tag(t, i);
}

static void flood_endpoints(struct traffic *t)
{
    for (uint64_t i = 0; i < AUDIT_MAX_ENDPOINTS + 10; i++)
        send_raw(t, &(struct raw){.tag = send_tag(t, i), .verb = SQL_VERB_SELECT});
}

static void flood_usages(struct traffic *t)
{
    const uint64_t endpoints = 1000;
    for (uint64_t i = 0; i < endpoints; i++) {
        uint64_t tag = send_tag(t, i);
        for (uint64_t k = 0; k < AUDIT_MAX_USAGES / endpoints + 1; k++)
            send_raw(t, &(struct raw){.tag = tag, .statement = k, .verb = SQL_VERB_SELECT});
    }
}

static void flood_sessions(struct traffic *t)
{
    for (uint64_t i = 0; i < AUDIT_MAX_SESSIONS + 10; i++)
        send_raw(t, &(struct raw){.session = i, .verb = SQL_VERB_SELECT});
}

static void flood_traces(struct traffic *t)
{
    for (uint64_t i = 0; i < SESSIONS_MAX_TRACES + 10; i++)
        send_raw(t, &(struct raw){.trace = 1 + i, .verb = SQL_VERB_SELECT});
}

static void flood_pool(struct traffic *t)
{
    for (uint64_t i = 1; i <= 128 + 10; i++)
        traffic_connect(t, i);
}

static void flood_requests(struct traffic *t)
{
    for (uint64_t i = 0; i < AUDIT_MAX_UNIT_EXCHANGES + 10; i++)
        send_raw(t, &(struct raw){.verb = SQL_VERB_SELECT, .tx_before = 'T', .tx_after = 'T'});
}

static void flood_transactions(struct traffic *t)
{
    for (int i = 0; i < UNIT_MAX_TRANSACTIONS + 10; i++) {
        send_raw(t, &(struct raw){.trace = 1, .verb = SQL_VERB_INSERT, .tx_before = 'T'});
        send_raw(t, &(struct raw){.trace = 1, .verb = SQL_VERB_COMMIT, .tx_before = 'T'});
    }
}

static void flood_values(struct traffic *t)
{
    const size_t each = RECORD_MAX_KEY_HASHES * sizeof(uint64_t);
    for (uint64_t i = 0; i < AUDIT_UNIT_BYTES / each + 100; i++)
        send_raw(t, &(struct raw){.session = i % 100,
                                  .verb = SQL_VERB_SELECT,
                                  .keys = RECORD_MAX_KEY_HASHES,
                                  .tx_before = 'T',
                                  .tx_after = 'T'});
}

static void flood_evidence(struct traffic *t)
{
    uint64_t tag = send_tag(t, 1);
    for (uint64_t i = 0; i < 3000; i++)
        send_raw(t,
                 &(struct raw){.statement = i, .tag = tag, .verb = SQL_VERB_SELECT, .error = true});
}

/* More loops and more lists than can all be compared: none of the values comes from any list. */
static void flood_lineage(struct traffic *t)
{
    enum { LISTS = 64, LOOPS = 16, TIMES = 10, VALUES = 4 };
    const int64_t *ids = traffic_ids(10);
    char sql[128];
    t->session = 1;
    traffic_tag(t, "GET", "/lists", NULL, NULL);
    for (int i = 0; i < LISTS; i++) {
        (void)snprintf(sql, sizeof(sql), "SELECT a, b FROM list_%d", i);
        traffic_exchange(t, sql, NULL, 0, (struct reply){.rows = 10, .keys = ids, .keys2 = ids});
    }
    for (int i = 0; i < LOOPS * TIMES; i++) {
        uint64_t values[VALUES];
        for (int v = 0; v < VALUES; v++)
            values[v] = traffic_int(-1 - i * VALUES - v);
        (void)snprintf(sql, sizeof(sql),
                       "SELECT x FROM loop_%d WHERE a = $1 AND b = $2 AND c = $3 AND d = $4",
                       i % LOOPS);
        traffic_exchange(t, sql, values, VALUES, (struct reply){.rows = 1});
    }
}

static const struct flood {
    enum overflow counts;
    uint64_t at_least;
    void (*send)(struct traffic *t);
} floods[] = {
    {OVERFLOW_statements, 10, flood_statements},
    {OVERFLOW_descriptions, 10, flood_descriptions},
    {OVERFLOW_memory, 10, flood_descriptions},
    {OVERFLOW_samples, 900, flood_samples},
    {OVERFLOW_tags, 10, flood_tags},
    {OVERFLOW_endpoints, 10, flood_endpoints},
    {OVERFLOW_usages, 1000, flood_usages},
    {OVERFLOW_sessions, 10, flood_sessions},
    {OVERFLOW_traces, 10, flood_traces},
    {OVERFLOW_requests, 1, flood_requests},
    {OVERFLOW_transactions, 10, flood_transactions},
    {OVERFLOW_values, 50, flood_values},
    {OVERFLOW_evidence, 1000, flood_evidence},
    {OVERFLOW_evidence, 1, flood_lineage},
    {OVERFLOW_evidence, 10, flood_pool},
};

/* A list of 20 and a statement for each of its rows, in a request of its own. */
static void send_loop(struct traffic *t)
{
    const int64_t *ids = traffic_ids(20);
    traffic_connect(t, 1);
    traffic_tag(t, "GET", "/loop", NULL, NULL);
    traffic_page(t, LIST, 0, ids, 20);
    for (int i = 0; i < 20; i++)
        traffic_by_id(t, CHILD, ids[i], 3);
    traffic_disconnect(t, 1);
    traffic_tag(t, NULL, NULL, NULL, NULL);
}

static const struct finding *loop_of(const struct result *r)
{
    for (size_t i = 0; i < r->n_findings; i++) {
        const struct finding *f = r->findings[i];
        if (strcmp(f->detector->name, "n_plus_one") == 0 &&
            strcmp(f->endpoint->name, "GET /loop") == 0)
            return f;
    }
    return NULL;
}

static void test_overflow_of_each_kind_is_counted_and_takes_no_finding_away(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(floods) / sizeof(floods[0]); i++) {
        struct traffic *t = traffic_new();
        send_loop(t);
        floods[i].send(t);
        const struct result *r = traffic_result(t);
        if (r->overflow[floods[i].counts] < floods[i].at_least)
            fail_msg("%s: %llu", overflow_texts[floods[i].counts].name,
                     (unsigned long long)r->overflow[floods[i].counts]);
        const struct finding *f = loop_of(r);
        assert_non_null(f);
        assert_int_equal(f->occurrences.max, 20);
        assert_int_equal(f->basis, BASIS_VALUE_LINEAGE);
        traffic_free(t);
    }
}

static void test_overflow_of_usual_traffic_is_none(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    for (int i = 0; i < 100; i++)
        send_loop(t);
    const struct result *r = traffic_result(t);
    for (int i = 0; i < OVERFLOWS; i++)
        assert_int_equal(r->overflow[i], 0);
    assert_non_null(loop_of(r));
    traffic_free(t);
}

static void test_findings_past_their_cap_are_counted(void **state)
{
    (void)state;
    static const struct endpoint endpoint;
    static const struct statement statement;
    struct arena arena;
    arena_init(&arena, 64 << 20);
    struct findings f = {.arena = &arena};
    for (int i = 0; i < FINDINGS_MAX; i++)
        assert_non_null(findings_add(&f, det_detectors[0], &endpoint, &statement));
    assert_int_equal(f.lost, 0);
    assert_null(findings_add(&f, det_detectors[0], &endpoint, &statement));
    assert_int_equal(f.count, FINDINGS_MAX);
    assert_int_equal(f.lost, 1);
    arena_fini(&arena);
}

/* Memory of requests comes back when they end: the flood of one minute is not the next one's loss.
 */
static void test_overflow_of_values_ends_with_the_requests(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    flood_values(t);
    uint64_t lost = traffic_result(t)->overflow[OVERFLOW_values];
    assert_true(lost > 0);
    for (uint64_t i = 0; i < 100; i++)
        send_raw(t, &(struct raw){.session = i, .verb = SQL_VERB_COMMIT, .tx_before = 'T'});
    send_loop(t);
    const struct result *r = traffic_result(t);
    assert_int_equal(r->overflow[OVERFLOW_values], lost);
    assert_non_null(loop_of(r));
    traffic_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overflow_of_each_kind_is_counted_and_takes_no_finding_away),
        cmocka_unit_test(test_overflow_of_usual_traffic_is_none),
        cmocka_unit_test(test_findings_past_their_cap_are_counted),
        cmocka_unit_test(test_overflow_of_values_ends_with_the_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
