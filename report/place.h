/*
 * The place of an issue in the application's source, where other programs may be told of it.
 *
 * A file's name comes out of a comment in the traffic. Readers of the documents open what it names,
 * so only a path below the folder of the source passes: nothing absolute, nothing with "..", no
 * scheme, drive or control byte.
 */
#ifndef PGSLEUTH_REPORT_PLACE_H
#define PGSLEUTH_REPORT_PLACE_H

#include "common/strbuf.h"

#include <jansson.h>

struct rpt_place {
    const char *file; /* of the tree; NULL: none that may be named */
    json_int_t line;  /* 0: not known, or no file */
};

struct rpt_place rpt_place_of(const json_t *issue);

/* Append a path as the path of a relative URI (RFC 3986). */
void rpt_place_uri(struct strbuf *out, const char *file);

#endif
