/*
 * From a request's target to a route: the path with every segment that could be a value replaced.
 *
 * This happens in the worker, before a record is made, because paths hold account numbers, tokens
 * and e-mail addresses and a capture must not. Query and fragment are dropped. A segment stays only
 * when it reads like a word of the program: letters, '-', '_' and '.', not long, at most a short
 * number at its end ("v2", "oauth2"). Names of people read like that too: the audit learns where
 * the segments vary and takes them together (detectors/routes.h).
 *
 * The user's patterns are asked first: "/users/{name}/posts", with commas between them; a segment
 * in braces stands for any one segment, a last segment "*" for all that follows.
 */
#ifndef PGSLEUTH_HTTP_ROUTE_H
#define PGSLEUTH_HTTP_ROUTE_H

#include "wire/record.h"

/* Whether the text is a list of patterns: each begins with '/' and is shorter than a route may be.
 * The empty text is an empty list. */
bool http_patterns_are_good(const char *patterns);

/* Write the route of a target, without a NUL, and give its length. `cut` says that the target was
 * longer than what is shown: what its end was is not known. */
size_t http_route(struct span target, bool cut, const char *patterns, char out[RECORD_ROUTE_MAX]);

#endif
