#include "detectors/score.h"

#include <math.h>

enum { FEW_REQUESTS = 20, SERIES_TERMS = 22 };

#define LN2       0.6931471805599453
#define SQRT_HALF 0.7071067811865476

/* The inverse of erfc at 1/5: makes p10 score 0.9. */
#define ERFC_INVERSE_FIFTH 0.9061938024368232

/* Logarithm and exponential by their series, exact to the last few bits here: scores are cut to two
 * digits, and a capture must give the same ones whatever libm reads it. */
double score_log(double x)
{
    int exponent;
    double m = frexp(x, &exponent);
    if (m < SQRT_HALF) {
        m *= 2;
        exponent--;
    }
    double t = (m - 1) / (m + 1);
    double power = t;
    double sum = 0;
    for (int k = 1; k < SERIES_TERMS; k += 2) {
        sum += power / k;
        power *= t * t;
    }
    return 2 * sum + exponent * LN2;
}

static double exponential(double x)
{
    if (x < -700)
        return 0;
    int halvings = (int)(x / LN2);
    double r = x - halvings * LN2;
    double term = 1;
    double sum = 1;
    for (int k = 1; k < SERIES_TERMS; k++) {
        term *= r / k;
        sum += term;
    }
    return ldexp(sum, halvings);
}

/* Error function, Abramowitz and Stegun 7.1.26: the one the model was calibrated with. */
static double error_function(double x)
{
    double t = 1 / (1 + 0.3275911 * fabs(x));
    double y = t * (0.254829592 +
                    t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
    double magnitude = 1 - y * exponential(-x * x);
    return x < 0 ? -magnitude : magnitude;
}

static double clamp(double v, double low, double high)
{
    return v < low ? low : v > high ? high : v;
}

double score_curve(double value, double p10, double median)
{
    double s = 1;
    if (value > 0) {
        double x = score_log(value / median) * ERFC_INVERSE_FIFTH / -score_log(p10 / median);
        s = (1 - error_function(x)) / 2;
        if (value <= p10)
            s = clamp(s, 0.9, 1);
        else if (value <= median)
            s = clamp(s, 0.5, 0.8999999999999999);
        else
            s = clamp(s, 0, 0.4999999999999999);
    }
    if (s > 0.9)
        s += 0.05 * (s - 0.9);
    return (int)(100 * s) / 100.0;
}

void score_init(struct score *s)
{
    *s = (struct score){
        .value = -1,
        .provisional = true,
        .metrics =
            {
#define SCORE_METRIC(name, id_, unit_, weight_, p10_, median_)                                     \
    [SCORE_##name] = {                                                                             \
        .id = (id_), .unit = (unit_), .weight = (weight_), .p10 = (p10_), .median = (median_)},
#include "detectors/score_metrics.def"
#undef SCORE_METRIC
            },
    };
}

void score_set(struct score *s, enum score_metric_index m, double value, uint64_t n)
{
    struct score_metric *metric = &s->metrics[m];
    metric->observed = true;
    metric->value = value;
    metric->score = score_curve(value, metric->p10, metric->median);
    metric->n = n;
}

void score_finish(struct score *s, uint64_t requests)
{
    double sum = 0;
    int observed = 0;
    int all = 0;
    for (int m = 0; m < SCORE_METRICS; m++) {
        all += s->metrics[m].weight;
        if (!s->metrics[m].observed)
            continue;
        observed += s->metrics[m].weight;
        sum += s->metrics[m].score * s->metrics[m].weight;
    }
    s->coverage = all > 0 ? (double)observed / all : 0;
    bool covered = s->coverage >= 0.5;
    s->value = covered ? (int)(100 * sum / observed + 0.5) : -1;
    s->provisional = !covered || requests < FEW_REQUESTS;
}
