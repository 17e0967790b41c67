#include "cmocka_all.h"
#include "proxy/admin_metrics.h"
#include "report/sample_result.h"

#include <stdio.h>
#include <stdlib.h>

/* Endpoints with one statement each, that took the times given. */
struct many {
    struct result result;
    struct endpoint endpoints[ADMIN_MAX_ROUTES * 2];
    struct usage usages[ADMIN_MAX_ROUTES * 2];
    struct endpoint_result results[ADMIN_MAX_ROUTES * 2];
    char routes[ADMIN_MAX_ROUTES * 2][16];
};

static void add(struct many *m, const char *method, const char *route, uint64_t us)
{
    size_t i = m->result.n_endpoints++;
    m->endpoints[i] = (struct endpoint){
        .method = method, .route = route, .name = "SELECT secret FROM t", .usages = &m->usages[i]};
    histogram_add(&m->usages[i].time_us, &sample_arena, us);
    m->results[i].endpoint = &m->endpoints[i];
    m->result.endpoints = m->results;
}

static struct many *many_new(void)
{
    struct many *m = calloc(1, sizeof(*m));
    assert_non_null(m);
    return m;
}

static char *metrics_of(struct many *m)
{
    struct strbuf out;
    struct admin_figures figures = {.uptime_us = 1234567, .sessions_open = 2, .dropped = 3};
    strbuf_init(&out, 1 << 24);
    assert_int_equal(admin_metrics(&m->result, &figures, &out), 0);
    free(m);
    char *text = strbuf_take(&out);
    assert_non_null(text);
    return text;
}

static size_t count(const char *text, const char *word)
{
    size_t n = 0;
    while ((text = strstr(text, word)) != NULL) {
        text++;
        n++;
    }
    return n;
}

#define DB      "db_client_operation_duration_seconds"
#define LABELS  "{db_system_name=\"postgresql\",http_request_method=\"GET\",http_route=\"/a\""
#define UNNAMED "{db_system_name=\"postgresql\",http_request_method=\"\",http_route=\"unnamed\""

static void test_metrics_end_and_have_each_family_once(void **state)
{
    (void)state;
    char *text = metrics_of(many_new());
#define ADMIN_METRIC(id, name, type, unit, help)                                                   \
    assert_int_equal(count(text, "# TYPE " name " " type "\n"), 1);                                \
    assert_int_equal(count(text, "# HELP " name " " help "\n"), 1);
#include "proxy/admin_metrics.def"
#undef ADMIN_METRIC
    assert_string_equal(text + strlen(text) - 7, "\n# EOF\n");
    assert_non_null(strstr(text, "\npgsleuth_uptime_seconds 1.234\n"));
    assert_non_null(strstr(text, "\npgsleuth_records_dropped_total 3\n"));
    free(text);
}

static void test_metrics_histogram_is_cumulative_with_the_buckets_of_opentelemetry(void **state)
{
    (void)state;
    struct many *m = many_new();
    add(m, "GET", "/a", 900);
    add(m, "GET", "/a", 300000);
    add(m, "GET", "/a", 20000000);
    char *text = metrics_of(m);
    static const char *const lines[] = {
        DB "_bucket" LABELS ",le=\"0.001\"} 1\n", DB "_bucket" LABELS ",le=\"0.1\"} 1\n",
        DB "_bucket" LABELS ",le=\"0.5\"} 2\n",   DB "_bucket" LABELS ",le=\"10.0\"} 2\n",
        DB "_bucket" LABELS ",le=\"+Inf\"} 3\n",  DB "_count" LABELS "} 3\n",
        DB "_sum" LABELS "} 20.300900\n",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        assert_int_equal(count(text, lines[i]), 1);
    assert_int_equal(count(text, DB "_bucket"), 10);
    free(text);
}

static void test_metrics_endpoint_named_by_statements_has_no_label_of_them(void **state)
{
    (void)state;
    struct many *m = many_new();
    add(m, NULL, NULL, 5);
    add(m, NULL, NULL, 5);
    char *text = metrics_of(m);
    assert_null(strstr(text, "SELECT"));
    assert_int_equal(count(text, DB "_count" UNNAMED "} 2\n"), 1);
    free(text);
}

static void test_metrics_label_is_escaped(void **state)
{
    (void)state;
    struct many *m = many_new();
    add(m, "GET", "/a\"b\\c\nd\xff", 5);
    char *text = metrics_of(m);
    assert_non_null(strstr(text, "http_route=\"/a\\\"b\\\\c\\nd\xef\xbf\xbd\"} 1\n"));
    free(text);
}

static void test_metrics_routes_past_the_most_share_one_series(void **state)
{
    (void)state;
    struct many *m = many_new();
    for (size_t i = 0; i < ADMIN_MAX_ROUTES + 50; i++) {
        snprintf(m->routes[i], sizeof(m->routes[i]), "/r%zu", i);
        add(m, "GET", i == ADMIN_MAX_ROUTES + 1 ? "other" : m->routes[i], 5);
    }
    char *text = metrics_of(m);
    assert_int_equal(count(text, DB "_count{"), ADMIN_MAX_ROUTES + 1);
    assert_non_null(strstr(text, "http_request_method=\"\",http_route=\"other\"} 50\n"));
    assert_non_null(strstr(text, "http_route=\"/r199\"} 1\n"));
    assert_null(strstr(text, "http_route=\"/r200\""));
    free(text);
}

static void test_metrics_of_hostile_endpoints_stay_lines(void **state)
{
    (void)state;
    struct sample *s = calloc(1, sizeof(*s));
    struct strbuf out;
    struct admin_figures figures = {.draining = true};
    assert_non_null(s);
    strbuf_init(&out, 1 << 24);
    assert_int_equal(admin_metrics(sample_result(s), &figures, &out), 0);
    for (const char *line = strbuf_text(&out); *line != '\0'; line = strchr(line, '\n') + 1)
        assert_true(line[0] == '#' || strncmp(line, "pgsleuth_", 9) == 0 ||
                    strncmp(line, "db_client_", 10) == 0 || strncmp(line, "http_server_", 12) == 0);
    assert_null(strchr(strbuf_text(&out), '\x1b'));
    strbuf_fini(&out);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metrics_end_and_have_each_family_once),
        cmocka_unit_test(test_metrics_histogram_is_cumulative_with_the_buckets_of_opentelemetry),
        cmocka_unit_test(test_metrics_endpoint_named_by_statements_has_no_label_of_them),
        cmocka_unit_test(test_metrics_label_is_escaped),
        cmocka_unit_test(test_metrics_routes_past_the_most_share_one_series),
        cmocka_unit_test(test_metrics_of_hostile_endpoints_stay_lines),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_fini(&sample_arena);
    return failed;
}
