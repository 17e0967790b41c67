#include "script_play.h"

/* What a session may hold: charged when it is taken, given back when it goes, and a session that
 * would need more is opaque while its peers are not. */

enum { ROUNDS = 300 };

static void test_charge_past_the_budget_is_refused_and_takes_nothing(void **state)
{
    (void)state;
    struct wire_budget budget = {.max = 800};
    struct wire_account a[9];
    for (unsigned i = 0; i < 9; i++)
        a[i] = (struct wire_account){.budget = &budget};
    for (unsigned i = 0; i < 8; i++)
        assert_true(wire_account_charge(&a[i], 100));
    assert_false(wire_account_charge(&a[8], 1));
    assert_true(a[8].refused);
    assert_int_equal(a[8].held, 0);
    assert_int_equal(budget.used, 800);
    wire_account_credit(&a[0], 60);
    assert_true(wire_account_charge(&a[8], 60));
    assert_int_equal(budget.used, 800);
}

static void test_charge_past_a_sessions_share_is_refused_while_the_budget_has_room(void **state)
{
    (void)state;
    struct wire_budget budget = {.max = 800};
    struct wire_account hostile = {.budget = &budget};
    struct wire_account other = {.budget = &budget};
    assert_true(wire_account_charge(&hostile, 100));
    assert_false(wire_account_charge(&hostile, 1));
    assert_true(wire_account_charge(&other, 100));
    assert_false(other.refused);
}

static void test_charge_of_any_size_does_not_overflow(void **state)
{
    (void)state;
    struct wire_budget budget = {.max = SIZE_MAX};
    struct wire_account a = {.budget = &budget};
    assert_true(wire_account_charge(&a, SIZE_MAX / WIRE_SESSION_SHARE));
    assert_false(wire_account_charge(&a, SIZE_MAX));
    budget.max = 10; /* less than is held already */
    assert_false(wire_account_charge(&a, 1));
}

/* --- what a client or server can make grow --- */

typedef void grow(struct script *s);

static void grow_queue(struct script *s)
{
    for (int i = 0; i < ROUNDS; i++)
        client_sync(s);
}

static void grow_names(struct script *s)
{
    char name[32];
    for (int i = 0; i < ROUNDS; i++) {
        snprintf(name, sizeof(name), "s%d", i);
        client_parse(s, name, "SELECT 1");
        server_bare(s, '1');
    }
}

static void grow_portals(struct script *s)
{
    char name[32];
    for (int i = 0; i < ROUNDS; i++) {
        snprintf(name, sizeof(name), "p%d", i);
        client_bind(s, name, "nobody");
        server_bare(s, '2');
    }
}

static void grow_batches(struct script *s)
{
    for (int i = 0; i < 10; i++)
        client_query(s, "a;b;c;d;e;f;g;h;i;j;k;l;m;n;o;p;q;r;s;t;u;v;w;x;y;z");
}

/* Columns of statements that stay known. */
static void grow_columns(struct script *s)
{
    char name[32];
    for (int i = 0; i < ROUNDS; i++) {
        snprintf(name, sizeof(name), "s%d", i);
        client_parse(s, name, "SELECT id FROM t");
        client_describe(s, 'S', name);
        server_bare(s, '1');
        server_id_field(s);
    }
}

static void half_a_message(struct script *s, enum wire_direction from, const char *header)
{
    static char body[WIRE_KEEP_SQL];
    memset(body, 'x', sizeof(body));
    script_raw(s, from, header, 5);
    script_raw(s, from, body, sizeof(body));
}

static void grow_half_a_query(struct script *s)
{
    half_a_message(s, WIRE_FROM_CLIENT, "Q\x3f\0\0\0");
}

static void grow_half_a_description(struct script *s)
{
    client_query(s, "SELECT 1");
    half_a_message(s, WIRE_FROM_SERVER, "T\x3f\0\0\0");
}

static grow *const growers[] = {
    grow_queue,   grow_names,        grow_portals,           grow_batches,
    grow_columns, grow_half_a_query, grow_half_a_description};
enum { GROWERS = sizeof(growers) / sizeof(growers[0]) };

/* Plays with a share of so many bytes; gives why it went opaque. Afterwards nothing is held, which
 * wire_tap_end and wire_context_fini assert. */
static enum wire_opaque_reason play_within(grow *grow_by, size_t share, enum play_mode mode,
                                           size_t *most)
{
    struct script s;
    struct played p;
    script_init(&s);
    server_startup(&s);
    grow_by(&s);
    struct player *player = malloc(sizeof(*player));
    assert_non_null(player);
    player_init(player, &p, false);
    player->ctx.budget.max = share * WIRE_SESSION_SHARE;
    player_begin(player);
    player_run(player, &s, mode, 1);
    *most = player->ctx.budget.used;
    assert_true(*most <= share);
    player_end(player, 1);
    enum wire_opaque_reason reason = played_opaque(&p);
    player_fini(player);
    played_fini(&p);
    script_fini(&s);
    return reason;
}

static void test_everything_that_grows_is_charged(void **state)
{
    (void)state;
    for (size_t i = 0; i < GROWERS; i++) {
        size_t most;
        assert_int_equal(play_within(growers[i], 1 << 20, PLAY_BYTES, &most), WIRE_OPAQUE_NONE);
        assert_true(most > 5000);
        size_t left;
        enum wire_opaque_reason reason = play_within(growers[i], most / 2, PLAY_BYTES, &left);
        bool skims = growers[i] == grow_queue || growers[i] == grow_portals;
        assert_int_equal(reason, skims ? WIRE_OPAQUE_NONE : WIRE_OPAQUE_MEMORY_CAP);
        assert_int_equal(left, 0); /* all was given back at once */
    }
}

static void test_a_refusal_at_any_point_makes_the_session_opaque_and_leaves_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < GROWERS; i++) {
        enum wire_opaque_reason reason = WIRE_OPAQUE_MEMORY_CAP;
        size_t used;
        for (size_t share = 0; share < 20000; share += 97) {
            reason = play_within(growers[i], share, PLAY_RANDOM, &used);
            assert_true(reason == WIRE_OPAQUE_NONE || reason == WIRE_OPAQUE_MEMORY_CAP);
            assert_true(reason == WIRE_OPAQUE_NONE || used == 0);
        }
    }
}

static void test_one_session_over_its_share_leaves_the_others_understood(void **state)
{
    (void)state;
    struct script hostile;
    struct script peaceful;
    struct played p;
    struct player *player = malloc(sizeof(*player));
    struct wire_tap *other = malloc(sizeof(*other));
    assert_non_null(player);
    assert_non_null(other);
    player_init(player, &p, false);
    player->ctx.budget.max = (size_t)16 * 1024 * WIRE_SESSION_SHARE;
    player_begin(player);
    struct wire_session_info nobody = {.user = span_of(NULL, 0)};
    wire_tap_begin(other, &player->ctx, PLAY_SESSION + 1, &nobody, 0);

    script_init(&hostile);
    server_startup(&hostile);
    grow_names(&hostile);
    for (size_t i = 0; i < hostile.n_steps; i++) {
        struct span bytes = span_of(hostile.bytes.data + hostile.steps[i].at, hostile.steps[i].len);
        if (hostile.steps[i].from == WIRE_FROM_CLIENT)
            wire_tap_from_client(other, bytes, 1);
        else
            wire_tap_from_server(other, bytes, 1);
    }
    assert_true(wire_tap_is_opaque(other));
    script_init(&peaceful);
    server_startup(&peaceful);
    client_query(&peaceful, "SELECT id FROM t");
    server_answers_select(&peaceful, "1", 'I');
    player_run(player, &peaceful, PLAY_WHOLE, 0);
    assert_false(wire_tap_is_opaque(&player->tap));
    struct wire_session_end end = {.now_us = 2};
    wire_tap_end(other, &end);
    player_end(player, 2);
    assert_int_equal(played_opaque(&p), WIRE_OPAQUE_MEMORY_CAP);
    assert_exchange(&p, 0, "select id from t", 'I', 'I');
    player_fini(player);
    played_fini(&p);
    script_fini(&hostile);
    script_fini(&peaceful);
    free(other);
}

static void test_a_deep_pipeline_that_was_answered_holds_no_memory(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    script_init(&s);
    server_startup(&s);
    grow_queue(&s);
    for (int i = 0; i < ROUNDS; i++)
        server_ready(&s, 'I');
    struct player *player = malloc(sizeof(*player));
    assert_non_null(player);
    player_init(player, &p, false);
    player_begin(player);
    player_run(player, &s, PLAY_WHOLE, 0);
    assert_false(wire_tap_is_opaque(&player->tap));
    assert_int_equal(player->ctx.budget.used, 0);
    player_end(player, 1);
    player_fini(player);
    played_fini(&p);
    script_fini(&s);
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_charge_past_the_budget_is_refused_and_takes_nothing),
        T(test_charge_past_a_sessions_share_is_refused_while_the_budget_has_room),
        T(test_charge_of_any_size_does_not_overflow),
        T(test_everything_that_grows_is_charged),
        T(test_a_refusal_at_any_point_makes_the_session_opaque_and_leaves_nothing),
        T(test_one_session_over_its_share_leaves_the_others_understood),
        T(test_a_deep_pipeline_that_was_answered_holds_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
