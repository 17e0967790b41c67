/*
 * The thresholds that detectors judge by. Defaults, ranges and meanings stand in
 * config/options.def, which is the one place that knows numbers; the composition root copies them
 * here. A capture carries those of its run.
 */
#ifndef PGSLEUTH_DETECTORS_SETTINGS_H
#define PGSLEUTH_DETECTORS_SETTINGS_H

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

    double explain_min_total_ms;
    double explain_min_mean_ms;
    int64_t explain_recheck_s;
};

#endif
