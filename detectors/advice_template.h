/*
 * Advice whose code is the same for every table but for its names: text in three stacks, with
 * {Model}, {rows}, {one}, {table} and {column} in the place of names. Names pass through names.h;
 * everything else is written as it stands.
 */
#ifndef PGSLEUTH_DETECTORS_ADVICE_TEMPLATE_H
#define PGSLEUTH_DETECTORS_ADVICE_TEMPLATE_H

#include "detectors/finding.h"

struct advice_texts {
    const char *sqlalchemy;
    const char *django;
    const char *asyncpg; /* and raw SQL */
};

/* Fill the finding's variants and choose optimized_code by the stack seen. `subject` gives the
 * table; NULL where the advice is about the endpoint as a whole. */
void advice_template(struct arena *arena, struct finding *f, const struct statement *subject,
                     const struct advice_texts *texts);

/* The same, about one of its columns. */
void advice_template_column(struct arena *arena, struct finding *f, const struct statement *subject,
                            struct span column, const struct advice_texts *texts);

#endif
