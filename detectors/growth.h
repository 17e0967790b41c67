/*
 * How a quantity grows with the number of rows, over requests of different size.
 *
 * The slope is the median of the slopes between any two requests (Theil and Sen), which a few odd
 * requests cannot bend; the exponent is the same on logarithms. Nothing is said of fewer than three
 * sizes.
 */
#ifndef PGSLEUTH_DETECTORS_GROWTH_H
#define PGSLEUTH_DETECTORS_GROWTH_H

#include <stdbool.h>
#include <stddef.h>

enum { GROWTH_MAX_POINTS = 48 };

struct growth_point {
    double rows;
    double value;
};

struct growth {
    bool known;
    double base; /* value = base + slope x rows */
    double slope;
    double exponent; /* value ~ rows ^ exponent */
    double from;     /* smallest and largest number of rows */
    double to;
};

/* The law of the first GROWTH_MAX_POINTS points; `known` is false when their sizes hardly vary. */
struct growth growth_of(const struct growth_point *points, size_t n);

/* "O(1)", "O(n)", "O(n^2)" by the exponent, "" where it lies between. Static storage. */
const char *growth_class(const struct growth *g);

#endif
