/*
 * The flat record: what a worker tells the auditor, what a capture file holds, what the tests feed.
 *
 * A record is a header, a fixed struct, and a tail of bytes whose parts are described by lengths in
 * the fixed struct; it has no pointers, its size is a multiple of 8, and it is written in the byte
 * order of the machine. The ring, the capture file and the tests hold the same bytes.
 *
 * Everything the auditor ever learns arrives as a record, also the grammar's facts and the
 * advisor's plans, so that a capture replayed gives the same report byte for byte without parser,
 * database or clock.
 *
 * A capture is hostile input like any file: record_check() must say yes before any other function
 * here is given a record that was not made by this process.
 *
 * Times are microseconds since the run started (monotonic); RUN_START alone holds the wall clock.
 */
#ifndef PGSLEUTH_WIRE_RECORD_H
#define PGSLEUTH_WIRE_RECORD_H

#include "common/span.h"
#include "wire/sql_comment.h"
#include "wire/sql_lexer.h"

enum record_type {
    RECORD_NONE,
#define RECORD(name, type, captured) RECORD_##name,
#include "wire/record_types.def"
#undef RECORD
    RECORD_TYPE_COUNT
};

enum {
    RECORD_ALIGN = 8,
    RECORD_MAX_BYTES = 128 * 1024,
    RECORD_TEXT_MAX = 32 * 1024,   /* masked text kept of one statement */
    RECORD_SAMPLE_MAX = 16 * 1024, /* values of a statement kept in memory for EXPLAIN */
    RECORD_MAX_KEYS = 8,           /* key-like columns watched in one result */
    RECORD_MAX_KEY_HASHES = 4096,  /* their values kept from one result */
};

/* No time is later, also of day: 4500 years. Sums of two and thousandfolds of spans stay in int64.
 */
#define RECORD_TIME_MAX_US (INT64_C(1) << 57)

struct record_header {
    uint32_t
        len; /* whole record, a multiple of RECORD_ALIGN; first, because the ring frames by it */
    uint16_t type;
    uint16_t flags;
};

/* The first record of a run. Tail: version, then settings ("name=value\n" of the options that
 * change a verdict, so that a replay judges with the thresholds of the run). */
struct record_run_start {
    struct record_header h;
    int64_t wall_us; /* microseconds since 1970 */
    uint16_t version_len;
    uint16_t settings_len;
    uint8_t explain_state; /* enum record_explain_state */
    uint8_t http;          /* 1: requests are listened for; their records may come behind others */
    uint8_t pad[2];
};

enum record_explain_state { RECORD_EXPLAIN_OFF_NO_DSN, RECORD_EXPLAIN_OFF, RECORD_EXPLAIN_ON };

/* In the header's flags of a SESSION_START: the session is older than the run, whose begin is its
 * time. */
enum { SESSION_OLDER = 1 };

/* Tail: user, database, application_name, client (address without port). */
struct record_session_start {
    struct record_header h;
    uint64_t session;
    int64_t time_us;
    uint16_t user_len;
    uint16_t database_len;
    uint16_t application_len;
    uint16_t client_len;
};

struct record_session_end {
    struct record_header h;
    uint64_t session;
    int64_t time_us;
    uint64_t bytes_from_client;
    uint64_t bytes_from_server;
    uint32_t startup_us; /* StartupMessage to the first ReadyForQuery; 0 when it never came */
    uint16_t reason;     /* enum of proxy/close_reasons.def */
    uint8_t terminate;   /* the client said Terminate */
    uint8_t stopped;     /* by the end of pgsleuth itself: neither peer wanted it */
};

struct record_session_opaque {
    struct record_header h;
    uint64_t session;
    int64_t time_us;
    uint16_t reason; /* enum wire_opaque_reason */
    uint16_t pad[3];
};

/* Statements of a session that were relayed without being read, in a pipeline too deep to hold. */
struct record_unread {
    struct record_header h;
    uint64_t session;
    int64_t time_us;
    uint64_t statements;
    uint16_t reason; /* enum wire_opaque_reason */
    uint16_t pad[3];
};

/* First sight of a statement by a worker; the auditor may get it once from each. Tail: masked text,
 * kinds. */
struct record_statement {
    struct record_header h;
    struct sql_id id;
    uint16_t verb;       /* enum sql_verb */
    uint16_t scan_flags; /* enum sql_scan_flags */
    uint16_t text_len;
    uint16_t kinds_len;
};

/* First sight of an endpoint tag by a worker. Tail: the values in the order of sql_tag_keys.def. */
struct record_tag {
    struct record_header h;
    uint64_t id;
    uint16_t len[SQL_TAG_COUNT];
};

struct record_column {
    uint32_t table_oid; /* 0: not a plain column */
    uint32_t type_oid;
    uint16_t attnum;
    uint16_t name_len;
    uint32_t pad;
};

enum { RECORD_MAX_COLUMNS = 128 };

/* What a statement's rows look like, from RowDescription, at its first sight. Tail: n
 * record_column, then their names one after the other. */
struct record_columns {
    struct record_header h;
    struct sql_id id;
    uint16_t n_columns; /* in the tail, at most RECORD_MAX_COLUMNS */
    uint16_t total;     /* of the result */
    uint32_t names_len;
};

enum record_exchange_flags {
    EXCHANGE_ERROR = 1 << 0,      /* ended in ErrorResponse; sqlstate is set */
    EXCHANGE_SUSPENDED = 1 << 1,  /* ended in PortalSuspended: more rows may exist */
    EXCHANGE_BATCH = 1 << 2,      /* one of several statements in one Query */
    EXCHANGE_PIPELINED = 1 << 3,  /* shares its round trip with an earlier exchange */
    EXCHANGE_EXTENDED = 1 << 4,   /* Parse/Bind/Execute; else simple Query */
    EXCHANGE_REUSED = 1 << 5,     /* its Parse was for an earlier execution */
    EXCHANGE_KEYS_CUT = 1 << 6,   /* key hashes are those of the first rows only */
    EXCHANGE_VALUES_CUT = 1 << 7, /* more values than SQL_MAX_VALUES */
    EXCHANGE_LIST = 1 << 8,       /* a list of two or more values in it */
    EXCHANGE_COPY = 1 << 9,       /* COPY in or out */
    EXCHANGE_UNKNOWN = 1 << 10,   /* its Parse was never seen: id is {0,0} */
    EXCHANGE_FIRST_OF_CONNECTION = 1 << 11,
};

/* One statement's request and reply. Tail: n_values hashes, then n_keys record_key, then all their
 * hashes. */
struct record_exchange {
    struct record_header h;
    uint64_t session;
    struct sql_id id;
    uint64_t tag;      /* record_tag.id or 0 */
    uint64_t trace;    /* hash of a trace id or 0 */
    int64_t start_us;  /* the request was read */
    uint32_t first_us; /* from start to the first byte of the reply; saturates */
    uint32_t total_us; /* from start to its completion; saturates */
    uint64_t rows;
    uint64_t bytes;       /* of DataRow and CopyData bodies from the server, or of CopyData to it */
    uint64_t result_hash; /* over the rows in order; 0 when there were none, or when not all of
                             their bytes were seen */
    uint64_t values_hash; /* over every value bound or written; 0 when there is none, or when not
                             all were seen */
    uint32_t round_trip; /* counts the session's Query and Sync messages: equal means they travelled
                            together */
    uint32_t
        portal; /* same non-zero number: further Executes of one portal, one logical statement */
    uint32_t max_rows; /* of Execute; 0 is all */
    uint16_t batch_index;
    uint16_t batch_count;
    uint32_t exchange_flags;
    uint8_t verb;      /* enum sql_verb */
    uint8_t tx_before; /* 'I', 'T', 'E', or 0 when not known */
    uint8_t tx_after;
    uint8_t n_values;
    char sqlstate[5];
    uint8_t n_keys;
    uint16_t n_key_hashes;
    uint64_t affected; /* rows of the command tag; equals `rows` for SELECT */
    uint64_t offset;   /* of its outermost OFFSET clause, literal or bound; 0 without one */
    uint64_t limit;    /* of its outermost LIMIT or FETCH FIRST clause; 0 without one */
};

struct record_key {
    uint32_t table_oid;
    uint32_t type_oid;
    uint16_t attnum;
    uint16_t column; /* position in the result, from 0 */
    uint16_t count;  /* hashes, one a row from the first */
    uint16_t pad;
};

enum { RECORD_MAX_WIDTHS = 64 };

struct record_width {
    uint64_t bytes;
    uint64_t repeated_bytes; /* of values equal to those of the row before */
};

/* Where the bytes of one large result were, measured on some of its rows. Tail: n record_width, one
 * a column from the first. */
struct record_widths {
    struct record_header h;
    struct sql_id id;
    uint64_t rows; /* measured */
    uint16_t n;    /* at most RECORD_MAX_WIDTHS */
    uint16_t pad[3];
};

enum { RECORD_ROUTE_MAX = 256, RECORD_METHOD_MAX = 16 };

/* A request went on its way to the application. Its RECORD_HTTP follows when it is over. Tail:
 * method, route. */
struct record_http_begin {
    struct record_header h;
    uint64_t request; /* never 0, unique in the run */
    int64_t time_us;
    uint16_t method_len;
    uint16_t route_len;
    uint32_t pad;
};

enum record_http_flags {
    HTTP_ALONE = 1 << 0,  /* from its begin to its end no other request was in flight */
    HTTP_CUT = 1 << 1,    /* its connection ended before its response did */
    HTTP_TUNNEL = 1 << 2, /* it became another protocol; what that does is nobody's request */
    HTTP_FIRST = 1 << 3,  /* of its connection */
    HTTP_LAST = 1 << 4,   /* the application closes its connection behind it */
};

/* What the headers said. */
enum record_http_facts {
    HTTP_TAKES_CODING = 1 << 0, /* Accept-Encoding: gzip, br or zstd */
    HTTP_AUTHORIZED = 1 << 1,   /* Authorization */
    HTTP_CONDITIONAL = 1 << 2,  /* If-None-Match or If-Modified-Since */
    HTTP_CLIENT_CLOSES = 1 << 3,
    HTTP_OF_REQUEST = (1 << 4) - 1, /* all of these */
    HTTP_CODED = 1 << 4,            /* Content-Encoding */
    HTTP_TEXT = 1 << 5,             /* Content-Type is one that compression makes smaller */
    HTTP_STREAM = 1 << 6,
    HTTP_VALIDATOR = 1 << 7, /* ETag or Last-Modified */
    HTTP_POLICY = 1 << 8,    /* Cache-Control or Expires */
    HTTP_NO_STORE = 1 << 9,
    HTTP_PUBLIC = 1 << 10,
    HTTP_LASTS = 1 << 11, /* it may be used again for a time */
    HTTP_SETS_COOKIE = 1 << 12,
    HTTP_LIMITS_RATE = 1 << 13, /* RateLimit and its like */
};

/* An HTTP request and its response. Tail: method, route. The route is the path without its query,
 * every segment that could be a value replaced (http/route.h). */
struct record_http {
    struct record_header h;
    uint64_t request;
    uint64_t connection;
    uint64_t trace;         /* hash of a trace id or 0 */
    uint64_t target;        /* hash of the target with its query; 0: too long */
    uint64_t body;          /* hash of the response's, as it was sent; 0: it was cut */
    int64_t start_us;       /* it was sent on to the application */
    uint32_t first_us;      /* from start to the first byte of the final response; saturates */
    uint32_t total_us;      /* from start to its last byte; saturates */
    uint64_t request_bytes; /* of bodies, without chunk headers */
    uint64_t response_bytes;
    uint32_t facts;      /* of enum record_http_facts */
    uint32_t sampled;    /* bytes of the response that were compressed to see what it saves */
    uint32_t compressed; /* what they became */
    uint16_t status;     /* 0 when none came */
    uint16_t http_flags;
    uint16_t method_len;
    uint16_t route_len;
    uint32_t pad;
};

/* PRIVATE: holds values. A text with its literals, or the bound parameters, for EXPLAIN. Never
 * captured. Tail: the text, or n_params times {u32 type_oid, u16 format, u16 0, i32 length, bytes,
 * padding to 4}. */
struct record_sample {
    struct record_header h;
    struct sql_id id;
    uint32_t len;
    uint16_t n_params;
    uint8_t is_params;
    uint8_t pad;
};

enum record_facts_status {
    FACTS_OK,
    FACTS_REFUSED, /* the grammar does not know this statement */
    FACTS_CRASHED, /* it took the parser down */
    FACTS_TOO_LONG,
};

enum record_facts_flags {
    FACT_STAR = 1 << 0,  /* `*` or `t.*` in the outermost target list */
    FACT_LIMIT = 1 << 1, /* LIMIT or FETCH FIRST, outermost */
    FACT_OFFSET = 1 << 2,
    FACT_ORDER_BY = 1 << 3,
    FACT_WHERE = 1 << 4,
    FACT_GROUP_BY = 1 << 5,
    FACT_ONLY_AGGREGATES =
        1 << 6,          /* every target is an aggregate and there is no GROUP BY: one row */
    FACT_COUNT = 1 << 7, /* count(...) without GROUP BY */
    FACT_DISTINCT = 1 << 8,
    FACT_FOR_UPDATE = 1 << 9,
    FACT_JOIN = 1 << 10,
    FACT_SET_OPERATION = 1 << 11,
    FACT_CTE = 1 << 12,
    FACT_SUBQUERY = 1 << 13,
    FACT_RETURNING = 1 << 14,
    FACT_NO_FROM = 1 << 15,
    FACT_ONLY_CATALOG = 1 << 16, /* every table is in pg_catalog or information_schema */
    FACT_EXISTS = 1 << 17,
    FACT_SKIP_LOCKED = 1 << 18,
    FACT_MANY_KEYS = 1 << 19, /* an IN list of several values or = ANY(array) */
};

enum record_predicate_op {
    PREDICATE_EQ,
    PREDICATE_IN, /* IN (...) or = ANY(...) */
    PREDICATE_RANGE,
    PREDICATE_LIKE,
    PREDICATE_NULL,
    PREDICATE_JOIN, /* column = column */
    PREDICATE_OTHER,
};

enum { RECORD_NO_TABLE = 255 }; /* of a predicate: a subquery, a function, not known */

/* What the grammar says of a statement. Tail: n_tables times {u8 len, "schema.name" or "name"},
 * then n_predicates times {u8 op, u8 table (index into the tables, or RECORD_NO_TABLE), u8 len,
 * column name}. */
struct record_facts {
    struct record_header h;
    struct sql_id id;
    uint8_t status; /* enum record_facts_status */
    uint8_t verb;   /* enum sql_verb of the real statement: WITH resolved */
    uint8_t n_tables;
    uint8_t n_predicates;
    uint32_t fact_flags;
    uint32_t n_targets; /* of the outermost target list */
    uint32_t tail_len;
};

enum record_plan_status {
    PLAN_OK,
    PLAN_ERROR, /* EXPLAIN or the catalog refused: sqlstate tells */
    PLAN_TIMEOUT,
    PLAN_NO_CONNECTION,
};

/* What a plan has that an index could take away. */
enum record_plan_reason {
    PLAN_NOTHING,
    PLAN_SCAN,        /* a sequential scan whose filter drops rows */
    PLAN_SORT,        /* many rows are sorted for the first few of them */
    PLAN_FOREIGN_KEY, /* rows of `parent` are deleted; `table` refers to it without an index */
    PLAN_REASONS
};

enum record_plan_source {
    PLAN_SOURCE_STRUCTURE, /* columns by rule: the plan's conditions and the catalog */
    PLAN_SOURCE_HYPOPG,    /* tried: after_cost and after_node are the planner's with that index */
    PLAN_SOURCES
};

enum record_plan_flags {
    PLAN_ON_FOREIGN_KEY = 1 << 0, /* the first of the columns refers to another table */
    PLAN_NO_INDEX = 1 << 1,       /* enable_seqscan=off changed nothing: no index serves it */
    PLAN_NOT_WORTH_IT = 1 << 2,   /* no hypothetical index halves the plan's cost, or the planner
                                     leaves one aside that is there and could serve */
    PLAN_GENERIC = 1 << 3,        /* generic_cost is known */
};

/* What the advisor learnt of a statement with one set of observed values: the costliest part of its
 * plan that an index could take away, if it has one. Tail: schema, table, filter (masked), columns
 * (comma separated, equality first; detectors/advisor/advice.h), index_note, node, after_node,
 * parent. A plan without such a part has table_len 0. */
struct record_plan {
    struct record_header h;
    struct sql_id id;
    int64_t time_us;
    double total_cost; /* of the whole plan */
    double scan_cost;  /* of the scan, or of the sort with what it sorts */
    double table_rows; /* pg_class.reltuples */
    double kept_rows;  /* the planner's estimate of rows the scan keeps, or the sort's LIMIT */
    double table_bytes;
    double after_cost;   /* of the whole plan with the proposed index */
    double generic_cost; /* of the plan that knows no values */
    uint32_t queries;    /* statements that the advisor sent for this plan */
    uint32_t busy_us;    /* time they took together */
    char sqlstate[5];
    uint8_t status; /* enum record_plan_status */
    uint8_t server_major;
    uint8_t reason;  /* enum record_plan_reason */
    uint8_t source;  /* enum record_plan_source */
    uint8_t flags;   /* enum record_plan_flags */
    uint8_t n_equal; /* leading columns compared for equality: their order is free */
    uint8_t pad;
    uint16_t schema_len;
    uint16_t table_len;
    uint16_t filter_len;
    uint16_t columns_len;
    uint16_t index_note_len; /* an index exists that this filter cannot use: its name and why */
    uint16_t node_len;       /* node type that the index would replace */
    uint16_t after_node_len;
    uint16_t parent_len; /* "schema.table" of PLAN_FOREIGN_KEY */
    uint16_t pad2[2];
};

/* The texts of its tail, in their order. */
enum record_plan_text {
    PLAN_SCHEMA,
    PLAN_TABLE,
    PLAN_FILTER,
    PLAN_COLUMNS,
    PLAN_NOTE,
    PLAN_NODE,
    PLAN_AFTER_NODE,
    PLAN_PARENT,
    RECORD_PLAN_TEXTS
};

/* Views into the record. */
void record_plan_texts(const struct record_plan *r, struct span out[RECORD_PLAN_TEXTS]);

/* Where a session's client connected from, as hash (wire/request_mark.h). Written behind its
 * RECORD_SESSION_START, when request marks are listened for. */
struct record_peer {
    struct record_header h;
    uint64_t session;
    uint64_t peer; /* never 0 */
    int64_t time_us;
};

/* The application said what it uses a connection for from now on. */
struct record_request {
    struct record_header h;
    uint64_t peer;    /* 0: marks were lost behind this moment, and nobody knows whose */
    uint64_t request; /* hash of its id; 0: no request */
    uint64_t tag;     /* record_tag.id of its route, or 0 */
    uint64_t trace;   /* hash of its trace id, or 0 */
    int64_t time_us;  /* when the mark arrived */
};

/* Time passed in silence: what has been idle for long enough may close. Written at most once a
 * second, and only after traffic. */
struct record_mark {
    struct record_header h;
    int64_t time_us;
};

enum {
    RECORD_NAME_MAX = 64,     /* bytes of a name that somebody gave: of a moment or a run */
    RECORD_MAX_MOMENTS = 100, /* of one run */
};

/* Whether such a name may be kept: not empty, of [A-Za-z0-9 ._-] alone, not too long. */
bool record_name_is_good(struct span name);

/* Somebody gave this moment a name ("all users are there"). Tail: the name. */
struct record_moment {
    struct record_header h;
    int64_t time_us;
    uint16_t name_len;
    uint16_t pad[3];
};

/* A new run begins while pgsleuth works: everything before is of another one. RUN_START still holds
 * for it. Tail: the name, which may be empty. */
struct record_run_begin {
    struct record_header h;
    int64_t time_us;
    uint64_t run; /* from 2: RUN_START began the first */
    uint16_t name_len;
    uint16_t pad[3];
};

/* From a worker, in its ring alone: what follows is of the run that was asked for as this number.
 */
struct record_epoch {
    struct record_header h;
    uint64_t epoch;
    uint64_t dropped; /* of the ring, before this */
};

/* The last record of a run that ended in order. */
struct record_run_end {
    struct record_header h;
    int64_t time_us;
    uint64_t dropped; /* records lost to full rings */
    uint64_t sessions;
    uint64_t refused; /* sessions refused: limit, upstream down, bad start-up */
    uint64_t cpu_us;  /* this process, user and system */
    uint64_t parser_restarts;
};

/* True when `bytes` begins with one whole record whose every length, every index into its own tail
 * and every time is in bounds. The bytes are RECORD_ALIGN-aligned. */
bool record_check(struct span bytes);

/* A tag as record: bytes it takes, and the record in that much 8-aligned memory. */
size_t record_tag_size(const struct sql_tag *tag);
void record_tag_write(struct record_tag *r, uint64_t id, const struct sql_tag *tag);

/* Whether a record of this type may be written to a file. */
bool record_is_captured(enum record_type type);

/* The tail of a record from `offset` bytes behind its fixed struct of `fixed` bytes, `len` bytes
 * long. For records that passed record_check or were made here. */
static inline struct span record_tail(const struct record_header *h, size_t fixed, size_t offset,
                                      size_t len)
{
    return span_of((const uint8_t *)h + fixed + offset, len);
}

/* Bytes a record of a fixed part and a tail takes, padding included. */
static inline size_t record_size(size_t fixed, size_t tail)
{
    return (fixed + tail + RECORD_ALIGN - 1) & ~(size_t)(RECORD_ALIGN - 1);
}

#endif
