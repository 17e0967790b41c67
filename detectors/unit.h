/*
 * A unit of work: what one request of the application sent to the database, or the best substitute
 * for it.
 *
 * A unit gathers while its session (or, with a trace id, its sessions) sends; when it closes it is
 * cut where the same request began anew without any other mark (unit_cut), each part is given to
 * the ledger and the detectors, and its memory is used again. Exchanges are the application's
 * statements only: driver chatter is counted, not kept.
 */
#ifndef PGSLEUTH_DETECTORS_UNIT_H
#define PGSLEUTH_DETECTORS_UNIT_H

#include "detectors/endpoint.h"
#include "detectors/join.h"

enum { UNIT_ARENA_BYTES = 4 * 1024 * 1024 };

/* Memory that units share, open or waiting to be used again. */
struct unit_room {
    size_t used;
    size_t max;
    uint64_t lost_values; /* exchanges whose values found none */
};

/* One statement's request and reply; further Executes of its portal are in it. */
struct unit_exchange {
    struct statement *statement;
    const struct tag *tag; /* NULL when untagged */
    uint64_t session;
    int64_t start_us;
    int64_t end_us;
    uint32_t first_us;
    uint32_t total_us; /* its requests and replies, without the time between two Executes */
    uint64_t rows;
    uint64_t affected;
    uint64_t bytes;
    uint64_t result_hash;
    uint64_t values_hash;
    const uint64_t *values; /* NULL when there was no room */
    const struct record_key *keys;
    const uint64_t *key_hashes; /* of the keys, one column behind the other */
    uint32_t flags;             /* enum record_exchange_flags */
    uint32_t round_trip;
    uint32_t portal;
    uint32_t max_rows;
    uint32_t executes;    /* 1, or more when the portal was continued */
    uint64_t offset;      /* of its OFFSET clause; 0 without one */
    uint64_t limit;       /* of its LIMIT clause; 0 without one */
    uint32_t transaction; /* number in the unit, from 1; 0 outside of any */
    char sqlstate[5];     /* zeroes unless it failed */
    uint64_t claims;      /* cases of findings whose cure takes it away (detectors/claims.h) */
    uint8_t n_values;
    uint8_t n_keys;
    uint8_t verb;
    bool idle_before; /* no transaction was open when it came */
};

enum unit_transaction_end {
    TRANSACTION_OPEN, /* the unit or the connection ended before it */
    TRANSACTION_COMMITTED,
    TRANSACTION_ROLLED_BACK,
};

/* A transaction block: what was opened by BEGIN. It belongs to the unit it ended in. */
struct unit_transaction {
    uint64_t session;
    uint32_t number;  /* in the unit, from 1; 0: no room in the unit's list */
    int64_t begin_us; /* the request that opened it */
    int64_t end_us;   /* the last reply */
    uint64_t idle_us; /* between a reply and the next request: nobody worked and locks were held */
    uint64_t longest_idle_us;
    uint64_t failed_us;  /* of that, after an error: every statement would be refused */
    uint32_t statements; /* the application's; chatter left out */
    uint32_t writes;
    uint32_t locks; /* SELECT ... FOR UPDATE and its kin */
    uint32_t errors;
    enum unit_transaction_end end;
};

enum { UNIT_MAX_TRANSACTIONS = 256 };

struct unit {
    uint64_t serial; /* counts closed units, from 1 */
    struct endpoint *endpoint;
    const struct tag *tag;     /* the first seen */
    uint64_t trace;            /* 0 without one */
    uint64_t client;           /* as in struct session_summary; 0 when not known */
    const char *application;   /* what its connection calls itself; NULL without a name */
    struct http_join http;     /* the request it belongs to; route NULL when that is not known */
    struct http_route *learnt; /* the only route in flight that sends such statements; or NULL */
    enum unit_confidence confidence;
    int64_t start_us;
    int64_t end_us;
    int64_t
        until_us;   /* so long its connection was held: `end_us`, or the pool's mark of a return */
    uint64_t db_us; /* of the union of its exchanges' times */
    uint64_t chatter;
    uint64_t errors;
    uint64_t new_connections;
    bool whole;        /* its end was marked, or a trace gathered it: never cut */
    bool asyncpg;      /* its connection belongs to an asyncpg pool */
    bool marked;       /* gathered by marks beside the SQL */
    int64_t handed_us; /* when its first connection came free, where no other was idle; or 0 */
    struct unit_exchange *exchanges;
    size_t n;
    struct unit_transaction *transactions; /* that ended in it, in that order */
    size_t n_transactions;

    /* What came after the cap, in sums only. */
    struct {
        uint64_t statements;
        uint64_t rows;
        uint64_t bytes;
        uint64_t transactions;
    } overflow;

    /* gathering */
    struct unit_room *room;
    size_t size; /* of `exchanges` */
    size_t transactions_size;
    uint32_t begun;     /* transactions */
    size_t recheck;     /* size at which a unit that may hold several requests is looked at again */
    bool anchor_again;  /* its first statement came again outside a transaction */
    int64_t last_us;    /* end of the last exchange, chatter too */
    struct arena arena; /* values and keys */
    struct unit *older; /* open units of traces, by last activity */
    struct unit *newer;
    struct unit *next_free;
};

/* An empty unit in memory of the room, which outlives it, and its end. */
struct unit *unit_new(struct unit_room *room);
void unit_free(struct unit *u);

/* Empty a unit; memory beyond a usual request's is given back. */
void unit_reset(struct unit *u);

/* Take in one exchange of the application's. False when the unit is at its cap: the exchange is in
 * `overflow` only. */
bool unit_add(struct unit *u, const struct record_exchange *r, struct statement *s,
              const struct tag *tag, bool idle_before, uint32_t transaction);

/* Take in driver chatter: it is counted and its time is the unit's. */
void unit_add_chatter(struct unit *u, const struct record_exchange *r);

/* A transaction begins: its number in the unit. */
uint32_t unit_begin_transaction(struct unit *u);

/* Take in a transaction that ended. */
void unit_add_transaction(struct unit *u, const struct unit_transaction *t);

/* The tag's endpoint is the same: file, line and function may differ within one request. */
bool tag_same_endpoint(const struct tag *a, const struct tag *b);

/* Where in a merged unit the second and later requests begin: `*count` positions, ascending, all
 * > 0, to be freed; NULL when it is one request (or when there is no memory).
 *
 * Without a mark between them, the requests of a busy connection follow each other at once. The
 * first statement of the unit, coming again outside a transaction, begins a new request when the
 * sequence that it begins is one seen before: (S A B)(S A B) is two requests. P (A B)(A B) is one,
 * since P does not come again; S P S S S is one, since no later sequence is S P. */
size_t *unit_cuts(const struct unit *u, size_t *count);

/* The part [from, to) of a unit as a unit of its own, borrowing its exchanges: times, errors and
 * tag are those of the part. */
struct unit unit_part(const struct unit *u, size_t from, size_t to);

/* Whether all values of an exchange, of which there may be none, are known by their hash. */
bool unit_values_known(uint64_t values_hash, unsigned n_values, uint32_t flags);

/* Whether it reads the application's rows, takes no lock and succeeded. */
bool unit_exchange_reads(const struct unit_exchange *x);

/* Statements, rows, bytes of a unit with its overflow. */
uint64_t unit_statements(const struct unit *u);
uint64_t unit_rows(const struct unit *u);
uint64_t unit_bytes(const struct unit *u);

/* Identity of the sequence of its statements, with runs and repeated cycles taken as one. */
uint64_t unit_signature(const struct unit_exchange *exchanges, size_t n);

#endif
