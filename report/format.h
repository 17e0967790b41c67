/*
 * The documents that a report's tree can be written as, and which of them a person asked for: the
 * rows of report/formats.def.
 */
#ifndef PGSLEUTH_REPORT_FORMAT_H
#define PGSLEUTH_REPORT_FORMAT_H

#include "common/span.h"
#include "common/strbuf.h"

#include <jansson.h>

struct rpt_format {
    const char *name;
    const char *ending; /* of file names */
    /* Append the document. 0, or an error of report/error.h. */
    int (*write)(const json_t *tree, struct strbuf *out);
    const char *help; /* NULL: another ending of the row above */
    bool detailed;    /* it is given the tree of rpt_tree_detailed */
};

/* One document that was asked for. */
struct rpt_output {
    const struct rpt_format *format;
    struct span path; /* into the text it was read from; "-" is the standard output */
};

/* Read "FILE", "FORMAT:FILE" or "-", which is "text:-". False when no format is known for it, or
 * when it names no file. */
bool rpt_output_read(struct span text, struct rpt_output *out);

/* Append "yaml, json, ..." for a message. */
void rpt_format_names(struct strbuf *out);

#endif
