/* The published schema knows every word that the tables of this version can put into a report. */
#include "cmocka_all.h"
#include "detectors/detector.h"
#include "detectors/result.h"

#include <jansson.h>

static json_t *schema;

static int load(void **state)
{
    (void)state;
    schema = json_load_file(PGSLEUTH_TEST_DATA "/../../report/report.schema.json",
                            JSON_REJECT_DUPLICATES, NULL);
    return schema != NULL ? 0 : -1;
}

static int unload(void **state)
{
    (void)state;
    json_decref(schema);
    return 0;
}

/* A property of one of its definitions. */
static const json_t *property(const char *definition, const char *name)
{
    const json_t *out = json_object_get(
        json_object_get(json_object_get(json_object_get(schema, "$defs"), definition),
                        "properties"),
        name);
    assert_non_null(out);
    return out;
}

static void takes(const json_t *property, const char *word)
{
    const json_t *words = json_object_get(property, "enum");
    for (size_t i = 0; i < json_array_size(words); i++) {
        if (strcmp(json_string_value(json_array_get(words, i)), word) == 0)
            return;
    }
    fail_msg("the schema does not know %s", word);
}

static void has_no_more_than(const json_t *property, size_t n)
{
    assert_int_equal(json_array_size(json_object_get(property, "enum")), n);
}

static void test_schema_knows_every_rule(void **state)
{
    (void)state;
    for (int i = 0; i < DETECTOR_COUNT; i++)
        takes(property("issue", "rule"), det_detectors[i]->name);
    has_no_more_than(property("issue", "rule"), DETECTOR_COUNT);
}

static void test_schema_knows_every_word_of_an_issue(void **state)
{
    (void)state;
    for (int i = BASIS_VALUE_LINEAGE; i <= BASIS_MEASURED; i++)
        takes(property("issue", "confidence_basis"),
              confidence_basis_name((enum confidence_basis)i));
    for (int i = GAIN_UNKNOWN; i <= GAIN_MODELLED; i++)
        takes(property("improvement", "kind"), improvement_kind_name((enum improvement_kind)i));
    for (int i = STACK_UNKNOWN; i <= STACK_ASYNCPG; i++)
        takes(property("issue", "stack"), stack_name((enum stack)i));
    for (int i = VERDICT_PASS; i <= VERDICT_MANUAL; i++)
        takes(property("checklist_item", "verdict"), verdict_name((enum verdict)i));
    has_no_more_than(property("checklist_item", "verdict"), VERDICT_MANUAL + 1);
}

static void test_schema_knows_every_overflow(void **state)
{
    (void)state;
    const json_t *known = json_object_get(property("coverage", "overflow"), "properties");
    for (int i = 0; i < OVERFLOWS; i++)
        assert_non_null(json_object_get(known, overflow_texts[i].name));
    assert_int_equal(json_object_size(known), OVERFLOWS);
}

static void test_schema_counts_the_metrics_and_the_checklist(void **state)
{
    (void)state;
    const json_t *top = json_object_get(schema, "properties");
    const json_t *metrics =
        json_object_get(json_object_get(json_object_get(top, "score"), "properties"), "metrics");
    assert_int_equal(json_integer_value(json_object_get(metrics, "minItems")), SCORE_METRICS);
    const json_t *checklist = json_object_get(top, "checklist");
    assert_int_equal(json_integer_value(json_object_get(checklist, "maxItems")), CHECKLIST_ITEMS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schema_knows_every_rule),
        cmocka_unit_test(test_schema_knows_every_word_of_an_issue),
        cmocka_unit_test(test_schema_knows_every_overflow),
        cmocka_unit_test(test_schema_counts_the_metrics_and_the_checklist),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
