#include "cmocka_all.h"
#include "failing_memory.h"
#include "proxy/reserve.h"

#include <stdlib.h>
#include <string.h>

static void *malloc_without_memory(size_t size)
{
    memory_fail_at(1);
    void *p = reserve_malloc(size);
    assert_true(memory_well());
    return p;
}

static void test_reserve_is_not_touched_while_there_is_memory(void **state)
{
    (void)state;
    void *p = reserve_malloc(100);
    assert_non_null(p);
    p = reserve_realloc(p, 5000);
    assert_non_null(p);
    assert_false(reserve_is_in_use());
    reserve_free(p);
    reserve_free(NULL);
}

static void test_reserve_gives_pieces_until_all_are_taken_and_takes_them_back(void **state)
{
    (void)state;
    static char *pieces[RESERVE_PIECES];
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < RESERVE_PIECES; i++) {
            pieces[i] = malloc_without_memory(RESERVE_PIECE_BYTES);
            assert_non_null(pieces[i]);
            assert_int_equal((size_t)pieces[i] % _Alignof(max_align_t), 0);
            memset(pieces[i], (int)i, RESERVE_PIECE_BYTES);
        }
        assert_null(malloc_without_memory(1));
        for (size_t i = 0; i < RESERVE_PIECES; i++) {
            assert_int_equal((unsigned char)pieces[i][RESERVE_PIECE_BYTES - 1], i & 0xff);
            assert_true(reserve_is_in_use());
            reserve_free(pieces[i]);
        }
        assert_false(reserve_is_in_use());
    }
}

static void test_reserve_has_nothing_larger_than_a_piece(void **state)
{
    (void)state;
    assert_null(malloc_without_memory(RESERVE_PIECE_BYTES + 1));
    assert_false(reserve_is_in_use());
}

static void test_reserve_piece_moves_when_it_outgrows_its_place(void **state)
{
    (void)state;
    char *p = malloc_without_memory(8);
    assert_non_null(p);
    memcpy(p, "content", 8);
    assert_ptr_equal(reserve_realloc(p, RESERVE_PIECE_BYTES), p);
    memory_fail_at(1);
    assert_null(reserve_realloc(p, 4096));
    (void)memory_well();
    assert_string_equal(p, "content");
    p = reserve_realloc(p, 4096);
    assert_string_equal(p, "content");
    assert_false(reserve_is_in_use());
    reserve_free(p);
}

static void test_reserve_of_realloc_is_for_what_is_new(void **state)
{
    (void)state;
    memory_fail_at(1);
    void *p = reserve_realloc(NULL, 8);
    (void)memory_well();
    assert_non_null(p);
    assert_true(reserve_is_in_use());
    reserve_free(p);
    p = reserve_malloc(8);
    memory_fail_at(1);
    assert_null(reserve_realloc(p, 64));
    (void)memory_well();
    assert_false(reserve_is_in_use());
    reserve_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reserve_is_not_touched_while_there_is_memory),
        cmocka_unit_test(test_reserve_gives_pieces_until_all_are_taken_and_takes_them_back),
        cmocka_unit_test(test_reserve_has_nothing_larger_than_a_piece),
        cmocka_unit_test(test_reserve_piece_moves_when_it_outgrows_its_place),
        cmocka_unit_test(test_reserve_of_realloc_is_for_what_is_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
