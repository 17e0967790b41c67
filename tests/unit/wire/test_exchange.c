#include "script_play.h"

/* What the rows and the values of a statement leave behind in its exchange. */

static void put_int4(uint8_t *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void test_key_hashes_of_text_and_binary_results_are_equal(void **state)
{
    (void)state;
    static const struct script_field fields[] = {{"note", 16384, 2, 114, 0},
                                                 {"id", 16384, 1, WIRE_OID_INT4, 0},
                                                 {"ref", 16384, 3, WIRE_OID_INT8, 0}};
    struct script s;
    struct played p;
    script_init(&s);
    server_startup(&s);
    client_query(&s, "SELECT note, id, ref FROM t");
    server_fields(&s, 3, fields);
    for (int i = 0; i < 3; i++) {
        char digits[12];
        int n = snprintf(digits, sizeof(digits), "%d", i * 1000 - 1000);
        struct script_value row[] = {{"{}", 2, 0}, {digits, n, 0}, {NULL, -1, 0}};
        server_row(&s, 3, row);
    }
    server_complete(&s, "SELECT 3");
    server_ready(&s, 'I');
    client_parse(&s, "", "SELECT note, id, ref FROM t");
    client_bind_values(&s, "", "", 0, NULL, 1);
    client_describe(&s, 'P', "");
    client_execute(&s, "", 0);
    client_sync(&s);
    server_bare(&s, '1');
    server_bare(&s, '2');
    server_fields(&s, 3, fields);
    for (int i = 0; i < 3; i++) {
        uint8_t id[4];
        put_int4(id, (uint32_t)(i * 1000 - 1000));
        struct script_value row[] = {{"{}", 2, 0}, {(char *)id, 4, 0}, {NULL, -1, 0}};
        server_row(&s, 3, row);
    }
    server_complete(&s, "SELECT 3");
    server_ready(&s, 'I');
    script_play(&s, &p);
    const struct record_exchange *text = played_exchange(&p, 0);
    const struct record_exchange *binary = played_exchange(&p, 1);
    assert_int_equal(text->n_keys, 2);
    assert_int_equal(text->n_key_hashes, 6);
    assert_int_equal(exchange_keys(text)[0].column, 1);
    assert_int_equal(exchange_keys(text)[0].attnum, 1);
    assert_int_equal(exchange_keys(text)[1].column, 2);
    assert_memory_equal(exchange_keys(text), exchange_keys(binary), 2 * sizeof(struct record_key));
    assert_memory_equal(exchange_key_hashes(text), exchange_key_hashes(binary),
                        6 * sizeof(uint64_t));
    assert_true(exchange_key_hashes(text)[3] == wire_value_hash_null());
    assert_false(exchange_has(text, EXCHANGE_KEYS_CUT));
    assert_int_equal(played_count(&p, RECORD_COLUMNS), 1);
    played_fini(&p);
}

static void test_key_hashes_past_the_limit_are_cut_and_rows_still_counted(void **state)
{
    (void)state;
    static const struct script_field fields[] = {{"a", 1, 1, WIRE_OID_INT4, 0},
                                                 {"b", 1, 2, WIRE_OID_INT4, 0},
                                                 {"c", 1, 3, WIRE_OID_INT4, 0}};
    static const struct script_value row[] = {{"1", 1, 0}, {"2", 1, 0}, {"3", 1, 0}};
    enum { FIT = RECORD_MAX_KEY_HASHES / 3 };
    for (int extra = 0; extra < 2; extra++) {
        struct script s;
        struct played p;
        script_init(&s);
        server_startup(&s);
        client_query(&s, "SELECT a, b, c FROM t");
        server_fields(&s, 3, fields);
        for (int i = 0; i < FIT + extra; i++)
            server_row(&s, 3, row);
        server_complete(&s, "SELECT 1");
        server_ready(&s, 'I');
        play_once(&s, PLAY_RANDOM, 5, false, &p);
        const struct record_exchange *x = played_exchange(&p, 0);
        assert_int_equal(x->rows, FIT + extra);
        assert_int_equal(x->n_key_hashes, FIT * 3);
        assert_int_equal(exchange_has(x, EXCHANGE_KEYS_CUT), extra);
        assert_true(exchange_key_hashes(x)[FIT] == wire_value_hash_text(span_of_text("2")));
        script_fini(&s);
        played_fini(&p);
    }
}

static void test_widths_of_a_large_result_are_measured_behind_its_first_rows(void **state)
{
    (void)state;
    static const struct script_field fields[] = {{"author", 1, 1, WIRE_OID_TEXT, 0},
                                                 {"id", 1, 2, WIRE_OID_INT4, 0},
                                                 {"nothing", 1, 3, WIRE_OID_TEXT, 0}};
    enum { ROWS = WIDTHS_SKIP + 100 };
    struct script s;
    struct played p;
    script_init(&s);
    server_startup(&s);
    client_query(&s, "SELECT author, id, nothing FROM t");
    server_fields(&s, 3, fields);
    for (int i = 0; i < ROWS; i++) {
        char digits[12];
        int n = snprintf(digits, sizeof(digits), "%d", 1000 + i);
        struct script_value row[] = {{"the same name", 13, 0}, {digits, n, 0}, {NULL, -1, 0}};
        server_row(&s, 3, row);
    }
    server_complete(&s, "SELECT 164");
    server_ready(&s, 'I');
    script_play(&s, &p);
    assert_int_equal(played_count(&p, RECORD_WIDTHS), 1);
    const struct record_widths *w = played_record(&p, RECORD_WIDTHS, 0);
    const struct record_width *column = (const void *)(w + 1);
    assert_int_equal(w->rows, 100);
    assert_int_equal(w->n, 3);
    assert_int_equal(column[0].bytes, 1300);
    assert_int_equal(column[0].repeated_bytes, 1287);
    assert_int_equal(column[1].bytes, 400);
    assert_int_equal(column[1].repeated_bytes, 0);
    assert_int_equal(column[2].bytes, 0);
    played_fini(&p);
}

/* A result of which the later rows are not looked at one by one: `changed` has another byte,
 * `long_` is larger than is kept of a row. */
static void play_large_result(unsigned rows, unsigned changed, unsigned long_, enum play_mode mode,
                              struct played *p)
{
    static const struct script_field fields[] = {{"line", 1, 1, WIRE_OID_TEXT, 0}};
    static char value[WIRE_KEEP_ROW + 1];
    struct script s;
    script_init(&s);
    server_startup(&s);
    client_query(&s, "SELECT line FROM t");
    server_fields(&s, 1, fields);
    memset(value, 'x', sizeof(value));
    for (unsigned i = 0; i < rows; i++) {
        value[80] = i == changed ? 'y' : 'x';
        int len = i == long_ ? WIRE_KEEP_ROW + 1 : 70 + (int)(i % 30);
        struct script_value row[] = {{value, len, 0}};
        server_row(&s, 1, row);
        if (i % 500 == 3)
            server_notice(&s);
    }
    server_complete(&s, "SELECT 1");
    server_ready(&s, 'I');
    play_once(&s, mode, 5, false, p);
    script_fini(&s);
    assert_int_equal(played_opaque(p), WIRE_OPAQUE_NONE);
}

static void test_large_result_is_the_same_however_it_was_cut(void **state)
{
    (void)state;
    enum { ROWS = 3000, NONE = ROWS };
    uint64_t hashes[3];
    for (int mode = PLAY_WHOLE; mode <= PLAY_RANDOM; mode++) {
        struct played p;
        play_large_result(ROWS, NONE, NONE, (enum play_mode)mode, &p);
        const struct record_exchange *x = played_exchange(&p, 0);
        assert_int_equal(x->rows, ROWS);
        assert_int_equal(x->bytes, ROWS / 30 * (30 * 6 + 30 * 70 + 29 * 15));
        assert_true(x->result_hash != 0);
        hashes[mode] = x->result_hash;
        played_fini(&p);
    }
    assert_true(hashes[0] == hashes[1] && hashes[1] == hashes[2]);
}

static void test_large_result_changes_its_hash_with_any_row(void **state)
{
    (void)state;
    enum { ROWS = 2000 };
    uint64_t before = 0;
    for (unsigned changed = 29; changed <= ROWS; changed += 720) {
        struct played p;
        play_large_result(ROWS, changed, ROWS, PLAY_RANDOM, &p);
        uint64_t hash = played_exchange(&p, 0)->result_hash;
        assert_true(hash != before);
        before = hash;
        played_fini(&p);
    }
}

static void test_large_result_with_a_row_that_is_not_kept_whole_has_no_hash(void **state)
{
    (void)state;
    enum { ROWS = 2000 };
    for (int mode = PLAY_WHOLE; mode <= PLAY_RANDOM; mode += PLAY_RANDOM) {
        struct played p;
        play_large_result(ROWS, ROWS, ROWS - 100, (enum play_mode)mode, &p);
        assert_int_equal(played_exchange(&p, 0)->rows, ROWS);
        assert_true(played_exchange(&p, 0)->result_hash == 0);
        played_fini(&p);
    }
}

static void test_keys_are_given_up_when_no_value_can_be_one(void **state)
{
    (void)state;
    struct played p;
    play_large_result(WIDTHS_SKIP, WIDTHS_SKIP, WIDTHS_SKIP, PLAY_WHOLE, &p);
    assert_int_equal(played_exchange(&p, 0)->n_keys, 0);
    assert_true(exchange_has(played_exchange(&p, 0), EXCHANGE_KEYS_CUT));
    played_fini(&p);
}

static void test_bounds_are_those_bound(void **state)
{
    (void)state;
    static const struct script_value values[] = {{"\0\0\0\0\0\0\x30\x39", 8, 1}, {"25", 2, 0}};
    struct script s;
    struct played p;
    script_init(&s);
    server_startup(&s);
    client_parse(&s, "", "SELECT a FROM t OFFSET $1 LIMIT $2");
    client_bind_values(&s, "", "", 2, values, 0);
    client_execute(&s, "", 0);
    client_sync(&s);
    server_bare(&s, '1');
    server_bare(&s, '2');
    server_complete(&s, "SELECT 0");
    server_ready(&s, 'I');
    script_play(&s, &p);
    const struct record_exchange *x = played_exchange(&p, 0);
    assert_int_equal(x->offset, 12345);
    assert_int_equal(x->limit, 25);
    played_fini(&p);
}

static void test_keys_numbers_take_the_place_of_texts(void **state)
{
    (void)state;
    struct script_field fields[12];
    for (unsigned i = 0; i < 12; i++)
        fields[i] = (struct script_field){"c", 1, (uint16_t)(i + 1),
                                          i % 2 == 0 ? WIRE_OID_TEXT : WIRE_OID_INT8, 0};
    struct script_value row[12];
    for (unsigned i = 0; i < 12; i++)
        row[i] = (struct script_value){"7", 1, 0};
    struct script s;
    struct played p;
    script_init(&s);
    server_startup(&s);
    client_query(&s, "SELECT * FROM wide");
    server_fields(&s, 12, fields);
    server_row(&s, 12, row);
    server_row(&s, 3, row); /* a row that ends early */
    server_complete(&s, "SELECT 2");
    server_ready(&s, 'I');
    script_play(&s, &p);
    const struct record_exchange *x = played_exchange(&p, 0);
    assert_int_equal(x->n_keys, RECORD_MAX_KEYS);
    unsigned numbers = 0;
    for (unsigned k = 0; k < RECORD_MAX_KEYS; k++) {
        numbers += exchange_keys(x)[k].type_oid == WIRE_OID_INT8;
        assert_true(k == 0 || exchange_keys(x)[k].column > exchange_keys(x)[k - 1].column);
        assert_int_equal(exchange_keys(x)[k].count, 2);
    }
    assert_int_equal(numbers, 6);
    played_fini(&p);
}

/* 20 parameters: all of them count in the hash, 16 are kept one by one. */
static void test_params_past_the_kept_ones_still_change_the_hash(void **state)
{
    (void)state;
    struct script_value values[20];
    for (int i = 0; i < 20; i++)
        values[i] = (struct script_value){"5", 1, 0};
    struct script s;
    struct played p;
    script_init(&s);
    server_startup(&s);
    client_parse(&s, "many", "SELECT f($1)");
    for (int i = 0; i < 3; i++) {
        values[18].bytes = i == 1 ? "6" : "5";
        client_bind_values(&s, "", "many", 20, values, 0);
        client_execute(&s, "", 0);
    }
    client_sync(&s);
    server_bare(&s, '1');
    for (int i = 0; i < 3; i++)
        server_runs(&s, false, "SELECT 0");
    server_ready(&s, 'I');
    script_play(&s, &p);
    const struct record_exchange *a = played_exchange(&p, 0);
    assert_int_equal(a->n_values, SQL_MAX_VALUES);
    assert_true(exchange_has(a, EXCHANGE_VALUES_CUT));
    assert_true(a->values_hash != 0);
    assert_true(a->values_hash != played_exchange(&p, 1)->values_hash);
    assert_true(a->values_hash == played_exchange(&p, 2)->values_hash);
    played_fini(&p);
}

static void test_values_that_were_not_kept_give_no_hash(void **state)
{
    (void)state;
    enum { LONG = WIRE_KEEP_BIND + 5000 };
    char *text = malloc(LONG + 64);
    assert_non_null(text);
    int head = snprintf(text, 64, "SELECT id FROM t WHERE a = 'x' AND b = '");
    memset(text + head, 'y', LONG);
    memcpy(text + head + LONG - 1, "'", 2);
    struct script_value value = {text, LONG, 0};
    struct script s;
    struct played p;
    script_init(&s);
    server_startup(&s);
    client_query(&s, text);
    server_answers_select(&s, "1", 'I');
    client_parse(&s, "", "SELECT $1");
    client_bind_values(&s, "", "", 1, &value, 0);
    client_execute(&s, "", 0);
    client_sync(&s);
    server_runs(&s, true, "SELECT 0");
    server_ready(&s, 'I');
    script_play(&s, &p);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(played_exchange(&p, i)->values_hash == 0);
        assert_true(exchange_has(played_exchange(&p, i), EXCHANGE_VALUES_CUT));
    }
    free(text);
    played_fini(&p);
}

/* Described behind the Bind, in one pipeline: the columns are known when the rows come. */
static void test_keys_of_a_statement_described_behind_its_bind_are_kept(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    script_init(&s);
    server_startup(&s);
    client_parse(&s, "q", "SELECT id FROM t");
    client_bind(&s, "", "q");
    client_describe(&s, 'S', "q");
    client_execute(&s, "", 0);
    client_close(&s, 'S', "q");
    client_sync(&s);
    server_bare(&s, '1');
    server_bare(&s, '2');
    server_parameter_description(&s, 0, NULL);
    server_id_field(&s);
    server_text_row(&s, "41");
    server_text_row(&s, "42");
    server_complete(&s, "SELECT 2");
    server_bare(&s, '3');
    server_ready(&s, 'I');
    script_play(&s, &p);
    const struct record_exchange *x = played_exchange(&p, 0);
    assert_int_equal(x->n_keys, 1);
    assert_int_equal(x->n_key_hashes, 2);
    assert_true(exchange_key_hashes(x)[1] == wire_value_hash(WIRE_OID_INT4, 0, span_of_text("42")));
    played_fini(&p);
}

static void test_rows_that_were_not_kept_whole_give_no_result_hash(void **state)
{
    (void)state;
    enum { LONG = WIRE_KEEP_ROW + 100 };
    char *text = malloc(LONG);
    assert_non_null(text);
    memset(text, 'x', LONG);
    struct script_value value = {text, LONG, 0};
    struct script s;
    struct played p;
    script_init(&s);
    server_startup(&s);
    client_query(&s, "SELECT body FROM t");
    server_id_field(&s);
    server_text_row(&s, "1");
    server_row(&s, 1, &value);
    server_text_row(&s, "2");
    server_complete(&s, "SELECT 3");
    server_ready(&s, 'I');
    script_play(&s, &p);
    assert_int_equal(played_exchange(&p, 0)->rows, 3);
    assert_true(played_exchange(&p, 0)->result_hash == 0);
    free(text);
    played_fini(&p);
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_widths_of_a_large_result_are_measured_behind_its_first_rows),
        T(test_large_result_is_the_same_however_it_was_cut),
        T(test_large_result_changes_its_hash_with_any_row),
        T(test_large_result_with_a_row_that_is_not_kept_whole_has_no_hash),
        T(test_keys_are_given_up_when_no_value_can_be_one),
        T(test_bounds_are_those_bound),
        T(test_key_hashes_of_text_and_binary_results_are_equal),
        T(test_key_hashes_past_the_limit_are_cut_and_rows_still_counted),
        T(test_keys_numbers_take_the_place_of_texts),
        T(test_params_past_the_kept_ones_still_change_the_hash),
        T(test_values_that_were_not_kept_give_no_hash),
        T(test_keys_of_a_statement_described_behind_its_bind_are_kept),
        T(test_rows_that_were_not_kept_whole_give_no_result_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
