/*
 * File names of endpoints: "GET /orm/authors/{author_id}" is "get-orm-authors-author_id".
 *
 * Letters are lowered; space and the marks of routes (/ { } < > : #) become one '-' each run; a
 * name is at most RPT_SLUG_MAX bytes of [a-z0-9_-] and neither empty nor beginning or ending in
 * '-'. A name that lost anything else, or that was cut, gets '-' and the first eight hexadecimal
 * digits of the endpoint's key, so that it is the same in every run. So do all names that would be
 * equal to each other. Routes are hostile input: nothing of them but these bytes reaches a path.
 */
#ifndef PGSLEUTH_REPORT_SLUG_H
#define PGSLEUTH_REPORT_SLUG_H

#include "detectors/result.h"

enum { RPT_SLUG_MAX = 80 };

struct rpt_slugs; /* the names of one result's endpoints */

/* NULL when there is no memory. */
struct rpt_slugs *rpt_slugs_new(const struct result *r);
void rpt_slugs_free(struct rpt_slugs *s);

/* Name of r->endpoints[i], i < r->n_endpoints; lives as long as `s`. */
const char *rpt_slug(const struct rpt_slugs *s, size_t i);

#endif
