/* What the files of advice share. */
#ifndef PGSLEUTH_DETECTORS_ADVICE_PARTS_H
#define PGSLEUTH_DETECTORS_ADVICE_PARTS_H

#include "detectors/advice.h"
#include "detectors/ledger.h"
#include "detectors/names.h"
#include "detectors/text.h"

/* Set optimized_code to the variant of the stack that the endpoint was seen to use. `subject` is a
 * statement that its ORM wrote. */
void advice_choose(struct arena *arena, struct finding *f, const struct statement *subject);

/* The first columns of a statement's result, as `prefix`name joined by ", ", each safe in Python;
 * `otherwise` when none is known. */
void advice_put_columns(struct strbuf *b, const struct statement *s, const char *prefix,
                        const char *otherwise);

/* PostgreSQL's array type of a key's type, for "= ANY($1::...)"; "" when not known. */
const char *advice_array_cast(uint32_t type_oid);

#endif
