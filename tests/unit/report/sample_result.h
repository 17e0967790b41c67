/*
 * A result built by hand, with what reports must survive: quotes, newlines, colons, words that YAML
 * reads as something else, invalid UTF-8, escape sequences, emoji.
 */
#ifndef PGSLEUTH_TESTS_REPORT_SAMPLE_RESULT_H
#define PGSLEUTH_TESTS_REPORT_SAMPLE_RESULT_H

#include "detectors/result.h"
#include "detectors/worst.h"

enum { SAMPLE_ENDPOINTS = 3, SAMPLE_FINDINGS = 4, SAMPLE_STATEMENTS = 4 };

struct sample_plan {
    struct record_plan plan;
    char tail[128];
};

struct sample {
    struct result result;
    struct endpoint endpoints[SAMPLE_ENDPOINTS];
    struct statement statements[SAMPLE_STATEMENTS];
    struct usage usages[SAMPLE_STATEMENTS];
    struct worst worst[2]; /* of the first two endpoints */
    struct finding findings[SAMPLE_FINDINGS];
    struct finding *ordered[SAMPLE_FINDINGS];
    struct endpoint_result endpoint_results[SAMPLE_ENDPOINTS];
    struct sample_plan plan;
    struct tag tag;
    struct tag hostile_tag;
    struct opaque_count opaque[2];
    const char *commands[2];
    const char *recommendations[2];
};

static const struct detector sample_n_plus_one = {
    .name = "n_plus_one", .id = "PA001", .title = "N+1 query", .checklist = {1, 2, 0}};
static const struct detector sample_missing_index = {
    .name = "missing_index", .id = "PA004", .title = "Missing index", .checklist = {3, 0, 0}};
static const struct detector sample_select_star = {
    .name = "select_star", .id = "PA002", .title = "SELECT *", .checklist = {6, 0, 0}};

#define SAMPLE_HOSTILE                                                                             \
    "yes: \"quoted\" # no\n\t- '0123' \x1b[31m \xff\xfe \xf0\x9f\x98\x80 \xed\xa0\x80 end "

static struct arena sample_arena = {.max = 1 << 24}; /* of the histograms, until the end */

static inline void sample_statement(struct sample *s, size_t i, const char *text)
{
    static const uint64_t golden_ratio = UINT64_C(0x9e3779b97f4a7c15);
    s->statements[i] = (struct statement){
        .id = {.hi = golden_ratio * (i + 1), .lo = golden_ratio ^ i},
        .verb = SQL_VERB_SELECT,
        .text = span_of_text(text),
    };
    s->usages[i] = (struct usage){.statement = &s->statements[i], .units = 40};
}

static inline void sample_use(struct usage *u, uint64_t calls, uint64_t rows, uint64_t us)
{
    for (uint64_t i = 0; i < calls; i++) {
        histogram_add(&u->time_us, &sample_arena, us + i % 7 * 11);
        histogram_add(&u->rows_each, &sample_arena, rows);
    }
    u->calls = calls;
    u->rows = calls * rows;
    u->bytes = u->rows * 48;
}

static inline void sample_endpoint(struct endpoint *e, uint64_t units, uint64_t statements,
                                   uint64_t db_us)
{
    e->units = units;
    e->statements = units * statements;
    for (uint64_t i = 0; i < units; i++) {
        histogram_add(&e->wall_us_each, &sample_arena, db_us * 2 + i * 100);
        histogram_add(&e->db_us_each, &sample_arena, db_us + i * 50);
        histogram_add(&e->statements_each, &sample_arena, statements);
        histogram_add(&e->rows_each, &sample_arena, statements * 10);
        histogram_add(&e->bytes_each, &sample_arena, statements * 480);
    }
    e->wall_us = e->wall_us_each.sum;
    e->db_us = e->db_us_each.sum;
}

static inline void sample_endpoints(struct sample *s)
{
    struct endpoint *e = s->endpoints;
    e[0] = (struct endpoint){.key = UINT64_C(0x1122334455667788),
                             .attribution = ATTRIBUTION_TAG,
                             .confidence = UNIT_EXACT,
                             .method = "GET",
                             .route = "/orm/authors/{author_id}",
                             .name = "GET /orm/authors/{author_id}"};
    e[1] = (struct endpoint){.key = UINT64_C(0x0000000012345678),
                             .attribution = ATTRIBUTION_TAG,
                             .confidence = UNIT_BY_TRANSACTION,
                             .method = "yes",
                             .route = "~",
                             .name = SAMPLE_HOSTILE};
    e[2] = (struct endpoint){.key = UINT64_C(0xfeedfacecafebeef),
                             .attribution = ATTRIBUTION_SIGNATURE,
                             .confidence = UNIT_BY_GAP,
                             .name = "select orders (3 statements)"};
    sample_endpoint(&e[0], 120, 101, 260400);
    sample_endpoint(&e[1], 40, 3, 9300);
    sample_endpoint(&e[2], 7, 3, 1250);
}

static inline void sample_statements(struct sample *s)
{
    sample_statement(s, 0, "select authors.id, authors.name from authors limit \x01");
    sample_statement(s, 1,
                     "select books.id, books.title, books.author_id, books.isbn, "
                     "books.published_on, books.pages, books.price from books left join publishers "
                     "on publishers.id = books.publisher_id where books.author_id = \x01 order by "
                     "books.id");
    sample_statement(s, 2, "select * from orders where orders.\"we ird, from\" in (\x01\x02)");
    sample_statement(s, 3, "");
    sample_use(&s->usages[0], 120, 100, 900);
    sample_use(&s->usages[1], 12000, 10, 2400);
    sample_use(&s->usages[2], 40, 2000, 88000);
}

static inline void sample_make_plan(struct sample *s)
{
    static const char tail[] = "public"
                               "orders"
                               "(status = \x01::text)"
                               "status"
                               "orders_lower_idx is on lower(status)"
                               "Seq Scan"
                               "Index Scan";
    s->plan.plan = (struct record_plan){.status = PLAN_OK,
                                        .total_cost = 18334.125,
                                        .scan_cost = 18334.0,
                                        .table_rows = 1000000,
                                        .kept_rows = 12.5,
                                        .schema_len = 6,
                                        .table_len = 6,
                                        .filter_len = 18,
                                        .columns_len = 6,
                                        .index_note_len = 36,
                                        .node_len = 8,
                                        .after_node_len = 10,
                                        .reason = PLAN_SCAN,
                                        .source = PLAN_SOURCE_HYPOPG,
                                        .flags = PLAN_GENERIC,
                                        .generic_cost = 18334.125,
                                        .after_cost = 8.5};
    memcpy((char *)&s->plan + sizeof s->plan.plan, tail, sizeof tail);
}

static inline void sample_n_plus_one_finding(struct sample *s)
{
    s->tag.value[SQL_TAG_FILE] = "app/users.py";
    s->tag.value[SQL_TAG_LINE] = "45";
    s->findings[0] = (struct finding){
        .detector = &sample_n_plus_one,
        .endpoint = &s->endpoints[0],
        .tag = &s->tag,
        .severity = SEVERITY_CRITICAL,
        .confidence = 0.97,
        .basis = BASIS_VALUE_LINEAGE,
        .fingerprint = UINT64_C(0x0123456701234567),
        .issue = "N+1 query in GET /orm/authors/{author_id}",
        .impact =
            "101 statements a request (p95) where 2 would do, in 118 of 120 requests; 95 % of the "
            "database time, 240.0 ms of 260.4 ms (p95)",
        .edited = true,
        .optimized_code = "\tfrom sqlalchemy.orm import selectinload   \r\n"
                          "\n"
                          "\tstmt = (\n"
                          "\t\tselect(Author)\n"
                          "\t\t.options(selectinload(Author.books))\n"
                          "\t\t.limit(50)\n"
                          "\t)\n"
                          "\tauthors = session.scalars(stmt).all()\n\n",
        .sqlalchemy = "stmt = select(Author).options(selectinload(Author.books))\n",
        .django = "Author.objects.prefetch_related(\"books\")",
        .expected_improvement = "13.0x faster (2 statements instead of 101)",
        .severity_by = "99 round trips too many (p95): critical from 90 on",
        .requests_seen = 118,
        .requests = 120,
        .occurrences = {.min = 20, .p50 = 100, .p95 = 100, .max = 100},
        .time_share = 0.9512345,
        .wasted_ms_p95 = 240,
        .saved_ms = 28000.5,
        .round_trips_saved = 99,
        .lineage = {.from_column = "authors.id", .matched = 11990, .of = 12000},
        .statements = {{"parent", &s->statements[0], &s->usages[0]},
                       {"repeated", &s->statements[1], &s->usages[1]}},
        .n_statements = 2,
        .kind = GAIN_ESTIMATED,
        .growth = {.known = true, .slope = 1, .exponent = 1, .from = 20, .to = 100},
        .latency =
            {.known = true, .base = 5, .slope = 2.5, .exponent = 0.95, .from = 20, .to = 100},
        .before_ms = 260.4,
        .after_ms = 20.0,
        .after_gap_ms = 16.0,
        .avoidable = 0.923195,
        .ci_known = true,
        .ci_low = 12.5,
        .ci_high = 13.5,
        .method = "repeats replaced by one statement of their longest time",
        .queries_before = 101,
        .queries_after = 2,
    };
}

static inline void sample_index_finding(struct sample *s)
{
    s->findings[1] = (struct finding){
        .detector = &sample_missing_index,
        .endpoint = &s->endpoints[1],
        .severity = SEVERITY_HIGH,
        .confidence = 0.8,
        .basis = BASIS_PLAN,
        .fingerprint = UINT64_C(0xdeadbeefdeadbeef),
        .issue = "Sequential scan of orders by status",
        .impact = "reads 1000000 rows to keep 13",
        .optimized_code = "CREATE INDEX CONCURRENTLY ON orders (status);",
        .requests_seen = 40,
        .requests = 40,
        .wasted_ms_p95 = -1,
        .statements = {{"slow", &s->statements[2], &s->usages[2]}},
        .n_statements = 1,
        .plan = &s->plan.plan,
        .plan_ddl = "CREATE INDEX CONCURRENTLY ON orders (status);",
        .before_ms = -1,
        .after_ms = -1,
        .queries_before = 3,
        .queries_after = 3,
    };
}

static inline void sample_hostile_finding(struct sample *s)
{
    s->hostile_tag.value[SQL_TAG_FILE] = "0123";
    s->hostile_tag.value[SQL_TAG_LINE] = "45; rm";
    s->findings[2] = (struct finding){
        .detector = &sample_select_star,
        .endpoint = &s->endpoints[1],
        .tag = &s->hostile_tag,
        .severity = SEVERITY_MEDIUM,
        .confidence = 0.5,
        .basis = BASIS_MEASURED,
        .fingerprint = 1,
        .issue = SAMPLE_HOSTILE,
        .impact = SAMPLE_HOSTILE,
        .optimized_code = SAMPLE_HOSTILE "\n# \xf0\x9f\x98\x80\n",
        .asyncpg = "yes",
        .expected_improvement = "12:30:45",
        .recommendation = "~",
        .wasted_ms_p95 = -1,
        .statements = {{"star", &s->statements[3], NULL}},
        .n_statements = 1,
        .before_ms = -1,
        .after_ms = -1,
    };
    s->findings[3] = (struct finding){
        .detector = &sample_select_star,
        .endpoint = &s->endpoints[2],
        .severity = SEVERITY_LOW,
        .confidence = 0.4,
        .basis = BASIS_REPETITION,
        .fingerprint = UINT64_C(0xabcdefabcdefabcd),
        .issue = "All columns of orders are read",
        .optimized_code = "session.execute(select(Order.id, Order.total))",
        .wasted_ms_p95 = -1,
        .before_ms = -1,
        .after_ms = -1,
    };
}

/* One by its HTTP request, with a loop; one with a statement that has no text, and too many. */
static inline void sample_worst(struct sample *s)
{
    s->worst[0] = (struct worst){.wall_us = 532700,
                                 .db_us = 266350,
                                 .statements = 101,
                                 .by_http = true,
                                 .n_steps = 2,
                                 .steps = {{.statement = &s->statements[0],
                                            .start_us = 1200,
                                            .span_us = 900,
                                            .busy_us = 900,
                                            .rows = 100,
                                            .times = 1,
                                            .connection = 1},
                                           {.statement = &s->statements[1],
                                            .start_us = 2500,
                                            .span_us = 520000,
                                            .busy_us = 265000,
                                            .rows = 1000,
                                            .times = 100,
                                            .connection = 1}}};
    s->worst[1] = (struct worst){.wall_us = 22500,
                                 .db_us = 11250,
                                 .statements = 3,
                                 .n_steps = 1,
                                 .left_out = 2,
                                 .steps = {{.statement = &s->statements[3],
                                            .span_us = 11250,
                                            .busy_us = 11250,
                                            .times = 1,
                                            .errors = 1,
                                            .connection = 2}}};
    s->endpoints[0].worst = &s->worst[0];
    s->endpoints[1].worst = &s->worst[1];
    s->endpoints[0].usages = &s->usages[0];
    s->usages[0].next = &s->usages[1];
    s->endpoints[1].usages = &s->usages[2];
}

static inline void sample_score(struct score *out, int value)
{
    static const struct score_metric metrics[] = {
#define SCORE_METRIC(name, metric_id, metric_unit, w, good, mid)                                   \
    {.id = metric_id, .unit = metric_unit, .weight = w, .p10 = good, .median = mid},
#include "detectors/score_metrics.def"
#undef SCORE_METRIC
    };
    *out = (struct score){.value = value, .coverage = value < 0 ? 0.4 : 0.65, .provisional = true};
    memcpy(out->metrics, metrics, sizeof metrics);
    out->metrics[SCORE_STATEMENTS].observed = true;
    out->metrics[SCORE_STATEMENTS].value = 101;
    out->metrics[SCORE_STATEMENTS].score = 0.05;
    out->metrics[SCORE_STATEMENTS].n = 120;
}

static inline void sample_checklist(struct result *r)
{
    static const char *const texts[] = {
#define CHECKLIST(number, words, from, how) words,
#include "detectors/checklist.def"
#undef CHECKLIST
    };
    for (int i = 0; i < CHECKLIST_ITEMS; i++) {
        r->checklist[i] = (struct checklist_item){.id = i + 1,
                                                  .text = texts[i],
                                                  .source = i == 2 ? "wire+explain" : "wire",
                                                  .how_to_observe = i < 6 ? "" : "Look at it",
                                                  .verdict = VERDICT_NOT_OBSERVED,
                                                  .reason = "no evidence"};
    }
    r->checklist[0].verdict = VERDICT_FAIL;
    r->checklist[0].reason = "1 issue";
    r->checklist[3].verdict = VERDICT_PASS;
    r->checklist[30].verdict = VERDICT_MANUAL;
}

static inline void sample_run(struct sample *s)
{
    struct result *r = &s->result;
    r->version = "0.1.0";
    r->started_wall_us = INT64_C(1709210096789012); /* 2024-02-29 */
    r->ended_wall_us = INT64_C(1709251199999999);
    r->units = 167;
    r->statements = 12261;
    r->chatter = 334;
    r->sessions = 5;
    r->bytes = 1234567;
    r->explain = RECORD_EXPLAIN_OFF_NO_DSN;
    r->tagged = true;
    r->tagged_units = 160;
    r->dropped_records = 12;
    r->unread_statements = 7;
    r->parser_restarts = 1;
    s->opaque[0] = (struct opaque_count){"unknown message type", 1};
    s->opaque[1] = (struct opaque_count){"replication connection", 2};
    r->opaque = s->opaque;
    r->n_opaque = 2;
    r->assumed_rtt_ms = 0.5;
    s->commands[0] = "uv run py-spy record -o profile.svg -- python main.py";
    s->commands[1] = "pgsleuth run -- locust -f locustfile.py";
    r->profiling_commands = s->commands;
    r->n_profiling_commands = 2;
    s->recommendations[0] = "Load what the loop reads before the loop";
    s->recommendations[1] = "- 'quoted': #1";
    r->recommendations = s->recommendations;
    r->n_recommendations = 2;
    r->estimated_improvement = "9.5x less database time (estimated); memory: not observed";
    r->db_time_saved_ms = 28000.5;
    r->db_time_ms = 31620.25;
    r->speedup = 9.5;
    r->gain_kind = GAIN_ESTIMATED;
}

static inline void sample_link(struct sample *s)
{
    struct result *r = &s->result;
    for (size_t i = 0; i < SAMPLE_FINDINGS; i++) {
        s->ordered[i] = &s->findings[i];
        r->by_severity[s->findings[i].severity]++;
    }
    r->findings = s->ordered;
    r->n_findings = SAMPLE_FINDINGS;
    static const size_t first[] = {0, 1, 3}, count[] = {1, 2, 1};
    for (size_t i = 0; i < SAMPLE_ENDPOINTS; i++) {
        s->endpoint_results[i] = (struct endpoint_result){.endpoint = &s->endpoints[i],
                                                          .findings = s->ordered + first[i],
                                                          .n_findings = count[i],
                                                          .needs_optimization = i == 0};
        if (i == 0)
            s->endpoint_results[i].gain = (struct improvement){.kind = GAIN_ESTIMATED,
                                                               .saved_ms = 28000.5,
                                                               .saved_gap_ms = 29000,
                                                               .wall_ms = 31620.25,
                                                               .statements = 120 * 99};
        s->endpoint_results[i].profiling_commands = s->commands;
        s->endpoint_results[i].n_profiling_commands = 2;
        sample_score(&s->endpoint_results[i].score, i == 0 ? 41 : i == 1 ? 96 : -1);
    }
    r->endpoints = s->endpoint_results;
    r->n_endpoints = SAMPLE_ENDPOINTS;
    r->needs_optimization = true;
    sample_score(&r->score, 41);
}

/* Fill the sample; the result borrows from it. */
static inline const struct result *sample_result(struct sample *s)
{
    memset(s, 0, sizeof *s);
    sample_endpoints(s);
    sample_statements(s);
    sample_make_plan(s);
    sample_n_plus_one_finding(s);
    sample_index_finding(s);
    sample_hostile_finding(s);
    sample_worst(s);
    sample_run(s);
    sample_checklist(&s->result);
    sample_link(s);
    return &s->result;
}

#endif
