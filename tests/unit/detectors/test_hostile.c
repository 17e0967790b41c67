#include "traffic.h"

#include <math.h>

/* Records and thresholds that are in bounds one by one, and strange together: of a hostile capture,
 * a hostile peer, or a configuration at the edge of what options allow. */

static struct traffic *traffic_with(const struct det_settings *settings)
{
    struct traffic *t = traffic_new();
    audit_free(t->audit);
    t->audit = audit_new(settings);
    assert_non_null(t->audit);
    return t;
}

static struct levels levels_of(double value)
{
    return (struct levels){value, value, value, value};
}

/* Every rule's levels made `value`. */
static struct det_settings settings_at(double value)
{
    struct det_settings s = traffic_settings();
    struct levels *const all[] = {
        &s.duplicate_query,
        &s.write_loop,
        &s.consecutive_ms,
        &s.chatty,
        &s.idle_transaction_ms,
        &s.long_transaction_ms,
        &s.aborted_transaction_ms,
        &s.transaction_overhead,
        &s.lost_update,
        &s.sql_errors,
        &s.connection_churn,
        &s.pool_size,
        &s.statement_cache,
        &s.cacheable_read_ms,
        &s.wide_columns_bytes,
        &s.deep_offset,
        &s.count_query_ms,
        &s.missing_pagination,
        &s.whole_result_bytes,
        &s.join_blow_up_bytes,
        &s.slow_statement_ms,
        &s.http_compression_bytes,
        &s.http_caching,
        &s.http_keep_alive,
        &s.background_work_ms,
        &s.loop_stall_ms,
        &s.thread_pool_ms,
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        *all[i] = levels_of(value);
    return s;
}

/* One exchange of a statement, its numbers all `number`, then the end of its session. */
static void send_numbers(struct traffic *t, uint64_t number, const char *sql)
{
    struct record_statement *s = (void *)t->out.bytes;
    s->id = (struct sql_id){1, 2};
    s->verb = SQL_VERB_SELECT;
    s->text_len = (uint16_t)strlen(sql);
    traffic_tail(t, sizeof(*s), 0, sql, strlen(sql));
    traffic_send(t, RECORD_STATEMENT, sizeof(*s), strlen(sql));
    for (int i = 0; i < 3; i++) {
        struct record_exchange *x = (void *)t->out.bytes;
        x->session = 1;
        x->id = (struct sql_id){1, 2};
        x->verb = SQL_VERB_SELECT;
        x->tx_before = x->tx_after = 'I';
        x->start_us = number > (uint64_t)RECORD_TIME_MAX_US ? RECORD_TIME_MAX_US : (int64_t)number;
        x->first_us = x->total_us = (uint32_t)number;
        x->rows = x->bytes = x->affected = x->offset = x->limit = number;
        traffic_send(t, RECORD_EXCHANGE, sizeof(*x), 0);
        struct record_session_end *end = (void *)t->out.bytes;
        end->session = 1;
        end->time_us = i % 2 == 0 ? 0 : RECORD_TIME_MAX_US;
        end->bytes_from_client = end->bytes_from_server = number;
        traffic_send(t, RECORD_SESSION_END, sizeof(*end), 0);
    }
}

static void judge(const struct det_settings *settings, uint64_t number)
{
    struct traffic *t = traffic_with(settings);
    send_numbers(t, number, "select id from t limit ? offset ?");
    audit_finish(t->audit);
    t->result = result_new(t->audit);
    assert_non_null(t->result);
    assert_true(t->result->units > 0);
    traffic_free(t);
}

static const uint64_t numbers[] = {
    0,          1,          2,         1000,       UINT32_MAX,     1ULL << 32,
    1ULL << 53, 1ULL << 57, INT64_MAX, 1ULL << 63, UINT64_MAX - 1, UINT64_MAX};

static void test_audit_any_numbers_at_any_levels_are_judged(void **state)
{
    (void)state;
    static const double values[] = {0, 1, 1e18, 1e300, (double)INFINITY};
    for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
        struct det_settings settings = settings_at(values[v]);
        for (size_t n = 0; n < sizeof(numbers) / sizeof(numbers[0]); n++)
            judge(&settings, numbers[n]);
    }
}

/* A sum of two numbers of a peer that is none: it was divided by. */
static void test_audit_offset_and_rows_that_add_up_to_nothing_are_judged(void **state)
{
    (void)state;
    struct det_settings settings = traffic_settings();
    struct traffic *t = traffic_with(&settings);
    struct record_exchange *x = (void *)t->out.bytes;
    x->session = 1;
    x->verb = SQL_VERB_SELECT;
    x->id = (struct sql_id){1, 2};
    x->rows = 1;
    x->offset = UINT64_MAX;
    x->total_us = 1000;
    traffic_send(t, RECORD_EXCHANGE, sizeof(*x), 0);
    audit_finish(t->audit);
    t->result = result_new(t->audit);
    assert_non_null(t->result);
    traffic_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_audit_any_numbers_at_any_levels_are_judged),
        cmocka_unit_test(test_audit_offset_and_rows_that_add_up_to_nothing_are_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
