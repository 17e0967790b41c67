/*
 * The application's source: what a finding's tag names is quoted in the report (`source`).
 *
 * File names come from the wire. Whatever they say, only regular files below the folder are opened,
 * by no link that leads out of it, and only some of their lines around a function are shown.
 */
#ifndef PGSLEUTH_PROXY_SOURCES_H
#define PGSLEUTH_PROXY_SOURCES_H

#include "detectors/result.h"

/* Give the findings of `r` their quotes, where there is a file that still has such a function at
 * that line. `folder` may be empty: then nothing is done. */
void sources_quote(struct result *r, const char *folder);

/* False, with a line in the log, when the folder cannot be opened; an empty one need not be. */
bool sources_are_there(const char *folder);

#endif
