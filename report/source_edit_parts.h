/* What the files of edits share. */
#ifndef PGSLEUTH_REPORT_SOURCE_EDIT_PARTS_H
#define PGSLEUTH_REPORT_SOURCE_EDIT_PARTS_H

#include "common/strbuf.h"
#include "detectors/finding.h"
#include "report/python_code.h"

enum { EDIT_MAX_BYTES = 4096 };

/* One change of a text, and what it asks for. The buffers are the caller's. */
struct edit {
    size_t at;             /* byte in the file */
    size_t cut;            /* bytes that go */
    struct strbuf text;    /* that comes in their place */
    struct strbuf imports; /* whole lines */
    struct strbuf assumes; /* "Author.books to be a relationship"; empty when all is shown */
};

/* The function, the logical line in it that the statement was sent from, and the finding. */
struct edit_place {
    struct py_range r;
    uint32_t logical;
    const struct finding *f;
};

/* Fill the edit, whose buffers are empty; false when it is not certain. */
typedef bool edit_function(const struct edit_place *p, struct edit *e);

edit_function edit_eager_sqlalchemy;
edit_function edit_eager_django;
edit_function edit_star;
edit_function edit_limit_sqlalchemy;
edit_function edit_limit_django;
edit_function edit_exists;

/* The only chain of these two kinds of heads (which may be one) whose class names the table; false
 * without one, and when there are several. */
bool edit_find_chain(const struct edit_place *p, enum py_head kind, enum py_head other,
                     struct span table, struct py_chain *out);

/* The byte behind a token, and where it begins. */
size_t edit_behind(const struct edit_place *p, size_t token);
size_t edit_before(const struct edit_place *p, size_t token);

#endif
