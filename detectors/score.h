/*
 * performance_score: a weighted mean of metrics, each through a log-normal curve with two control
 * points (p10 scores 0.90, median scores 0.50). The model, its constants and the curve are those of
 * Lighthouse v10 (github.com/GoogleChrome/lighthouse, core/scoring.js and shared/statistics.js);
 * the metrics and control points are ours, in score_metrics.def. Findings never move the score:
 * only measurements do.
 */
#ifndef PGSLEUTH_DETECTORS_SCORE_H
#define PGSLEUTH_DETECTORS_SCORE_H

#include <stdbool.h>
#include <stdint.h>

enum score_metric_index {
#define SCORE_METRIC(name, id, unit, weight, p10, median) SCORE_##name,
#include "detectors/score_metrics.def"
#undef SCORE_METRIC
    SCORE_METRICS
};

struct score_metric {
    const char *id;
    const char *unit;
    int weight;
    double p10;
    double median;
    bool observed;
    double value;
    double score; /* 0..1, meaningless when not observed */
    uint64_t n;
};

struct score {
    int value;        /* 0..100, or -1 when coverage is under 0.5 */
    double coverage;  /* share of the weights that was observed */
    bool provisional; /* low coverage or fewer than 20 requests */
    struct score_metric metrics[SCORE_METRICS];
};

/* The natural logarithm of x > 0, the same whatever the C library. */
double score_log(double x);

/* Score of one value on a curve. */
double score_curve(double value, double p10, double median);

/* The table's metrics, none observed. */
void score_init(struct score *s);

/* Set one metric. */
void score_set(struct score *s, enum score_metric_index m, double value, uint64_t n);

/* Fill value, coverage and provisional from the metrics, for `requests` requests. */
void score_finish(struct score *s, uint64_t requests);

#endif
