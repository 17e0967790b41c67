/*
 * What the auditor costs at its limits: time an exchange, and memory.
 *
 *     bench_auditor [SCENARIO...]
 *
 * Each scenario feeds records made here, a thousand exchanges at a time, to an audit of its own in
 * a process of its own, and prints a line. Time is CPU time of audit_record() and audit_finish();
 * making the records is not in it. Memory is what malloc gave and did not get back, at its highest;
 * a scenario that passes MEMORY_MAX fails, and so does the run. Time decides nothing.
 */
#include "detectors/audit.h"
#include "detectors/result.h"
#include "report/tree.h"
#include "wire/values.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    WINDOW = 1000, /* exchanges */
    MAX_WINDOWS = 1000,
    FEED_BYTES = 512 * 1024 * 1024, /* reserved, not used */
    MEMORY_MAX = 256 * 1024 * 1024,
    N_STATEMENTS = 100000,
    N_ENDPOINTS = 10000,
};

/* --- memory: tests/CMakeLists.txt wraps malloc and its kin --- */

static size_t live;
static size_t peak;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void __wrap_free(void *p);

static void *count(void *p)
{
    live += p != NULL ? malloc_usable_size(p) : 0;
    if (live > peak)
        peak = live;
    return p;
}

void *__wrap_malloc(size_t size)
{
    return count(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
    return count(__real_calloc(n, size));
}

void *__wrap_realloc(void *old, size_t size)
{
    size_t before = old != NULL ? malloc_usable_size(old) : 0;
    void *grown = __real_realloc(old, size);
    if (grown != NULL)
        live -= before;
    return count(grown);
}

void __wrap_free(void *p)
{
    live -= p != NULL ? malloc_usable_size(p) : 0;
    __real_free(p);
}

/* --- records --- */

struct feed {
    uint8_t *bytes;
    size_t used;
    int64_t now_us;
    uint64_t known_statements; /* told of so far: ids below */
    uint64_t known_tags;
};

static uint64_t mix(uint64_t a, uint64_t b)
{
    return wire_hash_combine(a + 1, b + 1);
}

static void *put(struct feed *f, enum record_type type, size_t fixed, size_t tail)
{
    struct record_header *h = (void *)(f->bytes + f->used);
    size_t size = record_size(fixed, tail);
    memset(h, 0, size);
    h->type = (uint16_t)type;
    h->len = (uint32_t)size;
    f->used += size;
    return h;
}

static struct sql_id id_of(uint64_t statement)
{
    return (struct sql_id){mix(1, statement), mix(2, statement)};
}

static void put_statement(struct feed *f, uint64_t n, enum sql_verb verb)
{
    char text[256];
    char table[32];
    int table_len = snprintf(table, sizeof(table), "table_%u", (unsigned)(n % 500));
    int text_len =
        verb == SQL_VERB_UPDATE
            ? snprintf(text, sizeof(text), "update %s set n = \x01 where id = \x01", table)
            : snprintf(text, sizeof(text),
                       "select id, name, created_at, owner_id, state, amount, note, "
                       "c%u from %s where id = \x01 order by created_at",
                       (unsigned)n, table);
    struct record_statement *s = put(f, RECORD_STATEMENT, sizeof(*s), (size_t)text_len);
    s->id = id_of(n);
    s->verb = (uint16_t)verb;
    s->text_len = (uint16_t)text_len;
    memcpy(s + 1, text, (size_t)text_len);

    size_t tail = 1 + (size_t)table_len + 3 + 2;
    struct record_facts *facts = put(f, RECORD_FACTS, sizeof(*facts), tail);
    facts->id = s->id;
    facts->status = FACTS_OK;
    facts->verb = (uint8_t)verb;
    facts->n_tables = facts->n_predicates = 1;
    facts->fact_flags = FACT_WHERE;
    facts->tail_len = (uint32_t)tail;
    uint8_t *at = (uint8_t *)(facts + 1);
    *at++ = (uint8_t)table_len;
    memcpy(at, table, (size_t)table_len);
    at += table_len;
    memcpy(at, (const uint8_t[]){PREDICATE_EQ, 0, 2, 'i', 'd'}, 5);
}

static uint64_t tag_of(struct feed *f, uint64_t endpoint)
{
    char route[32];
    uint64_t id = mix(3, endpoint);
    if (endpoint < f->known_tags)
        return id;
    f->known_tags = endpoint + 1;
    int len = snprintf(route, sizeof(route), "/route/%u", (unsigned)endpoint);
    struct record_tag *tag = put(f, RECORD_TAG, sizeof(*tag), (size_t)len);
    tag->id = id;
    tag->len[SQL_TAG_ROUTE] = (uint16_t)len;
    memcpy(tag + 1, route, (size_t)len);
    return id;
}

struct exchange {
    uint64_t session;
    uint64_t statement;
    uint64_t tag;
    uint64_t trace;
    enum sql_verb verb;
    uint32_t total_us;
    uint64_t value; /* the one bound; 0: none */
    unsigned values;
    uint64_t rows;
    unsigned keys; /* columns, of which each row's value is mix(statement, row) */
    bool in_tx;
};

static void put_exchange(struct feed *f, const struct exchange *x)
{
    if (x->statement >= f->known_statements) {
        put_statement(f, x->statement, x->verb);
        f->known_statements = x->statement + 1;
    }
    size_t hashes = x->keys * x->rows;
    size_t tail = x->values * sizeof(uint64_t) + x->keys * sizeof(struct record_key) +
                  hashes * sizeof(uint64_t);
    struct record_exchange *r = put(f, RECORD_EXCHANGE, sizeof(*r), tail);
    r->session = x->session;
    r->id = id_of(x->statement);
    r->tag = x->tag;
    r->trace = x->trace;
    f->now_us += 100;
    r->start_us = f->now_us;
    r->total_us = x->total_us != 0 ? x->total_us : 200;
    r->first_us = r->total_us / 2;
    f->now_us += 100;
    r->rows = r->affected = x->rows;
    r->bytes = x->rows * 100;
    r->result_hash = mix(4, x->rows);
    r->values_hash = x->values > 0 ? mix(5, x->value) : 0;
    r->round_trip = (uint32_t)(f->now_us / 200);
    r->exchange_flags = EXCHANGE_EXTENDED;
    r->verb = (uint8_t)x->verb;
    r->tx_before = r->tx_after = x->in_tx ? 'T' : 'I';
    r->n_values = (uint8_t)x->values;
    r->n_keys = (uint8_t)x->keys;
    r->n_key_hashes = (uint16_t)hashes;
    uint64_t *value = (uint64_t *)(r + 1);
    for (unsigned i = 0; i < x->values; i++)
        *value++ = i + 1 < x->values ? mix(6, i) : x->value;
    struct record_key *key = (void *)value;
    for (unsigned k = 0; k < x->keys; k++)
        key[k] = (struct record_key){.column = (uint16_t)k, .count = (uint16_t)x->rows};
    uint64_t *hash = (uint64_t *)(key + x->keys);
    for (unsigned k = 0; k < x->keys; k++) {
        for (uint64_t row = 0; row < x->rows; row++)
            *hash++ = mix(mix(x->statement, k), row);
    }
}

/* A value that a row of a statement's column held. */
static uint64_t key_of(uint64_t statement, unsigned column, uint64_t row)
{
    return mix(mix(statement, column), row);
}

/* From 50 us to 50 ms, as often in each octave. */
static uint32_t some_time(uint64_t i)
{
    uint64_t h = mix(7, i);
    return (uint32_t)(50U << (h % 10)) + (uint32_t)(h >> 32) % (50U << (h % 10));
}

/* --- scenarios: what the i-th exchange is --- */

/* Requests of five statements each, on 64 connections at once. */
static void tagged(struct feed *f, uint64_t i)
{
    uint64_t request = i / 5;
    put_exchange(f, &(struct exchange){.session = 1 + request % 64,
                                       .statement = i % N_STATEMENTS,
                                       .tag = tag_of(f, request % N_ENDPOINTS),
                                       .verb = SQL_VERB_SELECT,
                                       .total_us = some_time(i),
                                       .value = mix(i, 0),
                                       .values = 2,
                                       .rows = mix(8, i) % 500});
}

static void untagged(struct feed *f, uint64_t i)
{
    uint64_t request = i / 5;
    if (i % 5 == 0)
        f->now_us += 3000;
    put_exchange(f, &(struct exchange){.session = 1 + request % 64,
                                       .statement = request % N_ENDPOINTS * 10 + i % 5,
                                       .verb = SQL_VERB_SELECT,
                                       .total_us = some_time(i),
                                       .value = mix(i, 0),
                                       .values = 2,
                                       .rows = mix(8, i) % 500});
}

static void one_unit(struct feed *f, uint64_t i)
{
    put_exchange(f, &(struct exchange){.session = 1,
                                       .statement = i,
                                       .verb = SQL_VERB_SELECT,
                                       .value = mix(i, 0),
                                       .values = 1,
                                       .rows = 10,
                                       .keys = 2,
                                       .in_tx = true});
}

static void one_loop(struct feed *f, uint64_t i)
{
    put_exchange(f, &(struct exchange){.session = 1,
                                       .statement = i > 0,
                                       .verb = SQL_VERB_SELECT,
                                       .value = i > 0 ? key_of(0, 0, (i - 1) % 512) : 1,
                                       .values = 1,
                                       .rows = i > 0 ? 1 : 512,
                                       .keys = i > 0 ? 2 : 8,
                                       .in_tx = true});
}

/* A list of 20 rows and three statements for each of them. */
static void n_plus_one(struct feed *f, uint64_t i)
{
    uint64_t request = i / 61;
    uint64_t at = i % 61;
    uint64_t first = request % 1000 * 4;
    put_exchange(f, &(struct exchange){.session = 1 + request % 8,
                                       .statement = at == 0 ? first : first + 1 + (at - 1) % 3,
                                       .tag = tag_of(f, request % 1000),
                                       .verb = SQL_VERB_SELECT,
                                       .total_us = some_time(i),
                                       .value = at == 0 ? 1 : key_of(first, 0, (at - 1) / 3),
                                       .values = 1,
                                       .rows = at == 0 ? 20 : 1,
                                       .keys = 8});
}

/* Many lists of many columns, and many loops whose values come from none of them. */
static void no_lineage(struct feed *f, uint64_t i)
{
    uint64_t at = i % 5000;
    bool parent = at < 64;
    put_exchange(f, &(struct exchange){.session = 1,
                                       .statement = parent ? 100 + at : at % 16,
                                       .tag = tag_of(f, i / 5000 % 2),
                                       .verb = SQL_VERB_SELECT,
                                       .value = mix(9, i),
                                       .values = 4,
                                       .rows = parent ? 400 : 1,
                                       .keys = 8});
}

/* Two connections that read the same rows and write them back. */
static void write_back(struct feed *f, uint64_t i)
{
    bool writes = i % 4 >= 2;
    uint64_t row = i / 4 % 10000;
    put_exchange(f, &(struct exchange){.session = 1 + i % 2,
                                       .statement = writes,
                                       .verb = writes ? SQL_VERB_UPDATE : SQL_VERB_SELECT,
                                       .value = mix(10, row),
                                       .values = writes ? 2 : 1,
                                       .rows = 1,
                                       .in_tx = i / 40000 % 2 == 0});
}

/* Transactions and traces that stay open, each with many values. */
static void open_units(struct feed *f, uint64_t i)
{
    uint64_t unit = i % 6000;
    put_exchange(f, &(struct exchange){.session = 1 + unit,
                                       .trace = unit % 2 == 0 ? 1 + unit : 0,
                                       .statement = unit,
                                       .verb = SQL_VERB_SELECT,
                                       .value = mix(11, i),
                                       .values = 16,
                                       .rows = 50,
                                       .keys = 8,
                                       .in_tx = true});
    f->now_us -= 190; /* all at once */
}

static void sessions(struct feed *f, uint64_t i)
{
    put_exchange(f, &(struct exchange){.session = 1 + i % 150000,
                                       .statement = i % 100,
                                       .verb = SQL_VERB_SELECT,
                                       .value = mix(12, i),
                                       .values = 1,
                                       .rows = 1,
                                       .in_tx = true});
}

/* Statements as long as a record takes, each with a sample, columns and a plan of its own. */
static void long_statements(struct feed *f, uint64_t i)
{
    f->known_statements = UINT64_MAX;
    struct record_statement *s = put(f, RECORD_STATEMENT, sizeof(*s), RECORD_TEXT_MAX);
    s->id = id_of(i);
    s->verb = SQL_VERB_SELECT;
    s->text_len = RECORD_TEXT_MAX;
    memset(s + 1, 'x', RECORD_TEXT_MAX);
    struct record_sample *sample = put(f, RECORD_SAMPLE, sizeof(*sample), RECORD_SAMPLE_MAX);
    sample->id = s->id;
    sample->len = RECORD_SAMPLE_MAX;
    struct record_widths *widths =
        put(f, RECORD_WIDTHS, sizeof(*widths), RECORD_MAX_WIDTHS * sizeof(struct record_width));
    widths->id = s->id;
    widths->n = RECORD_MAX_WIDTHS;
    struct record_plan *plan = put(f, RECORD_PLAN, sizeof(*plan), 4 * (size_t)8192);
    plan->id = s->id;
    plan->schema_len = plan->table_len = plan->filter_len = plan->columns_len = 8192;
    put_exchange(f, &(struct exchange){.session = 1 + i % 64,
                                       .statement = i,
                                       .tag = tag_of(f, i % 100),
                                       .verb = SQL_VERB_SELECT,
                                       .rows = i});
}

/* No time and no size twice. */
static void every_size(struct feed *f, uint64_t i)
{
    uint64_t h = mix(13, i);
    put_exchange(f, &(struct exchange){.session = 1 + i % 64,
                                       .statement = i % 12000,
                                       .tag = tag_of(f, i % 1200),
                                       .verb = SQL_VERB_SELECT,
                                       .total_us = (uint32_t)(h >> 32) >> (h % 31),
                                       .rows = (h >> 16) >> (h % 47)});
}

static const struct scenario {
    const char *name;
    uint64_t exchanges;
    void (*put)(struct feed *f, uint64_t i);
} scenarios[] = {
    {"tagged", 500000, tagged},         {"untagged", 500000, untagged},
    {"one_unit", 100000, one_unit},     {"one_loop", 100000, one_loop},
    {"n_plus_one", 300000, n_plus_one}, {"no_lineage", 50000, no_lineage},
    {"write_back", 100000, write_back}, {"open_units", 200000, open_units},
    {"sessions", 300000, sessions},     {"long_statements", 30000, long_statements},
    {"every_size", 400000, every_size},
};

/* --- running --- */

static double cpu_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double feed_window(struct audit *a, const struct feed *f)
{
    double start = cpu_ns();
    for (size_t at = 0; at < f->used;) {
        const struct record_header *h = (const void *)(f->bytes + at);
        audit_record(a, h);
        at += h->len;
    }
    return cpu_ns() - start;
}

static struct det_settings settings(void)
{
    const struct levels any = {1, 10, 100, 1000};
    return (struct det_settings){
        .unit_gap_ms = 100,
        .assumed_rtt_ms = 1,
        .n_plus_one_min_count = 5,
        .n_plus_one_min_distinct = 3,
        .n_plus_one_min_distinct_ratio = 0.6,
        .unbounded_min_rows = 500,
        .unbounded_medium_rows = 2000,
        .unbounded_high_rows = 10000,
        .unbounded_critical_rows = 100000,
        .missing_index_min_rows = 10000,
        .missing_index_max_selectivity = 0.1,
        .explain_min_total_ms = 250,
        .explain_recheck_s = 3600,
        .duplicate_query = {2, 3, 10, 50},
        .write_loop = {5, 10, 50, 500},
        .consecutive_ms = {100, 500, 2000, 10000},
        .chatty = {50, 100, 300, 1000},
        .idle_transaction_ms = any,
        .long_transaction_ms = any,
        .aborted_transaction_ms = any,
        .transaction_overhead = any,
        .lost_update = any,
        .sql_errors = any,
        .connection_churn = any,
        .statement_cache = any,
        .cacheable_read_ms = any,
        .wide_columns_bytes = any,
        .deep_offset = any,
        .count_query_ms = {20, 50, 500, 5000},
        .missing_pagination = {200, 200, 2000, 100000},
        .whole_result_bytes = {10485760, 52428800, 104857600, 524288000},
        .join_blow_up_bytes = any,
        .slow_statement_ms = {100, 500, 2000, 10000},
        .http_compression_bytes = any,
        .http_caching = any,
        .http_keep_alive = any,
        .background_work_ms = any,
        .loop_stall_ms = any,
        .thread_pool_ms = any,
    };
}

struct report {
    double result_ms;
    double tree_ms;
    size_t peak; /* with the result, without its tree */
    size_t findings;
};

static struct report report_of(const struct audit *a)
{
    double start = cpu_ns();
    struct result *r = result_new(a);
    struct report out = {.result_ms = (cpu_ns() - start) / 1e6, .peak = peak};
    out.findings = r != NULL ? r->n_findings : 0;
    start = cpu_ns();
    json_decref(r != NULL ? rpt_tree(r) : NULL);
    out.tree_ms = (cpu_ns() - start) / 1e6;
    result_free(r);
    return out;
}

static double mib(size_t bytes)
{
    return (double)bytes / 1048576;
}

static int run(const struct scenario *s)
{
    static double windows[MAX_WINDOWS];
    struct feed f = {.bytes = mmap(NULL, FEED_BYTES, PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)};
    struct det_settings set = settings();
    struct audit *a = f.bytes != MAP_FAILED ? audit_new(&set) : NULL;
    if (a == NULL)
        return 1;
    double total = 0;
    size_t n = 0;
    for (uint64_t i = 0; i < s->exchanges && n < MAX_WINDOWS; n++) {
        f.used = 0;
        for (unsigned k = 0; k < WINDOW; k++)
            s->put(&f, i++);
        double ns = feed_window(a, &f);
        total += ns;
        windows[n] = ns / WINDOW;
    }
    double start = cpu_ns();
    audit_finish(a);
    total += cpu_ns() - start;
    size_t audit_peak = peak;
    struct report report = report_of(a);
    qsort(windows, n, sizeof(windows[0]), by_size);
    printf("%-16s %8llu %8.0f %8.0f %8.0f %8.1f %8.1f %8.1f %8.0f %8.0f %8zu\n", s->name,
           (unsigned long long)s->exchanges, windows[n / 2], windows[n - 1],
           total / (double)s->exchanges, mib(audit_peak), mib(report.peak), mib(peak),
           report.result_ms, report.tree_ms, report.findings);
    audit_free(a);
    return peak > MEMORY_MAX;
}

/* Memory of one scenario must not help or burden the next. */
static int run_apart(const struct scenario *s)
{
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        int failed = run(s);
        (void)fflush(stdout);
        _exit(failed);
    }
    int status = 1;
    if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0) {
        printf("%s: more than %d MiB, or it did not run\n", s->name, MEMORY_MAX / 1048576);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    int failed = 0;
    json_set_alloc_funcs(malloc, free); /* these, which count */
    printf("%-16s %8s %26s %26s %17s %8s\n", "", "", "ns an exchange", "MiB with", "ms for", "");
    printf("%-16s %8s %8s %8s %8s %8s %8s %8s %8s %8s %8s\n", "scenario", "n", "median", "worst",
           "mean", "audit", "result", "tree", "result", "tree", "findings");
    for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        bool wanted = argc < 2;
        for (int k = 1; k < argc; k++)
            wanted |= strcmp(argv[k], scenarios[i].name) == 0;
        if (wanted)
            failed |= run_apart(&scenarios[i]);
    }
    return failed;
}
