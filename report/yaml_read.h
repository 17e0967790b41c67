/*
 * A YAML document as a tree: the reports that this program wrote, and the files of findings that
 * people write. Hostile input: size, depth and number of values are bounded, and of YAML only
 * mappings with text keys, lists and scalars are taken: no anchor, alias, tag, second document or
 * duplicate key.
 *
 * A plain scalar is null, a boolean, an integer or a real when it is written as JSON writes them
 * (or as ~ or nothing); any other is a text, and so is everything in quotes.
 */
#ifndef PGSLEUTH_REPORT_YAML_READ_H
#define PGSLEUTH_REPORT_YAML_READ_H

#include "common/span.h"

#include <jansson.h>

enum {
    RPT_YAML_MAX_BYTES = 256 * 1024 * 1024,
    RPT_YAML_MAX_DEPTH = 24,
    RPT_YAML_MAX_VALUES = 8 * 1024 * 1024,
};

struct rpt_yaml_error {
    char text[160]; /* "4:2: duplicate key", without the name of the file; quotes nothing of it */
};

/* The tree, given back with json_decref; NULL with the line in *error. An empty document is null.
 */
json_t *rpt_yaml_read(struct span text, struct rpt_yaml_error *error);

#endif
