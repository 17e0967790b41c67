/*
 * What a monitoring system is told: OpenMetrics 1.0 text with the names, labels and buckets of
 * OpenTelemetry's conventions. Pure.
 *
 * The number of series is bounded: the ADMIN_MAX_ROUTES routes with most database time have their
 * own, all others share "other". Labels hold routes and methods, never SQL: an endpoint that was
 * named by its statements is "unnamed".
 */
#ifndef PGSLEUTH_PROXY_ADMIN_METRICS_H
#define PGSLEUTH_PROXY_ADMIN_METRICS_H

#include "common/strbuf.h"
#include "detectors/result.h"

enum { ADMIN_MAX_ROUTES = 200 };

#define ADMIN_METRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* What the audit does not know. */
struct admin_figures {
    int64_t uptime_us;
    long sessions_open;
    uint64_t sessions; /* begun */
    uint64_t refused;
    uint64_t statements; /* exchanges taken in */
    uint64_t dropped;    /* records */
    bool draining;
};

/* Append the whole text. 0, or -1 without memory. */
int admin_metrics(const struct result *r, const struct admin_figures *f, struct strbuf *out);

#endif
