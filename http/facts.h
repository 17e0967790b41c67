/*
 * What the headers of a request and its response say about cost: whether a body may be compressed,
 * kept, or asked for again. Their values themselves are looked at and forgotten.
 */
#ifndef PGSLEUTH_HTTP_FACTS_H
#define PGSLEUTH_HTTP_FACTS_H

#include "common/span.h"

/* Flags of enum record_http_facts in one header of a request. A value that was cut says what is in
 * the part that is there. */
uint32_t http_request_facts(struct span name, struct span value);

/* The same of a response. */
uint32_t http_response_facts(struct span name, struct span value);

#endif
