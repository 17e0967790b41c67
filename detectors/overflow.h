/*
 * What an audit left out because a cap was reached: one counter for each row of overflows.def.
 *
 * Everything that traffic could grow has a cap, and what came after it is counted by its owner;
 * here the counts come together for the report.
 */
#ifndef PGSLEUTH_DETECTORS_OVERFLOW_H
#define PGSLEUTH_DETECTORS_OVERFLOW_H

#include <stdint.h>

struct audit;

enum overflow {
#define OVERFLOW(name, one, many) OVERFLOW_##name,
#include "detectors/overflows.def"
#undef OVERFLOW
    OVERFLOWS
};

struct overflow_text {
    const char *name;
    const char *one; /* "request cut at its cap" */
    const char *many;
};

/* Rows in the order of the enum. Static storage. */
extern const struct overflow_text overflow_texts[OVERFLOWS];

/* All counts as they are now; that of findings is a report's own and stays 0. */
void overflow_count(const struct audit *a, uint64_t out[OVERFLOWS]);

#endif
