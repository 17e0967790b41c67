/* Time that findings would take away: unions, overlaps, caps. */
#include "cmocka_all.h"

#include "detectors/claims.h"

#include <string.h>

enum { ONE = 1, TWO = 2, ARENA_BYTES = 1024 * 1024 };

struct fixture {
    struct arena arena;
    struct endpoint endpoint;
    struct unit unit;
    struct unit_exchange exchanges[8];
};

static struct fixture *fixture(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    arena_init(&f->arena, ARENA_BYTES);
    f->unit.endpoint = &f->endpoint;
    f->unit.exchanges = f->exchanges;
    assert_int_equal(claims_case(&f->endpoint, &f->arena), ONE);
    assert_int_equal(claims_case(&f->endpoint, &f->arena), TWO);
    return f;
}

/* An exchange of a session over [begin, end) ms. */
static void add(struct fixture *f, uint64_t session, int64_t begin_ms, int64_t end_ms,
                uint64_t claims)
{
    f->exchanges[f->unit.n++] = (struct unit_exchange){
        .session = session,
        .start_us = begin_ms * 1000,
        .end_us = end_ms * 1000,
        .total_us = (uint32_t)((end_ms - begin_ms) * 1000),
        .claims = claims,
    };
}

static void test_claims_of_two_cases_count_shared_statements_once(void **state)
{
    (void)state;
    static struct fixture f;
    fixture(&f);
    add(&f, 1, 0, 10, 0);
    add(&f, 1, 12, 20, ONE);
    add(&f, 1, 21, 30, ONE | TWO);
    add(&f, 1, 35, 40, TWO);
    claims_settle(&f.unit);
    struct claims_union one = claims_of(&f.endpoint, ONE);
    struct claims_union both = claims_of(&f.endpoint, ONE | TWO);
    assert_int_equal(one.db_us, 17000);
    assert_int_equal(one.gap_us, 3000);
    assert_int_equal(one.statements, 2);
    assert_int_equal(both.db_us, 22000);
    assert_int_equal(both.gap_us, 8000);
    assert_int_equal(both.statements, 3);
    arena_fini(&f.arena);
}

static void test_claims_of_an_overlap_with_an_unclaimed_one_are_nothing(void **state)
{
    (void)state;
    static struct fixture f;
    fixture(&f);
    add(&f, 1, 0, 10, ONE);
    add(&f, 2, 5, 30, 0);
    add(&f, 1, 40, 50, ONE);
    claims_settle(&f.unit);
    assert_int_equal(claims_of(&f.endpoint, ONE).db_us, 10000);
    arena_fini(&f.arena);
}

static void test_claims_of_overlapping_claimed_ones_are_their_union(void **state)
{
    (void)state;
    static struct fixture f;
    fixture(&f);
    add(&f, 1, 0, 10, ONE);
    add(&f, 2, 2, 12, ONE);
    add(&f, 3, 4, 14, ONE | TWO);
    claims_settle(&f.unit);
    assert_int_equal(claims_of(&f.endpoint, ONE).db_us, 14000);
    assert_int_equal(claims_of(&f.endpoint, TWO).db_us, 0);
    arena_fini(&f.arena);
}

static void test_claims_of_pipelined_statements_are_each_its_own_time(void **state)
{
    (void)state;
    static struct fixture f;
    fixture(&f);
    add(&f, 1, 0, 10, 0);
    add(&f, 1, 0, 15, ONE);
    add(&f, 1, 0, 21, ONE);
    claims_settle(&f.unit);
    assert_int_equal(claims_of(&f.endpoint, ONE).db_us, 11000);
    arena_fini(&f.arena);
}

static void test_claims_past_the_cap_are_lost_and_counted(void **state)
{
    (void)state;
    static struct fixture f;
    fixture(&f);
    for (uint64_t i = 1; i <= CLAIMS_SETS + 1; i++) {
        f.unit.n = 0;
        add(&f, 1, 0, 1, i);
        claims_settle(&f.unit);
    }
    assert_int_equal(f.endpoint.claims->n_sets, CLAIMS_SETS);
    assert_int_equal(f.endpoint.claims->lost_us, 1000);
    assert_int_equal(claims_of(&f.endpoint, UINT64_MAX).db_us, CLAIMS_SETS * 1000);
    arena_fini(&f.arena);
}

static void test_claims_case_past_the_last_bit_is_none(void **state)
{
    (void)state;
    static struct fixture f;
    fixture(&f);
    for (int i = 2; i < CLAIMS_CASES; i++)
        assert_true(claims_case(&f.endpoint, &f.arena) == UINT64_C(1) << i);
    assert_true(claims_case(&f.endpoint, &f.arena) == 0);
    arena_fini(&f.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_claims_of_two_cases_count_shared_statements_once),
        cmocka_unit_test(test_claims_of_an_overlap_with_an_unclaimed_one_are_nothing),
        cmocka_unit_test(test_claims_of_overlapping_claimed_ones_are_their_union),
        cmocka_unit_test(test_claims_of_pipelined_statements_are_each_its_own_time),
        cmocka_unit_test(test_claims_past_the_cap_are_lost_and_counted),
        cmocka_unit_test(test_claims_case_past_the_last_bit_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
