/* Requests that stand still while another one blocks the loop, and those that wait for good
 * reasons. */
#include "http_traffic.h"

static const struct http quick = {.route = "/quick"};
static const struct http blocking = {.route = "/blocking"};

static const struct finding *found(struct traffic *t)
{
    struct record_mark *mark = (void *)t->out.bytes;
    traffic_wait(t, 5000);
    mark->time_us = t->now_us;
    traffic_send(t, RECORD_MARK, sizeof(*mark), 0);
    return traffic_finding(traffic_result(t), "loop_stall");
}

static void end_at_once(struct traffic *t, uint64_t id, int64_t start_us, struct http about)
{
    about.first_us = (uint32_t)(t->now_us - start_us);
    http_end_request(t, id, start_us, &about);
}

/* What the route takes when nothing is in its way: 2 ms. */
static struct traffic *usual(void)
{
    struct traffic *t = traffic_new();
    for (int i = 0; i < 40; i++) {
        int64_t start_us = t->now_us;
        uint64_t id = http_begin_request(t, &quick);
        traffic_wait(t, 2);
        end_at_once(t, id, start_us, quick);
        traffic_wait(t, 50);
    }
    return t;
}

struct stall {
    struct http other;   /* in flight all the time */
    int64_t before_ms;   /* it began so long before the victim */
    int64_t still_ms;    /* nothing happens */
    const char *query;   /* a statement that comes in the middle of it; or NULL */
    uint32_t query_us;   /* or is under way from its begin on */
    bool another_answer; /* a third request is answered in the middle */
};

/* A victim comes while `other` is in flight; both are answered at the end. */
static void stall(struct traffic *t, const struct stall *s)
{
    int64_t other_start_us = t->now_us;
    uint64_t other = http_begin_request(t, &s->other);
    traffic_wait(t, s->before_ms);
    int64_t start_us = t->now_us;
    uint64_t victim = http_begin_request(t, &quick);
    traffic_wait(t, s->still_ms / 2);
    if (s->query != NULL) {
        uint32_t before_us = t->query_us;
        t->session = 3;
        t->query_us = s->query_us != 0 ? s->query_us : before_us;
        t->now_us -= s->query_us;
        traffic_by_id(t, s->query, 1, 1);
        t->query_us = before_us;
    }
    if (s->another_answer) {
        uint64_t third = http_begin_request(t, &quick);
        traffic_wait(t, 2);
        end_at_once(t, third, t->now_us - 2000, quick);
    }
    t->now_us = start_us + s->still_ms * 1000;
    end_at_once(t, other, other_start_us, s->other);
    traffic_wait(t, 1);
    end_at_once(t, victim, start_us, quick);
    traffic_wait(t, 300);
}

static void stalls(struct traffic *t, int n, const struct stall *s)
{
    for (int i = 0; i < n; i++)
        stall(t, s);
}

static void test_request_that_keeps_others_waiting_is_told(void **state)
{
    (void)state;
    struct traffic *t = usual();
    stalls(t, 5, &(struct stall){.other = blocking, .before_ms = 5, .still_ms = 300});
    const struct finding *f = found(t);
    assert_non_null(f);
    assert_string_equal(f->endpoint->name, "GET /blocking");
    assert_int_equal(f->severity, SEVERITY_HIGH);
    assert_non_null(strstr(f->impact, "5 times no other request was served"));
    assert_non_null(strstr(f->sqlalchemy, "to_thread"));
    assert_int_equal(traffic_result(t)->checklist[36 - 1].verdict, VERDICT_FAIL);
    traffic_free(t);
}

static void expect_none(int n, const struct stall *s)
{
    struct traffic *t = usual();
    stalls(t, n, s);
    assert_null(found(t));
    traffic_free(t);
}

static void test_what_is_no_stall_is_none(void **state)
{
    (void)state;
    struct stall s = {.other = blocking, .before_ms = 5, .still_ms = 300};
    expect_none(2, &s); /* once is chance */
    s.still_ms = 60;
    expect_none(5, &s); /* a busy machine does that */
    s.still_ms = 180;   /* each half of it is too short */
    s.another_answer = true;
    expect_none(5, &s); /* the loop goes on: the victim waits for something else */
    s.another_answer = false;
    s.query = "SELECT title FROM books WHERE id = $1";
    expect_none(5, &s); /* somebody works */
    s.still_ms = 300;
    s.query_us = 200000;
    expect_none(5, &s); /* the database does */
}

static void test_request_that_is_quick_at_times_is_not_blamed(void **state)
{
    (void)state;
    struct traffic *t = usual();
    for (int i = 0; i < 40; i++) {
        int64_t start_us = t->now_us;
        uint64_t id = http_begin_request(t, &blocking);
        traffic_wait(t, 3);
        end_at_once(t, id, start_us, blocking);
    }
    stalls(t, 5, &(struct stall){.other = blocking, .before_ms = 5, .still_ms = 300});
    assert_null(found(t));
    traffic_free(t);
}

static void test_nobody_is_blamed_where_two_may_be(void **state)
{
    (void)state;
    struct traffic *t = usual();
    const struct http second = {.route = "/second"};
    for (int i = 0; i < 5; i++) {
        int64_t start_us = t->now_us;
        uint64_t id = http_begin_request(t, &second);
        traffic_wait(t, 1);
        stall(t, &(struct stall){.other = blocking, .before_ms = 5, .still_ms = 300});
        end_at_once(t, id, start_us, second);
        traffic_wait(t, 50);
    }
    assert_null(found(t));
    traffic_free(t);
}

static void test_route_that_is_always_slow_is_no_victim(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    for (int i = 0; i < 30; i++) {
        int64_t start_us = t->now_us;
        uint64_t id = http_begin_request(t, &quick);
        traffic_wait(t, 200);
        end_at_once(t, id, start_us, quick);
    }
    stalls(t, 5, &(struct stall){.other = blocking, .before_ms = 5, .still_ms = 300});
    assert_null(found(t));
    traffic_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_that_keeps_others_waiting_is_told),
        cmocka_unit_test(test_what_is_no_stall_is_none),
        cmocka_unit_test(test_request_that_is_quick_at_times_is_not_blamed),
        cmocka_unit_test(test_nobody_is_blamed_where_two_may_be),
        cmocka_unit_test(test_route_that_is_always_slow_is_no_victim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
