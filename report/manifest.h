/*
 * The manifest that the tag helper writes of an application: routes with file and line, middleware,
 * settings of pools, versions. It is a file that anybody may have written: texts of it are shown as
 * text only, and what is more than the caps is left out.
 */
#ifndef PGSLEUTH_REPORT_MANIFEST_H
#define PGSLEUTH_REPORT_MANIFEST_H

#include "common/span.h"
#include "detectors/result.h"

enum {
    MANIFEST_MAX_BYTES = 4 * 1024 * 1024,
    MANIFEST_MAX_ROUTES = 10000,
    MANIFEST_MAX_TEXT = 512,
};

/* Take the manifest into `r`: its application, the handlers of its endpoints and findings, and the
 * checklist that this decides. Routes are compared as people read them (wire/sql_route.h); names of
 * parameters need not agree, since a path alone does not tell them. An endpoint that several routes
 * could be has no handler.
 *
 * False when it is no manifest, with why in `error`; then `r` is as it was. */
bool rpt_manifest(struct result *r, struct span text, char *error, size_t error_size);

#endif
