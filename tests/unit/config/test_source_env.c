#include "config_testing.h"

static void refuse(struct words environment, int result, const char *message)
{
    assert_refused(load_words(NONE_OF, environment), result, message);
}

static void test_env_variables_set_options(void **state)
{
    (void)state;
    struct loaded l = load_words(NONE_OF, WORDS("HOME=/root", "PGSLEUTH_WORKERS=3", "PGSLEUTHX=1",
                                                "PGSLEUTH_EXPLAIN_INTERVAL_MS=2s", "odd",
                                                "PGSLEUTH_UPSTREAM=postgresql+psycopg://h/d"));
    assert_loaded(&l);
    assert_int_equal(l.options.workers, 3);
    assert_int_equal(l.options.explain_interval_ms, 2000);
    assert_string_equal(l.options.upstream, "postgresql://h/d");
    cfg_options_fini(&l.options);
}

static void test_env_absent_is_empty(void **state)
{
    (void)state;
    struct cfg_input in = {.scope = CFG_RUN};
    struct loaded l;
    l.result = cfg_load(&in, &l.options, &l.err);
    assert_loaded(&l);
    assert_int_equal(l.options.positional_count, 0);
    cfg_options_fini(&l.options);
}

static void test_env_unknown_variable_is_refused_with_the_nearest(void **state)
{
    (void)state;
    refuse(WORDS("PGSLEUTH_WORKRES=3"), CFG_E_UNKNOWN,
           "PGSLEUTH_WORKRES: unknown variable; did you mean PGSLEUTH_WORKERS?");
    refuse(WORDS("PGSLEUTH_ZEBRA_CROSSING_LIGHTS=3"), CFG_E_UNKNOWN,
           "PGSLEUTH_ZEBRA_CROSSING_LIGHTS: unknown variable");
    refuse(WORDS("PGSLEUTH_upstream=x"), CFG_E_UNKNOWN, "PGSLEUTH_upstream: unknown variable");
}

static void test_env_wrong_value_is_refused(void **state)
{
    (void)state;
    refuse(WORDS("PGSLEUTH_WORKERS=two"), CFG_E_TYPE,
           "PGSLEUTH_WORKERS: \"two\" is not an integer (1..64)");
    refuse(WORDS("PGSLEUTH_WORKERS="), CFG_E_TYPE,
           "PGSLEUTH_WORKERS: \"\" is not an integer (1..64)");
    refuse(WORDS("PGSLEUTH_RING_BYTES=1"), CFG_E_RANGE,
           "PGSLEUTH_RING_BYTES: 1 is out of range 64KiB..1GiB");
    refuse(WORDS("PGSLEUTH_UPSTREAM=hunter2\n"), CFG_E_TYPE,
           "PGSLEUTH_UPSTREAM: the value has a control character in it");
}

static void test_env_kubernetes_service_links_are_passed_over(void **state)
{
    (void)state;
    struct loaded l = load_words(
        NONE_OF,
        WORDS("PGSLEUTH_SERVICE_HOST=10.0.0.1", "PGSLEUTH_SERVICE_PORT=6432",
              "PGSLEUTH_SERVICE_PORT_SQL=6432", "PGSLEUTH_PORT=tcp://10.0.0.1:6432",
              "PGSLEUTH_PORT_6432_TCP=tcp://10.0.0.1:6432", "PGSLEUTH_PORT_6432_TCP_ADDR=10.0.0.1",
              "PGSLEUTH_ADMIN_SERVICE_HOST=10.0.0.2", "PGSLEUTH_ADMIN_PORT=tcp://10.0.0.2:80"));
    assert_loaded(&l);
    cfg_options_fini(&l.options);
    refuse(WORDS("PGSLEUTH_PORT=6432"), CFG_E_UNKNOWN,
           "PGSLEUTH_PORT: unknown variable; did you mean PGSLEUTH_HTTP?");
    refuse(WORDS("PGSLEUTH_ZEBRA=_PORT=tcp://"), CFG_E_UNKNOWN, "PGSLEUTH_ZEBRA: unknown variable");
}

static void test_database_url_is_the_fallback_of_upstream_alone(void **state)
{
    (void)state;
    struct loaded l = load_words(NONE_OF, WORDS("DATABASE_URL=postgres://u:p@h/d"));
    assert_loaded(&l);
    assert_string_equal(l.options.upstream, "postgresql://u:p@h/d");
    assert_int_equal(l.options.origins[CFG_ID_upstream].kind, CFG_FROM_DATABASE_URL);
    assert_string_equal(l.options.explain_dsn, "");
    cfg_options_fini(&l.options);
}

static void test_database_url_empty_or_unused_is_not_looked_at(void **state)
{
    (void)state;
    struct loaded l = load_words(NONE_OF, WORDS("DATABASE_URL="));
    assert_loaded(&l);
    assert_int_equal(l.options.origins[CFG_ID_upstream].kind, CFG_FROM_DEFAULT);
    cfg_options_fini(&l.options);
    l = load_words(WORDS("-u", "postgresql://h"), WORDS("DATABASE_URL=hunter2\n"));
    assert_loaded(&l);
    cfg_options_fini(&l.options);
    refuse(WORDS("DATABASE_URL=hunter2\n"), CFG_E_TYPE,
           "DATABASE_URL: the value has a control character in it");
}

static void assert_upstream(struct words environment, const char *expected,
                            enum cfg_origin_kind kind)
{
    struct loaded l = load_words(NONE_OF, environment);
    assert_loaded(&l);
    assert_string_equal(l.options.upstream, expected);
    assert_int_equal(l.options.origins[CFG_ID_upstream].kind, kind);
    cfg_options_fini(&l.options);
}

static void test_pg_variables_make_the_upstream_when_there_is_no_url(void **state)
{
    (void)state;
    assert_upstream(WORDS("PGHOST=db"), "postgresql://db", CFG_FROM_PG_VARIABLES);
    assert_upstream(WORDS("PGHOST=/run/pg", "PGPORT=5433", "PGUSER=a@b", "PGPASSWORD=p w",
                          "PGDATABASE=shop", "PGSSLMODE=require"),
                    "postgresql://a%40b:p%20w@%2Frun%2Fpg:5433/shop?sslmode=require",
                    CFG_FROM_PG_VARIABLES);
    assert_upstream(WORDS("PGUSER=u", "PGPORT=5433"), "", CFG_FROM_DEFAULT);
    assert_upstream(WORDS("PGHOST=db", "DATABASE_URL=postgresql://other"), "postgresql://other",
                    CFG_FROM_DATABASE_URL);
    assert_upstream(WORDS("PGHOST=db", "PGSLEUTH_UPSTREAM=postgresql://other"),
                    "postgresql://other", CFG_FROM_ENVIRONMENT);
}

static void test_database_url_loses_what_is_the_drivers_alone(void **state)
{
    (void)state;
    assert_upstream(WORDS("DATABASE_URL=postgresql+asyncpg://u:p@h/d?ssl=require&prepared_statement"
                          "_cache_size=0&application_name=a#x"),
                    "postgresql://u:p@h/d?sslmode=require&application_name=a",
                    CFG_FROM_DATABASE_URL);
    assert_upstream(WORDS("DATABASE_URL=psql://h/d?conn_max_age=600"), "postgresql://h/d",
                    CFG_FROM_DATABASE_URL);
    assert_upstream(WORDS("DATABASE_URL=postgresql://h/d?ssl=true"),
                    "postgresql://h/d?sslmode=require", CFG_FROM_DATABASE_URL);
    assert_upstream(WORDS("DATABASE_URL=postgresql://h/d?ssl=0"),
                    "postgresql://h/d?sslmode=disable", CFG_FROM_DATABASE_URL);
    assert_upstream(WORDS("DATABASE_URL=sqlite:///x?ssl=1"), "sqlite:///x?ssl=1",
                    CFG_FROM_DATABASE_URL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_env_variables_set_options),
        cmocka_unit_test(test_env_absent_is_empty),
        cmocka_unit_test(test_env_unknown_variable_is_refused_with_the_nearest),
        cmocka_unit_test(test_env_wrong_value_is_refused),
        cmocka_unit_test(test_env_kubernetes_service_links_are_passed_over),
        cmocka_unit_test(test_database_url_is_the_fallback_of_upstream_alone),
        cmocka_unit_test(test_database_url_empty_or_unused_is_not_looked_at),
        cmocka_unit_test(test_database_url_loses_what_is_the_drivers_alone),
        cmocka_unit_test(test_pg_variables_make_the_upstream_when_there_is_no_url),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
