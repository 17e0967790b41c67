/* Names and code: what comes from the wire cannot leave its place. */
#include "detectors/traffic.h"

#include "detectors/names.h"

static struct span s(const char *text)
{
    return span_of_text(text);
}

static void test_classes_are_singular_and_camel_case(void **state)
{
    (void)state;
    assert_string_equal(name_class(s("authors")).text, "Author");
    assert_string_equal(name_class(s("order_items")).text, "OrderItem");
    assert_string_equal(name_class(s("categories")).text, "Category");
    assert_string_equal(name_class(s("addresses")).text, "Address");
    assert_string_equal(name_class(s("boxes")).text, "Box");
    assert_string_equal(name_class(s("status")).text, "Status");
    assert_string_equal(name_class(s("News")).text, "New");
    assert_string_equal(name_class(s("s")).text, "S");
}

static void test_unsafe_names_are_replaced(void **state)
{
    (void)state;
    assert_string_equal(name_class(s("a\"; import os")).text, "Model");
    assert_string_equal(name_class(s("1st")).text, "Model");
    assert_string_equal(name_class(s("___")).text, "Model");
    assert_string_equal(name_class(s("")).text, "Model");
    assert_string_equal(name_class(s("none")).text, "None_");
    assert_string_equal(name_attribute(s("x\ny"), "rows").text, "rows");
    assert_string_equal(name_attribute(s("class"), "rows").text, "class_");
    assert_string_equal(name_attribute(s("caf\xc3\xa9"), "rows").text, "rows");
    assert_string_equal(name_reference(s("author_id"), "x").text, "author");
    assert_string_equal(name_reference(s("author"), "x").text, "x");
    char longest[200];
    memset(longest, 'a', sizeof(longest));
    assert_string_equal(name_class(span_of(longest, sizeof(longest))).text, "Model");
}

static void test_sql_names_are_quoted_where_they_must_be(void **state)
{
    (void)state;
    struct name out;
    assert_true(name_sql(s("orders"), &out));
    assert_string_equal(out.text, "orders");
    assert_true(name_sql(s("Orders"), &out));
    assert_string_equal(out.text, "\"Orders\"");
    assert_true(name_sql(s("order"), &out));
    assert_string_equal(out.text, "\"order\"");
    assert_true(name_sql(s("a\"b"), &out));
    assert_string_equal(out.text, "\"a\"\"b\"");
    assert_false(name_sql(s("a\nb"), &out));
    assert_false(name_sql(s(""), &out));
    assert_string_equal(name_sql_in_python(s("a\"b"), "t").text, "t");
}

static const struct finding *loop_over(struct traffic *t, const char *parent, const char *child)
{
    const int64_t *ids = traffic_ids(10);
    traffic_statement(t, parent);
    traffic_columns(t, parent, "id", WIRE_OID_INT8);
    for (int k = 0; k < 2; k++) {
        traffic_page(t, parent, 0, ids, 10);
        for (int i = 0; i < 10; i++)
            traffic_by_id(t, child, ids[i], 1);
        traffic_asyncpg_reset(t);
    }
    return traffic_finding(traffic_result(t), "n_plus_one");
}

static void test_asyncpg_pool_gets_asyncpg_code(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    const char *child = "SELECT title FROM books WHERE author_id = $1";
    traffic_facts(t, child, FACT_WHERE, "books", "author_id");
    const struct finding *f = loop_over(t, "SELECT id FROM authors WHERE id > $1", child);
    assert_non_null(f);
    assert_string_equal(f->optimized_code, f->asyncpg);
    traffic_free(t);
}

static void test_quoted_names_everywhere_get_django_code(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    const char *child =
        "SELECT \"books\".\"title\" FROM \"books\" WHERE \"books\".\"author_id\" = 5";
    traffic_facts(t, child, FACT_WHERE, "books", "author_id");
    const struct finding *f = loop_over(
        t, "SELECT \"authors\".\"id\" FROM \"authors\" WHERE \"authors\".\"id\" > 5", child);
    assert_non_null(f);
    assert_string_equal(f->optimized_code, f->django);
    assert_non_null(strstr(f->django, "Author.objects.prefetch_related(\"books\")"));
    traffic_free(t);
}

/* SQLAlchemy may use asyncpg, whose pool is not its own then. */
static void test_framework_of_the_tag_comes_before_what_the_traffic_looks_like(void **state)
{
    (void)state;
    static const char *const frameworks[][2] = {
        {"sqlalchemy:2.0.58", "sqlalchemy"}, {"django:5.2", "django"}, {"fastapi", "asyncpg"}};
    for (int i = 0; i < 3; i++) {
        struct traffic *t = traffic_new();
        const char *child = "SELECT title FROM books WHERE author_id = $1";
        const char *const values[SQL_TAG_COUNT] = {
            [SQL_TAG_ROUTE] = "/authors", [SQL_TAG_FRAMEWORK] = frameworks[i][0]};
        traffic_facts(t, child, FACT_WHERE, "books", "author_id");
        traffic_tag_values(t, values);
        const struct finding *f = loop_over(t, "SELECT id FROM authors WHERE id > $1", child);
        assert_non_null(f);
        assert_string_equal(stack_name(f->stack), frameworks[i][1]);
        const char *const codes[] = {f->sqlalchemy, f->django, f->asyncpg};
        assert_string_equal(f->optimized_code, codes[i]);
        traffic_free(t);
    }
}

static void test_hostile_names_stay_out_of_code(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    const char *parent = "SELECT id FROM \"x\"\"\n; import os #\" WHERE id > $1";
    const char *child = "SELECT title FROM \"b\"\"); evil(\" WHERE \"k\"\"\n\" = $1";
    const struct finding *f = loop_over(t, parent, child);
    assert_non_null(f);
    const char *codes[] = {f->sqlalchemy, f->django, f->asyncpg};
    for (int i = 0; i < 3; i++) {
        assert_null(strstr(codes[i], "import os"));
        assert_null(strstr(codes[i], "evil"));
    }
    traffic_free(t);
}

static void test_labelled_columns_are_read_as_columns(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    const char *parent = "SELECT authors.id AS authors_id FROM authors WHERE authors.id > $1";
    const char *child = "SELECT books.title FROM books WHERE $1 = books.author_id";
    traffic_facts(t, parent, FACT_WHERE, "authors", "");
    traffic_facts(t, child, FACT_WHERE, "books", "author_id");
    traffic_columns(t, parent, "authors_id", WIRE_OID_INT8);
    const struct finding *f = loop_over(t, parent, child);
    assert_string_equal(f->lineage.from_column, "authors.id");
    assert_non_null(strstr(f->sqlalchemy, "selectinload(Author.books)"));
    traffic_free(t);
}

static void test_list_is_cut_at_commas_outside_parentheses(void **state)
{
    (void)state;
    struct span list = s("a, coalesce(b, lower(c)) DESC,d,"), part;
    static const char *const parts[] = {"a", "coalesce(b, lower(c)) DESC", "d"};
    for (int i = 0; i < 3; i++) {
        assert_true(name_next_part(&list, &part));
        assert_true(span_is(part, parts[i]));
    }
    assert_false(name_next_part(&list, &part));
    assert_int_equal(part.len, 0);
    list = s("f(a, b"); /* never closed: one part */
    assert_true(name_next_part(&list, &part));
    assert_true(span_is(part, "f(a, b"));
    assert_false(name_next_part(&list, &part));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes_are_singular_and_camel_case),
        cmocka_unit_test(test_list_is_cut_at_commas_outside_parentheses),
        cmocka_unit_test(test_unsafe_names_are_replaced),
        cmocka_unit_test(test_sql_names_are_quoted_where_they_must_be),
        cmocka_unit_test(test_asyncpg_pool_gets_asyncpg_code),
        cmocka_unit_test(test_quoted_names_everywhere_get_django_code),
        cmocka_unit_test(test_framework_of_the_tag_comes_before_what_the_traffic_looks_like),
        cmocka_unit_test(test_hostile_names_stay_out_of_code),
        cmocka_unit_test(test_labelled_columns_are_read_as_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
