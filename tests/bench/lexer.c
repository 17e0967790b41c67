/*
 * How fast the SQL lexer reads what drivers and ORMs send: bytes a second and nanoseconds a text.
 *
 *   bench_lexer [SECONDS_A_TEXT]
 */
#include "common/clock.h"
#include "wire/sql_lexer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 1000, MASKED_BYTES = 32 * 1024 };

static const struct {
    const char *name;
    const char *sql;
} texts[] = {
    {"pgbench", "SELECT abalance FROM pgbench_accounts WHERE aid = 71234;"},
    {"Django",
     "SELECT \"shop_order\".\"id\", \"shop_order\".\"created_at\", \"shop_order\".\"updated_at\", "
     "\"shop_order\".\"customer_id\", \"shop_order\".\"status\", \"shop_order\".\"currency\", "
     "\"shop_order\".\"total_net\", \"shop_order\".\"total_gross\", "
     "\"shop_order\".\"language_code\", "
     "\"shop_order\".\"tracking_client_id\", \"shop_order\".\"billing_address_id\", "
     "\"shop_order\".\"shipping_address_id\", \"shop_order\".\"user_email\", "
     "\"shop_order\".\"shipping_method_id\", \"shop_order\".\"weight\" FROM \"shop_order\" WHERE "
     "(\"shop_order\".\"customer_id\" = 4711 AND \"shop_order\".\"status\" = 'confirmed') ORDER BY "
     "\"shop_order\".\"created_at\" DESC LIMIT 21"},
    {"SQLAlchemy",
     "SELECT orders.id AS orders_id, orders.created_at AS orders_created_at, orders.customer_id AS "
     "orders_customer_id, orders.status AS orders_status, orders.total_net AS orders_total_net, "
     "orders.total_gross AS orders_total_gross, customers_1.id AS customers_1_id, "
     "customers_1.email "
     "AS customers_1_email, customers_1.display_name AS customers_1_display_name \nFROM orders "
     "LEFT "
     "OUTER JOIN customers AS customers_1 ON customers_1.id = orders.customer_id \nWHERE "
     "orders.customer_id = $1::INTEGER AND orders.status = $2::VARCHAR ORDER BY orders.created_at "
     "DESC \n LIMIT $3::INTEGER"},
    {"insert",
     "INSERT INTO \"events\" (\"kind\", \"at\", \"payload\") VALUES ('click', "
     "'2026-11-23 02:44:00+00', '{\"page\": \"/orders/4711\", \"x\": 12, \"y\": 345}'), ('view', "
     "'2026-11-23 02:44:01+00', '{\"page\": \"/orders/4712\"}') RETURNING \"events\".\"id\""},
};

static char masked[MASKED_BYTES];
static char kinds[MASKED_BYTES / 4];

static double seconds_of_a_batch(struct span text)
{
    const struct sql_masked out = {
        .text = masked, .text_size = sizeof(masked), .kinds = kinds, .kinds_size = sizeof(kinds)};
    const struct sql_dialect dialect = {.standard_conforming_strings = true};
    struct sql_scan scan;
    int64_t started_us = clock_monotonic_us();
    for (int i = 0; i < BATCH; i++)
        sql_scan(text, 0, dialect, out, &scan);
    return (double)(clock_monotonic_us() - started_us) / 1e6;
}

int main(int argc, char **argv)
{
    double limit = argc > 1 ? strtod(argv[1], NULL) : 0.5;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct span text = span_of_text(texts[i].sql);
        double best = seconds_of_a_batch(text);
        for (double spent = 0; spent < limit;) {
            double one = seconds_of_a_batch(text);
            best = one < best ? one : best;
            spent += one;
        }
        printf("%-12s %4zu bytes %8.0f ns a text %8.0f MB/s\n", texts[i].name, text.len,
               best / BATCH * 1e9, (double)text.len * BATCH / best / 1e6);
    }
    return 0;
}
