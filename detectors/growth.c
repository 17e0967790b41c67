#include "detectors/growth.h"

#include "detectors/score.h"

#include <stdlib.h>

enum { MIN_SIZES = 3, MIN_SLOPES = 6, PAIRS = GROWTH_MAX_POINTS * (GROWTH_MAX_POINTS - 1) / 2 };

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t n)
{
    qsort(values, n, sizeof(*values), by_value);
    return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/* Different sizes, counted up to MIN_SIZES. */
static unsigned count_sizes(const struct growth_point *p, size_t n)
{
    double seen[MIN_SIZES];
    unsigned sizes = 0;
    for (size_t i = 0; i < n && sizes < MIN_SIZES; i++) {
        unsigned k = 0;
        while (k < sizes && seen[k] != p[i].rows)
            k++;
        if (k == sizes)
            seen[sizes++] = p[i].rows;
    }
    return sizes;
}

static size_t slopes_of(const struct growth_point *p, size_t n, double *out)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = i + 1; k < n; k++) {
            if (p[k].rows != p[i].rows)
                out[count++] = (p[k].value - p[i].value) / (p[k].rows - p[i].rows);
        }
    }
    return count;
}

static size_t on_logarithms(const struct growth_point *p, size_t n, struct growth_point *out)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (p[i].rows > 0 && p[i].value > 0)
            out[count++] = (struct growth_point){score_log(p[i].rows), score_log(p[i].value)};
    }
    return count;
}

static void find_range(struct growth *g, const struct growth_point *p, size_t n)
{
    g->from = p[0].rows;
    g->to = p[0].rows;
    for (size_t i = 1; i < n; i++) {
        g->from = p[i].rows < g->from ? p[i].rows : g->from;
        g->to = p[i].rows > g->to ? p[i].rows : g->to;
    }
}

struct growth growth_of(const struct growth_point *points, size_t n)
{
    struct growth g = {.known = false};
    struct growth_point logarithms[GROWTH_MAX_POINTS];
    double values[PAIRS];
    if (n > GROWTH_MAX_POINTS)
        n = GROWTH_MAX_POINTS;
    size_t count = slopes_of(points, n, values);
    if (count < MIN_SLOPES || count_sizes(points, n) < MIN_SIZES)
        return g;
    g.known = true;
    find_range(&g, points, n);
    g.slope = median(values, count);
    for (size_t i = 0; i < n; i++)
        values[i] = points[i].value - g.slope * points[i].rows;
    g.base = median(values, n);
    count = slopes_of(logarithms, on_logarithms(points, n, logarithms), values);
    g.exponent = count >= MIN_SLOPES ? median(values, count) : 0;
    return g;
}

const char *growth_class(const struct growth *g)
{
    if (!g->known)
        return "";
    if (g->exponent < 0.2)
        return "O(1)";
    if (g->exponent >= 0.8 && g->exponent <= 1.2)
        return "O(n)";
    return g->exponent > 1.7 ? "O(n^2)" : "";
}
