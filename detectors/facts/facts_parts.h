/*
 * What the files of detectors/facts/ share: the builder that the walk fills, and the few questions
 * they ask of a parse tree. A tree is pg_query_parse()'s JSON as jansson holds it; a node is an
 * object with one member, whose name is its type. Internal to detectors/facts/.
 */
#ifndef PGSLEUTH_DETECTORS_FACTS_FACTS_PARTS_H
#define PGSLEUTH_DETECTORS_FACTS_FACTS_PARTS_H

#include "wire/record.h"

#include <jansson.h>

enum {
    FACTS_MAX_TABLES = 24,
    FACTS_MAX_PREDICATES = 48,
    FACTS_MAX_RELATIONS = 32,
    FACTS_MAX_CTES = 32,
    FACTS_NAME_MAX = 127, /* "schema.name" of two identifiers as the server cuts them */
    FACTS_COLUMN_MAX = 63,
    FACTS_NO_TABLE = 255,
};

/* Something in the outermost FROM that columns may be qualified with. The name is the tree's. */
struct facts_relation {
    const char *name;
    uint8_t table; /* or FACTS_NO_TABLE: a CTE, a subquery, a function */
};

struct facts_predicate {
    uint8_t op;
    uint8_t table;
    char column[FACTS_COLUMN_MAX + 1];
};

struct facts_builder {
    uint32_t flags;
    uint32_t n_targets;
    enum sql_verb verb;
    unsigned n_tables;
    unsigned n_predicates;
    unsigned n_relations;
    unsigned n_ctes;
    char tables[FACTS_MAX_TABLES][FACTS_NAME_MAX + 1];
    struct facts_predicate predicates[FACTS_MAX_PREDICATES];
    struct facts_relation relations[FACTS_MAX_RELATIONS];
    const char *ctes[FACTS_MAX_CTES]; /* names visible where the walk is */
};

/* --- tree.c --- */

/* The inside of a node and, in `type`, its name; NULL for what is no node. */
json_t *facts_node(json_t *node, const char **type);

/* The inside of a node of this type, or NULL. */
json_t *facts_node_is(json_t *node, const char *type);

/* A member's text, "" when it is absent or no text. */
const char *facts_text(json_t *object, const char *member);

/* The text of the last String of a list: an operator's or a function's unqualified name; "" when
 * there is none. */
const char *facts_last_name(json_t *list);

/* Whether a node of this type is in the tree, subqueries excluded. */
bool facts_contains(json_t *tree, const char *type);

/* --- tables.c --- */

/* Note the table of a RangeVar's inside. Its index, or FACTS_NO_TABLE for a CTE's name or when
 * there are too many. */
uint8_t facts_add_table(struct facts_builder *b, json_t *range_var);

/* Make the CTEs of a statement known to facts_add_table; n_ctes is reset by the caller. */
void facts_add_ctes(struct facts_builder *b, json_t *statement);

/* Note tables, and the flags that count at any depth, of a whole tree. */
void facts_walk(struct facts_builder *b, json_t *tree);

/* Whether every table noted belongs to the server's own catalogs; false when there is none. */
bool facts_only_catalog(const struct facts_builder *b);

/* --- predicates.c --- */

/* Make the items of the outermost FROM known, so that columns resolve. NULL is allowed. */
void facts_add_relation(struct facts_builder *b, json_t *item);
void facts_add_from(struct facts_builder *b, json_t *from);

/* Note the predicates of the joins in a FROM list. NULL is allowed. */
void facts_add_join_predicates(struct facts_builder *b, json_t *from);

/* Note the predicates of a condition. NULL is allowed. */
void facts_add_predicates(struct facts_builder *b, json_t *condition);

/* Only its column = column parts. */
void facts_add_equalities_of_columns(struct facts_builder *b, json_t *condition);

/* --- statement.c --- */

/* Read the outermost statement, a node, and all below it. */
void facts_read_statement(struct facts_builder *b, json_t *node);

#endif
