/*
 * Four thresholds of one measure, each at least the one before: where a finding begins, and where
 * it becomes of medium, high and critical severity. INFINITY is never reached.
 */
#ifndef PGSLEUTH_COMMON_LEVELS_H
#define PGSLEUTH_COMMON_LEVELS_H

struct levels {
    double low;
    double medium;
    double high;
    double critical;
};

#endif
