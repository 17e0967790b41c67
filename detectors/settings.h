/*
 * The thresholds that detectors judge by. Defaults, ranges and meanings stand in
 * config/options.def, which is the one place that knows numbers; the composition root copies them
 * here. A capture carries those of its run.
 */
#ifndef PGSLEUTH_DETECTORS_SETTINGS_H
#define PGSLEUTH_DETECTORS_SETTINGS_H

#include "common/levels.h"

#include <stdint.h>

struct det_settings {
    int64_t unit_gap_ms;
    double assumed_rtt_ms; /* one network round trip where the measured one is a loopback's */

    int64_t n_plus_one_min_count;
    int64_t n_plus_one_min_distinct;
    double n_plus_one_min_distinct_ratio;

    int64_t select_star_min_columns;
    int64_t select_star_min_bytes;

    int64_t unbounded_min_rows;
    int64_t unbounded_medium_rows;
    int64_t unbounded_high_rows;
    int64_t unbounded_critical_rows;

    int64_t missing_index_min_rows;
    double missing_index_max_selectivity;
    double missing_index_min_cost;

    int64_t explain_min_total_ms;
    double explain_min_mean_ms;
    int64_t explain_recheck_s;

    /* one a rule; its measure stands in config/options.def */
    struct levels duplicate_query;
    struct levels write_loop;
    struct levels consecutive_ms;
    struct levels chatty;
    struct levels idle_transaction_ms;
    struct levels long_transaction_ms;
    struct levels aborted_transaction_ms;
    struct levels transaction_overhead;
    struct levels lost_update;
    struct levels sql_errors;
    struct levels connection_churn;
    struct levels pool_size;
    struct levels statement_cache;
    struct levels cacheable_read_ms;
    struct levels wide_columns_bytes;
    struct levels deep_offset;
    struct levels count_query_ms;
    struct levels missing_pagination;
    struct levels whole_result_bytes;
    struct levels join_blow_up_bytes;
    struct levels slow_statement_ms;
    struct levels http_compression_bytes;
    struct levels http_caching;
    struct levels http_keep_alive;
    struct levels background_work_ms;
    struct levels loop_stall_ms;
    struct levels thread_pool_ms;
};

#endif
