/*
 * The file of the application's manifest (`manifest`), read anew for each report: the application
 * may be started after pgsleuth, and again.
 */
#ifndef PGSLEUTH_PROXY_MANIFEST_H
#define PGSLEUTH_PROXY_MANIFEST_H

#include "detectors/result.h"

/* Take the manifest into `r`, where there is one. With `tell` a file that is no manifest is named
 * in the log. `path` may be empty: then nothing is done. */
void manifest_take(struct result *r, const char *path, bool tell);

#endif
