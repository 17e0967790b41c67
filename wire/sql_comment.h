/*
 * Endpoint tags in SQL comments: sqlcommenter (k='v', URL-encoded, also k=1), OpenTelemetry's and
 * Google's Python packages (which double the percent sign for pyformat drivers, so %%2F arrives
 * where the driver does not undo it), marginalia (k:v), django-query-prefixer (k=v k=v),
 * django-sql-tagger (path/file.py:12). A comment that is neither pairs nor places in the source, or
 * has no key we know, is no tag.
 *
 * Routes are stored as people read them (wire/sql_route.h).
 *
 * Values with `=` are URL-decoded (a '+' stays one), those with `:` are taken as they are. Comment
 * marks in the text separate comments, each judged by itself: nested ones, and runs of them as
 * sql_scan hands them over.
 *
 * Only the keys of sql_tag_keys.def are read; everything else of a comment is forgotten here, since
 * it may hold anything.
 */
#ifndef PGSLEUTH_WIRE_SQL_COMMENT_H
#define PGSLEUTH_WIRE_SQL_COMMENT_H

#include "common/span.h"

enum sql_tag_key {
#define SQL_TAG_KEY(name, ...) SQL_TAG_##name,
#include "wire/sql_tag_keys.def"
#undef SQL_TAG_KEY
    SQL_TAG_COUNT
};

/* Canonical spelling of a key. Static storage. */
const char *sql_tag_key_name(enum sql_tag_key key);

enum { SQL_TAG_BYTES = 768, SQL_TAG_VALUE_MAX = 255 };

/* A decoded tag in the caller's storage. Values are in `bytes`, at off[k], len[k] bytes; len 0 is
 * absent. Values longer than SQL_TAG_VALUE_MAX are cut at a UTF-8 boundary, as is one that `bytes`
 * has no room for. Control bytes are dropped, bytes that are not UTF-8 become '?'. */
struct sql_tag {
    uint16_t off[SQL_TAG_COUNT];
    uint16_t len[SQL_TAG_COUNT];
    uint16_t used;
    uint8_t bytes[SQL_TAG_BYTES];
    uint64_t trace; /* hash of the trace-id of a valid traceparent, else 0 */
};

void sql_tag_init(struct sql_tag *tag);

/* Add what one comment's body says; a key already present keeps its first value. Returns the number
 * of keys added, the trace counted as one. */
unsigned sql_tag_read(struct sql_tag *tag, struct span comment);

/* The decoded value of any key of a comment's body that is a list of pairs, in `out`; empty without
 * it. For what is not written into SQL but in the same form. */
struct span sql_comment_value(struct span comment, const char *key, uint8_t *out, size_t size);

struct span sql_tag_value(const struct sql_tag *tag, enum sql_tag_key key);

/* Hash of the trace-id of a W3C traceparent, wherever it stood; 0 when it is not a valid one. */
uint64_t sql_trace_hash(struct span text);

/* Identity of the tag over its present keys and values, trace excluded; 0 when no key is present.
 */
uint64_t sql_tag_id(const struct sql_tag *tag);

#endif
