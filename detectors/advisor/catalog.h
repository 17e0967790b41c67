/*
 * What the catalog says of the table of a scan: its size, the columns a filter names, its indexes;
 * and of a parent table, which foreign keys refer to it without an index. Every query is
 * parametrised, names pg_catalog, and is to be run with an empty search_path, so that nothing that
 * somebody put into a schema gets in.
 *
 * Tables are kept for a minute, so that the statements of one table read them once.
 */
#ifndef PGSLEUTH_DETECTORS_ADVISOR_CATALOG_H
#define PGSLEUTH_DETECTORS_ADVISOR_CATALOG_H

#include "detectors/advisor/filter.h"
#include "detectors/advisor/link.h"
#include "detectors/advisor/plan.h"

enum { ADVISOR_MAX_INDEXES = 64, ADVISOR_MORE_COLUMNS = 3, ADVISOR_MAX_TABLES = 32 };

/* The column of the term with the same number. */
struct advisor_column {
    bool exists;
    char type[ADVISOR_NAME_SIZE]; /* of a domain: the type below it */
    double n_distinct;            /* as in pg_stats; 0 when unknown */
    bool c_collation;             /* a plain index serves LIKE */
    bool pure_call;               /* the term's function may stand in an index */
    bool foreign_key;             /* it alone refers to another table */
};

struct advisor_index {
    char name[ADVISOR_NAME_SIZE];
    char method[ADVISOR_NAME_SIZE];
    char column[ADVISOR_NAME_SIZE];                     /* its first; "" for an expression */
    char expression[ADVISOR_EXPRESSION_SIZE];           /* its first, as the server writes it */
    char more[ADVISOR_MORE_COLUMNS][ADVISOR_NAME_SIZE]; /* its 2nd and following; "" likewise */
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

/* A foreign key without an index on the side that refers. */
struct advisor_child {
    char schema[ADVISOR_NAME_SIZE];
    char table[ADVISOR_NAME_SIZE];
    char columns[4 * ADVISOR_NAME_SIZE]; /* bare names separated by ", " */
    double rows;
    double bytes;
};

struct advisor_catalog {
    struct advisor_cached *tables[ADVISOR_MAX_TABLES]; /* own */
    unsigned next;                                     /* the slot to give away */
};

/* In the caller's storage. */
void advisor_catalog_init(struct advisor_catalog *catalog);
void advisor_catalog_fini(struct advisor_catalog *catalog);

/* Fill `out`; unqualified functions of the filter are looked up in `schemas`, an array in the
 * server's notation. Anything but LINK_OK leaves it half filled. A table that is gone has no
 * columns. */
enum advisor_link_status advisor_catalog_read(struct advisor_catalog *catalog,
                                              struct advisor_link *link,
                                              const struct advisor_scan *scan,
                                              const struct advisor_filter *filter,
                                              const char *schemas, struct advisor_table *out);

/* The largest of the tables that refer to this one without an index, and how many of those foreign
 * keys there are; 0 when each has one. */
enum advisor_link_status advisor_catalog_children(struct advisor_link *link,
                                                  const struct advisor_deleted *parent,
                                                  struct advisor_child *out, unsigned *n);

#endif
