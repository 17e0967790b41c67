#include "cmocka_all.h"

#include "common/bulk_hash.h"
#include "common/bulk_hash_avx2.h"
#include "common/pool.h"

#include "random.h"

enum { BYTES = 5000 };

typedef void add_bytes(struct bulk_hash *h, const void *bytes, size_t len);

/* In pieces of up to `most` bytes, from an exact copy of each, so that the sanitizer sees a byte
 * too many. */
static uint64_t hash_in_pieces(add_bytes *add, const uint8_t *bytes, size_t len, unsigned most)
{
    struct pool pool;
    pool_init(&pool, sizeof(struct bulk_hash), 0, 1);
    struct bulk_hash *h = pool_get(&pool);
    assert_non_null(h);
    assert_int_equal((uintptr_t)h % 64, 0);
    uint64_t seed = len + most;
    bulk_hash_init(h, 42);
    for (size_t at = 0; at < len;) {
        size_t n = 1 + random_below(&seed, most);
        n = n < len - at ? n : len - at;
        uint8_t *piece = malloc(n);
        assert_non_null(piece);
        memcpy(piece, bytes + at, n);
        add(h, piece, n);
        free(piece);
        at += n;
    }
    uint64_t value = bulk_hash_value(h);
    pool_put(&pool, h);
    pool_fini(&pool);
    return value;
}

static void test_bulk_hash_is_that_of_the_whole_however_it_is_cut(void **state)
{
    (void)state;
    static uint8_t bytes[BYTES];
    uint64_t seed = 7;
    for (size_t i = 0; i < BYTES; i++)
        bytes[i] = (uint8_t)random_next(&seed);
    for (size_t len = 0; len <= BYTES; len += len < 600 ? 1 : 397) {
        uint64_t whole = XXH3_64bits_withSeed(bytes, len, 42);
        assert_true(hash_in_pieces(bulk_hash_add, bytes, len, BYTES) == whole);
        assert_true(hash_in_pieces(bulk_hash_add, bytes, len, 40) == whole);
        if (bulk_hash_has_avx2())
            assert_true(hash_in_pieces(bulk_hash_add_avx2, bytes, len, 300) == whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bulk_hash_is_that_of_the_whole_however_it_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
