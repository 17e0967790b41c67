#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guard.h"
#include "wire/sql_comment.h"
#include "wire/sql_lexer.h"

#include <stdio.h>

#define N(array) (sizeof(array) / sizeof((array)[0]))

enum { TEXT_SIZE = 4096 };

#define TRACE "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

/* The tag as "key=value" lines joined by '|', "trace" at the end when there is one. */
static const char *describe(const struct sql_tag *tag)
{
    static char out[TEXT_SIZE];
    size_t n = 0;
    out[0] = '\0';
    for (unsigned k = 0; k < SQL_TAG_COUNT; k++) {
        struct span v = sql_tag_value(tag, (enum sql_tag_key)k);
        if (v.len > 0)
            n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%s=%.*s", n > 0 ? "|" : "",
                                  sql_tag_key_name((enum sql_tag_key)k), (int)v.len,
                                  (const char *)v.data);
    }
    if (tag->trace != 0)
        snprintf(out + n, sizeof(out) - n, "%strace", n > 0 ? "|" : "");
    return out;
}

static const struct {
    const char *body;
    const char *tag;
} bodies[] = {
    {"", ""},
    {"route='/x'", "route=/x"},
    {" route = '/x' ", "route=/x"},
    {"route='%2Fx',controller='c'", "route=/x|controller=c"},
    {"route='%%2Fx%%20y'", "route=/x y"},
    {"route='%2fx'", "route=/x"},
    {"controller='100%'", "controller=100%"},
    {"controller='%zz%%zz%'", "controller=%zz%%zz%"},
    {"controller='%252F'", "controller=%2F"},
    {"controller='a+b'", "controller=a+b"},
    {"controller='it\\'s'", "controller=it's"},
    {"controller='a\\b'", "controller=a\\b"},
    {"controller='a%00%0Ab%7F'", "controller=ab"},
    {"controller='%ff'", "controller=?"},
    {"controller='caf%C3%A9'", "controller=caf\xc3\xa9"},
    {"controller='%ED%A0%80'", "controller=???"},
    {"route=''", ""},
    {"code.lineno=12", "code.line.number=12"},
    {"line=12,file='a.py',func='f'",
     "code.file.path=a.py|code.line.number=12|code.function.name=f"},
    {"code.file.path='a.py',code.function='f'", "code.file.path=a.py|code.function.name=f"},
    {"http.route='/x',http.request.method='GET'", "route=/x|method=GET"},
    {"http%2Eroute='/x'", "route=/x"},
    {"app_name='a',db_framework='b'", "application=a|framework=b"},
    {"service.name='s'", "application=s"},
    {"route='/1',route='/2',http.route='/3'", "route=/1"},
    {"route='/x',", "route=/x"},
    {"route='/x',unknown='y',n=1", "route=/x"},
    {"route='/x,y',controller='c'", "route=/x,y|controller=c"},
    {"controller:c,action:show", "controller=c|action=show"},
    {" controller: c , action : show ", "controller=c|action=show"},
    {"route:/a%2Fb", "route=/a%2Fb"},
    {"line:/app/x.rb:12:in 'f'", "code.line.number=/app/x.rb:12:in 'f'"},
    {"controller:", ""},
    /* pairs with spaces between them */
    {"view_name=shop.views.books route=books/<int:pk>/",
     "route=/books/{pk}/|controller=shop.views.books"},
    {" user_id=17 route=/x ", "route=/x"},
    {"route=/x user_id=a b c", "route=/x"},
    {"route=/x  controller=c,action=a", "route=/x|controller=c|action=a"},
    {"route=/x controller", "route=/x controller"},
    {"controller:c d=e", "controller=c d=e"},
    {"view_name=v route=^x/(?P<y>[a-z]{2,3})/$", "route=/x/{y}/|controller=v"},
    {"line=1, action = a", "action=a|code.line.number=1"},
    {"line=1 ,action:a", "action=a|code.line.number=1"},
    {"line=1, ", "code.line.number=1"},
    {"line=1,2", "code.line.number=1,2"},
    /* methods under another name */
    {"action='GET',route='/x'", "route=/x|method=GET"},
    {"action='get',route='/x'", "route=/x|action=get"},
    {"method='PUT',action='GET'", "method=PUT"},
    /* what is no request */
    {"task='shop.nightly',taskid='17'", "action=shop.nightly"},
    {"command='import'", "action=import"},
    {"application:Shop,job:ImportJob", "action=ImportJob|application=Shop"},
    {"celery_task='shop.nightly'", "action=shop.nightly"},
    /* the front page */
    {"controller='front',framework='django:5.2',route=''",
     "route=/|controller=front|framework=django:5.2"},
    {"route='',framework='django:5.2'", "route=/|framework=django:5.2"},
    {"framework='flask:3.1',route=''", "framework=flask:3.1"},
    {"framework='django:5.2'", "framework=django:5.2"},
    {"framework='django:5.2',route='',http.route='/x'", "route=/x|framework=django:5.2"},
    /* places */
    {"callsite='shop/views.py:118',route='/x'",
     "route=/x|code.file.path=shop/views.py|code.line.number=118"},
    {"callsite='shop/views.py%3A118'", "code.file.path=shop/views.py|code.line.number=118"},
    {"callsite='C:/shop.py:1'", "code.file.path=C:/shop.py|code.line.number=1"},
    {"callsite='shop/views.py'", ""},
    {"callsite='shop/views.py:'", ""},
    {"callsite=':118'", ""},
    {"callsite='118'", ""},
    {"callsite=''", ""},
    {"file='a.py',line=1,callsite='b.py:2'", "code.file.path=a.py|code.line.number=1"},
    {" shop/views.py:12 ", "code.file.path=shop/views.py|code.line.number=12"},
    {"views.py:12", "code.file.path=views.py|code.line.number=12"},
    {"T=pay shop/a.py:19 |> shop/b.py:20", "code.file.path=shop/b.py|code.line.number=20"},
    {"a.py:1 |>", ""},
    {"T=pay", ""},
    {"a.py:1 says b.py:2", ""},
    {"see a.py:1", ""},
    {"127.0.0.1:5432", ""},
    {".py:1", ""},
    {"a.py:1x", ""},
    /* not tags */
    {"select something", ""},
    {"see http://x.y/?route=/z", ""},
    {"to fix, route: x", ""},
    {"route='/x' and more", ""},
    {"route='/x", ""},
    {"='x'", ""},
    {"route", ""},
    {"route='/x',oops", ""},
    {"+ Leading(a b) route='/x'", ""},
    {"Route='/x'", ""},
    /* several in one span */
    {"application:BCX,action:show*/ /*foo", "action=show|application=BCX"},
    {"route='/x'*/ /*controller='c'", "route=/x|controller=c"},
    {"route='/x'*//*route='/y',action='a'", "route=/x|action=a"},
    {"note /*route='/x'*/ more", "route=/x"},
    {"+ hint */ /*route='/x'", "route=/x"},
    {"*/", ""},
    {"/*/*", ""},
    /* traces */
    {"traceparent='" TRACE "'", "trace"},
    {"traceparent='00-000000000000000000000000deadbeef-000000000000beef-00'", "trace"},
    {"traceparent='00-00000000000000000000000000000000-00f067aa0ba902b7-01'", ""},
    {"traceparent='00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01'", ""},
    {"traceparent='ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'", ""},
    {"traceparent='" TRACE "-more'", ""},
    {"traceparent='01"
     "-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more'",
     "trace"},
    {"traceparent='00-xbf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'", ""},
    {"traceparent='00-4bf9'", ""},
    {"traceparent='%%2Atraceparent%%3D%%2700-4bf9-00'", ""},
};

static void test_bodies_give_their_tags(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(bodies); i++) {
        struct sql_tag tag;
        sql_tag_init(&tag);
        struct span copy = guard_copy(span_of_text(bodies[i].body));
        unsigned added = sql_tag_read(&tag, copy);
        guard_free(copy);
        if (strcmp(describe(&tag), bodies[i].tag) != 0)
            fail_msg("%s\n gives \"%s\"\n not   \"%s\"", bodies[i].body, describe(&tag),
                     bodies[i].tag);
        unsigned expected = 0;
        for (const char *p = bodies[i].tag; *p != '\0'; p++)
            expected += *p == '|' ? 1U : 0U;
        assert_int_equal(added, bodies[i].tag[0] == '\0' ? 0 : expected + 1);
        assert_int_equal(sql_tag_id(&tag) == 0,
                         bodies[i].tag[0] == '\0' || strcmp(bodies[i].tag, "trace") == 0);
    }
}

/* Texts as the projects' own tests and documents have them (google/sqlcommenter, OpenTelemetry,
 * marginalia), through the lexer. */
static const struct {
    const char *sql;
    const char *display;
    const char *tag;
} published[] = {
    {"Select 1 /*foo='bar%%2Cbaz'*/;", "select ?", ""},
    {"Select 1 /*a='%%2A/abc'*/", "select ?", ""},
    {"SELECT 1 /*controller='c',framework='flask',route='/'*/;", "select ?",
     "route=/|controller=c|framework=flask"},
    {"SELECT 1 /*dbapi_threadsafety=2*/;", "select ?", ""},
    {"SELECT 1 /*libpq_version=140001*/;", "select ?", ""},
    {"SELECT 1 /*db_driver='psycopg2%%3A2.9.9%%20%%28dt%%20dec%%20pq3%%20ext%%20lo64%%29'*/;",
     "select ?", ""},
    {"SELECT 1 /*db_framework='sqlalchemy%%3A1.3.4'*/;", "select ?", "framework=sqlalchemy:1.3.4"},
    {"SELECT 1 "
     "/*traceparent='00-000000000000000000000000deadbeef-000000000000beef-00',tracestate='some_key%"
     "%3Dsome_value'*/;",
     "select ?", "trace"},
    {"SELECT 1 "
     "/*app_name='app_urls',controller='app_urls%%3Aapp-path',framework='django%%3A4.2',route='app-"
     "urls/app-path/'*/",
     "select ?",
     "route=/app-urls/app-path/"
     "|controller=app_urls:app-path|application=app_urls|framework=django:4.2"},
    {"SELECT \"polls_question\".\"id\" "
     "/*controller='index',framework='django%3A2.2.1',route='%5Epolls/%24'*/",
     "select \"polls_question\".\"id\"", "route=/polls/|controller=index|framework=django:2.2.1"},
    {"Select 1 "
     "/*app_name='app',controller='view',route='route',traceparent='%%2Atraceparent%%3D%%2700-"
     "000000000000000000000000deadbeef-000000000000beef-00'*/",
     "select ?", "route=/route|controller=view|application=app"},
    {" /*app_name='app',controller='view',route='route'*/", "",
     "route=/route|controller=view|application=app"},
    {"Select 1 "
     "/*db_driver='psycopg2%%3Afoobar',dbapi_level='123',dbapi_threadsafety='123',driver_"
     "paramstyle='test',libpq_version='foobaz',traceparent='" TRACE "'*/",
     "select ?", "trace"},
    {"SELECT  1 /*db_driver='psycopg2',traceparent='" TRACE "'*/;", "select ?", "trace"},
    {"SELECT 1 /*db_driver='psycopg2',flask=1,traceparent='" TRACE "'*/", "select ?", "trace"},
    {"SELECT 1 /*controller='x',framework='flask%3A3.0',route='/x/%3Cint:id%3E'*/", "select ?",
     "route=/x/{id}|controller=x|framework=flask:3.0"},
    {"SELECT * FROM songs /*traceparent='" TRACE
     "',tracestate='congo%3Dt61rcWkgMzE%2Crojo%3D00f067aa0ba902b7'*/",
     "select * from songs", "trace"},
    {"SELECT * FROM songs /*service.name='shoppingcart'*/", "select * from songs",
     "application=shoppingcart"},
    {"SELECT a FROM t LIMIT 20; "
     "/*client_timezone='%2B00%3A00',db_driver='sequelize%3A6.3.3',route='%2F',traceparent='" TRACE
     "'*/",
     "select a from t limit ?", "route=/|trace"},
    {"SELECT 1 /*action='run+this+%26+that'*/", "select ?", "action=run+this+&+that"},
    {"SELECT a FROM t LIMIT 1 /*application:BCX,controller:project_imports,action:show*/ /*foo*/",
     "select a from t limit ?", "controller=project_imports|action=show|application=BCX"},
    {"/*application:BCX,controller:project_imports,action:show*/ SELECT a FROM t",
     "select a from t", "controller=project_imports|action=show|application=BCX"},
    {"/*dddbs='x',dde='prod',ddps='svc',ddpv='1.2',traceparent='" TRACE "'*/ SELECT 1", "select ?",
     "trace"},
    {"/*action='GET',callsite='shop/views.py:118',controller='shop:cart',route='cart/<int:pk>/'*/ "
     "SELECT 1",
     "select ?",
     "route=/cart/{pk}/|method=GET|controller=shop:cart|code.file.path=shop/views.py|code.line."
     "number=118"},
    {"/* view_name=shop.books route=books/<int:pk>/ */\nSELECT 1", "select ?",
     "route=/books/{pk}/|controller=shop.books"},
    {"/* ta/m/c/example.py:12 |> ta/m/c/example.py:13 */ SELECT 1", "select ?",
     "code.file.path=ta/m/c/example.py|code.line.number=13"},
    {"SELECT 1 -- note /*route='/x'*/", "select ?", "route=/x"},
    {"/*+ IndexScan(t) */ SELECT 1 /*route='/x'*/", "select ?", "route=/x"},
    {"SELECT 1 /*controller='view'*/ /*db_driver='psycopg',traceparent='" TRACE "'*/", "select ?",
     "controller=view|trace"},
};

static void read_statement(const char *sql, struct sql_tag *tag, char *display, size_t size)
{
    char text[TEXT_SIZE];
    char kinds[64];
    struct sql_masked out = {text, sizeof(text), kinds, sizeof(kinds)};
    struct sql_scan scan;
    sql_scan(span_of_text(sql), 0, (struct sql_dialect){true}, out, &scan);
    sql_display(span_of(text, scan.text_len), display, size);
    sql_tag_init(tag);
    sql_tag_read(tag, scan.last_comment);
    sql_tag_read(tag, scan.first_comment);
}

static void test_published_texts_give_their_tags(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(published); i++) {
        char display[TEXT_SIZE];
        struct sql_tag tag;
        read_statement(published[i].sql, &tag, display, sizeof(display));
        assert_string_equal(display, published[i].display);
        if (strcmp(describe(&tag), published[i].tag) != 0)
            fail_msg("%s\n gives \"%s\"", published[i].sql, describe(&tag));
    }
}

static void test_every_prefix_of_a_body_is_read_in_bounds(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(bodies); i++) {
        struct span body = span_of_text(bodies[i].body);
        for (size_t len = 0; len <= body.len; len++) {
            struct span copy = guard_copy(span_head(body, len));
            struct sql_tag tag;
            sql_tag_init(&tag);
            sql_tag_read(&tag, copy);
            guard_free(copy);
        }
    }
}

static void test_long_value_is_cut_between_characters(void **state)
{
    (void)state;
    char body[2048];
    struct sql_tag tag;
    for (unsigned lead = 0; lead < 4; lead++) {
        size_t n = (size_t)snprintf(body, sizeof(body), "controller='%.*s", (int)lead, "xxx");
        for (int i = 0; i < 100; i++)
            n += (size_t)snprintf(body + n, sizeof(body) - n, "%s", "\xe2\x82\xac");
        snprintf(body + n, sizeof(body) - n, "'");
        sql_tag_init(&tag);
        assert_int_equal(sql_tag_read(&tag, span_of_text(body)), 1);
        assert_int_equal(tag.len[SQL_TAG_CONTROLLER], lead + (SQL_TAG_VALUE_MAX - lead) / 3 * 3);
    }
}

static void test_tag_never_outgrows_its_storage(void **state)
{
    (void)state;
    char body[4096];
    size_t n = 0;
    for (unsigned k = 0; k < SQL_TAG_COUNT; k++)
        n += (size_t)snprintf(body + n, sizeof(body) - n, "%s='%0300d',",
                              sql_tag_key_name((enum sql_tag_key)k), 7);
    struct sql_tag tag;
    sql_tag_init(&tag);
    sql_tag_read(&tag, span_of_text(body));
    assert_int_equal(tag.used, SQL_TAG_BYTES);
    for (unsigned k = 0; k < SQL_TAG_COUNT; k++)
        assert_true(tag.off[k] + tag.len[k] <= SQL_TAG_BYTES);
}

static void test_tag_id_depends_on_keys_and_values_only(void **state)
{
    (void)state;
    static const char *const equal[] = {"route='/x',action='a'", "action='a',route='/x'",
                                        "action=a,route=/x,traceparent='" TRACE "'",
                                        "action:a,http.route:/x"};
    static const char *const other[] = {"route='/x'", "route='/y',action='a'",
                                        "route='a',action='/x'", "controller='/x',action='a'"};
    struct sql_tag first;
    struct sql_tag tag;
    sql_tag_init(&first);
    sql_tag_read(&first, span_of_text(equal[0]));
    for (size_t i = 0; i < N(equal); i++) {
        sql_tag_init(&tag);
        sql_tag_read(&tag, span_of_text(equal[i]));
        assert_true(sql_tag_id(&tag) == sql_tag_id(&first));
    }
    for (size_t i = 0; i < N(other); i++) {
        sql_tag_init(&tag);
        sql_tag_read(&tag, span_of_text(other[i]));
        assert_true(sql_tag_id(&tag) != sql_tag_id(&first));
    }
}

static void test_trace_is_the_trace_id_alone(void **state)
{
    (void)state;
    struct sql_tag a;
    struct sql_tag b;
    sql_tag_init(&a);
    sql_tag_init(&b);
    sql_tag_read(&a, span_of_text("traceparent='" TRACE "'"));
    sql_tag_read(
        &b, span_of_text("traceparent='00-4BF92F3577B34DA6A3CE929D0E0E4736-1111111111111111-00'"));
    assert_true(a.trace == b.trace);
    assert_int_equal(sql_tag_id(&a), 0);
    sql_tag_init(&b);
    sql_tag_read(
        &b, span_of_text("traceparent='00-4bf92f3577b34da6a3ce929d0e0e4737-00f067aa0ba902b7-01'"));
    assert_true(b.trace != 0 && a.trace != b.trace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies_give_their_tags),
        cmocka_unit_test(test_published_texts_give_their_tags),
        cmocka_unit_test(test_every_prefix_of_a_body_is_read_in_bounds),
        cmocka_unit_test(test_long_value_is_cut_between_characters),
        cmocka_unit_test(test_tag_never_outgrows_its_storage),
        cmocka_unit_test(test_tag_id_depends_on_keys_and_values_only),
        cmocka_unit_test(test_trace_is_the_trace_id_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
