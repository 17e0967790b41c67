/*
 * What decoding and auditing one transaction costs, without sockets: the bytes of `pgbench -S` in
 * its three protocols shown to a tap, the records drained and, with `audit`, judged.
 *
 *   bench_tap simple|extended|prepared|rows drain|audit TRANSACTIONS
 *
 * Prints nanoseconds a transaction; `tests/bench/run.py` counts its instructions by callgrind as
 * the difference of two runs. `rows` is one result of 10,000 rows of 100 bytes.
 */
#include "wire/tap.h"
#include "common/clock.h"
#include "detectors/audit.h"
#include "proxy/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RING_BYTES = 8 << 20, BUFFER_BYTES = 2 << 20, READ_BYTES = 64 * 1024, STEP_US = 20 };

enum { VALUE_DIGITS = 5 };
static const char first_value[] = "71234";

struct stream {
    uint8_t bytes[BUFFER_BYTES];
    size_t len;
};

static struct stream greeting, before_client, before_server, client, server;

static void put(struct stream *s, const void *bytes, size_t len)
{
    memcpy(s->bytes + s->len, bytes, len);
    s->len += len;
}

static void put_u16(struct stream *s, unsigned v)
{
    put(s, (uint8_t[]){(uint8_t)(v >> 8), (uint8_t)v}, 2);
}

static void put_u32(struct stream *s, size_t v)
{
    put_u16(s, (unsigned)(v >> 16) & 0xffff);
    put_u16(s, (unsigned)v & 0xffff);
}

static void put_text(struct stream *s, const char *text)
{
    put(s, text, strlen(text) + 1);
}

static size_t begin(struct stream *s, char type)
{
    put(s, &type, 1);
    put_u32(s, 0);
    return s->len - 4;
}

static void end(struct stream *s, size_t at)
{
    struct stream *length = s;
    size_t all = s->len;
    length->len = at;
    put_u32(length, all - at);
    s->len = all;
}

static void bare(struct stream *s, char type)
{
    end(s, begin(s, type));
}

static void ready(struct stream *s)
{
    size_t at = begin(s, 'Z');
    put(s, "I", 1);
    end(s, at);
}

static void complete(struct stream *s, const char *tag)
{
    size_t at = begin(s, 'C');
    put_text(s, tag);
    end(s, at);
}

static void description(struct stream *s, const char *name, unsigned type)
{
    size_t at = begin(s, 'T');
    put_u16(s, 1);
    put_text(s, name);
    put_u32(s, 16400);
    put_u16(s, 3);
    put_u32(s, type);
    put_u16(s, 4);
    put_u32(s, UINT32_MAX);
    put_u16(s, 0);
    end(s, at);
}

static void row(struct stream *s, const char *value, size_t len)
{
    size_t at = begin(s, 'D');
    put_u16(s, 1);
    put_u32(s, len);
    put(s, value, len);
    end(s, at);
}

static void query(const char *sql)
{
    size_t at = begin(&client, 'Q');
    put_text(&client, sql);
    end(&client, at);
}

static void parse(struct stream *s, const char *name, const char *sql)
{
    size_t at = begin(s, 'P');
    put_text(s, name);
    put_text(s, sql);
    put_u16(s, 0);
    end(s, at);
}

static void bind_and_run(const char *name, bool describe)
{
    size_t at = begin(&client, 'B');
    put_text(&client, "");
    put_text(&client, name);
    put_u16(&client, 0);
    put_u16(&client, 1);
    put_u32(&client, VALUE_DIGITS);
    put(&client, first_value, VALUE_DIGITS);
    put_u16(&client, 0);
    end(&client, at);
    if (describe) {
        at = begin(&client, 'D');
        put(&client, "P", 2);
        end(&client, at);
    }
    at = begin(&client, 'E');
    put_text(&client, "");
    put_u32(&client, 0);
    end(&client, at);
    bare(&client, 'S');
    bare(&server, '2');
    if (describe)
        description(&server, "abalance", 23);
    row(&server, "0", 1);
    complete(&server, "SELECT 1");
    ready(&server);
}

static const char by_literal[] = "SELECT abalance FROM pgbench_accounts WHERE aid = 71234;";
static const char by_param[] = "SELECT abalance FROM pgbench_accounts WHERE aid = $1;";

static bool write_transaction(const char *protocol)
{
    ready(&greeting);
    if (strcmp(protocol, "simple") == 0) {
        query(by_literal);
        description(&server, "abalance", 23);
        row(&server, "0", 1);
        complete(&server, "SELECT 1");
        ready(&server);
    } else if (strcmp(protocol, "extended") == 0) {
        parse(&client, "", by_param);
        bare(&server, '1');
        bind_and_run("", true);
    } else if (strcmp(protocol, "prepared") == 0) {
        parse(&before_client, "P0_1", by_param);
        bare(&before_client, 'S');
        bare(&before_server, '1');
        ready(&before_server);
        bind_and_run("P0_1", true);
    } else if (strcmp(protocol, "rows") == 0) {
        static char value[100];
        memset(value, 'x', sizeof(value));
        query("SELECT filler FROM lines");
        description(&server, "filler", 25);
        for (int i = 0; i < 10000; i++)
            row(&server, value, sizeof(value));
        complete(&server, "SELECT 10000");
        ready(&server);
    } else {
        return false;
    }
    return true;
}

static uint64_t drain(struct ring *ring, struct audit *audit)
{
    uint64_t n = 0;
    const struct record_header *h;
    while ((h = ring_peek(ring)) != NULL) {
        if (audit != NULL)
            audit_record(audit, h);
        n += h->type == RECORD_EXCHANGE;
        ring_release(ring);
    }
    return n;
}

static void show(struct wire_tap *tap, const struct stream *s, bool from_client, int64_t now_us)
{
    for (struct span left = span_of(s->bytes, s->len); left.len > 0;
         left = span_skip(left, left.len < READ_BYTES ? left.len : READ_BYTES)) {
        struct span piece = span_head(left, READ_BYTES);
        if (from_client)
            wire_tap_from_client(tap, piece, now_us);
        else
            wire_tap_from_server(tap, piece, now_us);
    }
}

/* Another account each time, as pgbench asks. */
static void next_value(long i)
{
    static uint8_t *digits;
    if (digits == NULL)
        digits = memmem(client.bytes, client.len, first_value, VALUE_DIGITS);
    long value = 10000 + i * 7919 % 90000;
    for (int d = VALUE_DIGITS; digits != NULL && d > 0; d--, value /= 10)
        digits[d - 1] = (uint8_t)('0' + value % 10);
}

int main(int argc, char **argv)
{
    if (argc != 4 || !write_transaction(argv[1])) {
        fprintf(stderr, "usage: %s simple|extended|prepared|rows drain|audit TRANSACTIONS\n",
                argv[0]);
        return 2;
    }
    static struct wire_context context;
    static struct wire_tap tap;
    struct ring *ring = ring_new(RING_BYTES);
    struct cfg_options options;
    struct cfg_error error;
    if (cfg_load(&(struct cfg_input){.scope = CFG_RUN}, &options, &error) != 0)
        return 1;
    struct det_settings settings = settings_of_options(&options);
    struct audit *audit = strcmp(argv[2], "audit") == 0 ? audit_new(&settings) : NULL;
    long transactions = strtol(argv[3], NULL, 10);
    if (ring == NULL)
        return 1;
    wire_context_init(&context, ring, false);
    struct wire_session_info info = {.user = span_of_text("bench")};
    wire_tap_begin(&tap, &context, 1, &info, 0);
    show(&tap, &greeting, false, 0);
    show(&tap, &before_client, true, 0);
    show(&tap, &before_server, false, 0);
    uint64_t exchanges = 0;
    int64_t started_us = clock_monotonic_us();
    for (long i = 1; i <= transactions; i++) {
        next_value(i);
        show(&tap, &client, true, i * STEP_US);
        show(&tap, &server, false, i * STEP_US + STEP_US / 2);
        if (i % 64 == 0)
            exchanges += drain(ring, audit);
    }
    exchanges += drain(ring, audit);
    int64_t spent_us = clock_monotonic_us() - started_us;
    printf("%s %s: %.0f ns a transaction, %llu exchanges%s\n", argv[1], argv[2],
           transactions > 0 ? 1000.0 * (double)spent_us / (double)transactions : 0,
           (unsigned long long)exchanges, wire_tap_is_opaque(&tap) ? ", opaque" : "");
    struct wire_session_end over = {.now_us = transactions * STEP_US};
    wire_tap_end(&tap, &over);
    drain(ring, audit);
    audit_free(audit);
    cfg_options_fini(&options);
    wire_context_fini(&context);
    ring_free(ring);
    return 0;
}
