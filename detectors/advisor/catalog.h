/*
 * What the catalog says of the table of a scan: its size, the columns a filter names, its indexes.
 * Every query is parametrised and names pg_catalog, so that nothing on the search_path gets in.
 */
#ifndef PGSLEUTH_DETECTORS_ADVISOR_CATALOG_H
#define PGSLEUTH_DETECTORS_ADVISOR_CATALOG_H

#include "detectors/advisor/filter.h"
#include "detectors/advisor/link.h"
#include "detectors/advisor/plan.h"

enum { ADVISOR_MAX_INDEXES = 64 };

/* The column of the term with the same number. */
struct advisor_column {
    bool exists;
    char type[ADVISOR_NAME_SIZE]; /* of a domain: the type below it */
    double n_distinct;            /* as in pg_stats; 0 when unknown */
    bool c_collation;             /* a plain index serves LIKE */
    bool pure_call;               /* the term's function may stand in an index */
};

struct advisor_index {
    char name[ADVISOR_NAME_SIZE];
    char method[ADVISOR_NAME_SIZE];
    char column[ADVISOR_NAME_SIZE];           /* its first; "" for an expression */
    char expression[ADVISOR_EXPRESSION_SIZE]; /* its first, as the server writes it */
    char opclass[ADVISOR_NAME_SIZE];
    bool valid;
    bool partial;
};

struct advisor_table {
    double rows;
    double bytes;
    struct advisor_column columns[ADVISOR_MAX_TERMS];
    unsigned n_indexes;
    struct advisor_index indexes[ADVISOR_MAX_INDEXES];
};

/* Fill `out`. Anything but LINK_OK leaves it half filled. A table that is gone has no columns. */
enum advisor_link_status advisor_catalog_read(struct advisor_link *link,
                                              const struct advisor_scan *scan,
                                              const struct advisor_filter *filter,
                                              struct advisor_table *out);

#endif
