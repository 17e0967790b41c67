/*
 * Names of tables and columns as Python and SQL write them. What comes from the wire is untrusted:
 * a name that could not stand safely where it is to be written is replaced by a plain one.
 */
#ifndef PGSLEUTH_DETECTORS_NAMES_H
#define PGSLEUTH_DETECTORS_NAMES_H

#include "common/span.h"

enum { NAME_SIZE = 96 };

struct name {
    char text[NAME_SIZE];
};

/* "order_items" -> OrderItem; "Model" for what is no identifier. */
struct name name_class(struct span table);

/* "order_items" -> order_items; `otherwise` for what is no identifier. Python's keywords get an
 * underscore behind. */
struct name name_attribute(struct span table, const char *otherwise);

/* "order_items" -> order_item, "categories" -> category. */
struct name name_singular(struct span table, const char *otherwise);

/* A column that holds a reference to one: "author_id" -> author. */
struct name name_reference(struct span column, const char *otherwise);

/* An identifier for SQL, quoted when it has to be. False, and an empty text, when it holds control
 * bytes or does not fit. */
bool name_sql(struct span identifier, struct name *out);

/* As name_sql, for SQL inside a Python string in double quotes; `otherwise` for what needs quotes.
 */
struct name name_sql_in_python(struct span identifier, const char *otherwise);

/* Cut the next part off a list of columns and expressions, at a comma outside parentheses, without
 * the spaces before it; false at the end. */
bool name_next_part(struct span *list, struct span *part);

#endif
