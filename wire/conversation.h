/*
 * Pair what the client asked with what the server answered, and write one exchange record for each
 * statement.
 *
 * The conversation is shown every message of both directions in the order of each. It keeps a queue
 * of the requests that the server has not answered, and two views of names: statements and portals
 * are entered when the client sends Parse and Bind (a pipeline binds before ParseComplete has come)
 * and taken back when the server refuses.
 *
 * The rules that naive decoders miss (PostgreSQL manual, "Message Flow"; verified in postgres.c):
 *  - An error in an extended message makes the server skip everything up to the next Sync, simple
 * Query included.
 *  - Sync and Flush that reach the server while it is in COPY-IN are swallowed.
 *  - A Query gives one reply a statement and one ReadyForQuery in all.
 *  - Notices, notifications and parameter changes come between any two messages.
 *  - PortalSuspended ends an Execute but not its portal.
 *
 * A pipeline that is too deep to hold is skimmed (conversation_skim.c): until all of it is
 * answered, only its Syncs are counted; then the conversation goes on.
 *
 * A completed exchange is held until the next message that tells the transaction state, then
 * written to the ring. Nothing here blocks, logs or reads a clock. A message that cannot be right
 * makes the conversation opaque: it says so once, forgets everything and ignores what follows.
 */
#ifndef PGSLEUTH_WIRE_CONVERSATION_H
#define PGSLEUTH_WIRE_CONVERSATION_H

#include "common/bulk_hash.h"
#include "wire/context.h"
#include "wire/messages.h"
#include "wire/widths.h"

enum {
    WIRE_MAX_REQUESTS = 65536, /* outstanding in one session */
    WIRE_MAX_NAMES = 4096,     /* prepared statements, and portals, of one session */
    WIRE_MAX_BATCH = 256,      /* statements of one Query that are told apart */
};

enum wire_phase {
    WIRE_STARTING, /* until the first ReadyForQuery */
    WIRE_READY,
    WIRE_SKIMMING, /* until the last Sync is answered */
    WIRE_OPAQUE,
};

/* Result columns of a statement, as far as the audit wants them. */
struct wire_key_column {
    uint32_t table_oid;
    uint32_t type_oid;
    uint16_t attnum;
    uint16_t column;
};

struct wire_columns {
    uint32_t refs;
    uint16_t total;
    uint8_t n_keys;
    uint64_t binary; /* bit i: column i is binary */
    struct wire_key_column keys[RECORD_MAX_KEYS];
};

struct wire_prepared {
    uint32_t refs;
    uint32_t last_used; /* round trip of its last Bind or its Parse */
    bool bound;         /* since its Parse */
    uint64_t trace;
    struct wire_statement *statement; /* NULL: never seen */
    struct wire_columns *columns;     /* from Describe, or NULL */
    struct sql_bound limit;
    struct sql_bound offset;
    unsigned n_types;
    uint32_t types[WIRE_MAX_PARAMS];
};

/* A bound portal, or the values of a simple Query. */
struct wire_portal {
    uint32_t refs;
    uint32_t serial;
    uint32_t flags; /* EXCHANGE_LIST, EXCHANGE_VALUES_CUT, EXCHANGE_UNKNOWN, EXCHANGE_REUSED */
    uint64_t tag;   /* of its statement, or of the Query it came in */
    uint64_t trace;
    uint64_t binary_results;
    uint64_t values_hash;
    uint64_t limit; /* 0 without one, or when its value is not known */
    uint64_t offset;
    struct wire_statement *statement;
    struct wire_prepared *prepared; /* what it was bound to: its Describe may still be answered */
    struct wire_columns *columns;   /* from the statement or Describe, or NULL */
    uint8_t n_values;
    uint64_t values[SQL_MAX_VALUES];
};

/* The statements of one Query that holds several. */
struct wire_batch {
    uint32_t count; /* in the text, also past WIRE_MAX_BATCH */
    struct wire_portal *items[WIRE_MAX_BATCH];
};

enum wire_request_kind {
    WIRE_ASK_QUERY,
    WIRE_ASK_PARSE,
    WIRE_ASK_BIND,
    WIRE_ASK_DESCRIBE_STATEMENT,
    WIRE_ASK_DESCRIBE_PORTAL,
    WIRE_ASK_EXECUTE,
    WIRE_ASK_CLOSE,
    WIRE_ASK_FUNCTION,
    WIRE_ASK_SYNC,
    WIRE_ASK_COPY_END, /* CopyDone or CopyFail: no reply, but it ends the swallowing of Sync */
};

struct wire_request {
    enum wire_request_kind kind;
    uint32_t round_trip;
    uint32_t max_rows;
    bool undoes; /* Parse, Close or Query: `replaced` says what the name meant before */
    int64_t start_us;
    uint64_t copy_bytes;            /* CopyData sent behind it before the server asked for any */
    uint64_t name;                  /* hash of the statement's or portal's name */
    struct wire_prepared *prepared; /* Parse, Describe */
    struct wire_prepared *replaced;
    struct wire_portal *portal; /* Query, Bind, Describe, Execute */
    struct wire_batch *batch;   /* Query with several statements */
};

enum wire_exchange_state { WIRE_EXCHANGE_NONE, WIRE_EXCHANGE_OPEN, WIRE_EXCHANGE_DONE };

struct wire_exchange {
    enum wire_exchange_state state;
    bool rows_cut; /* not all of a row's bytes were seen */
    bool any_key;  /* some row had a value that can be a key */
    uint32_t flags;
    uint32_t round_trip;
    uint32_t max_rows;
    uint32_t first_us;
    uint32_t total_us;
    uint16_t batch_index;
    uint16_t batch_count;
    uint16_t key_rows;
    uint8_t tx_before;
    char sqlstate[5];
    int64_t start_us;
    uint64_t rows;
    uint64_t affected;
    uint64_t bytes;
    uint64_t result_hash;
    uint64_t *key_hashes;       /* from the pool: n_keys a row */
    struct bulk_hash *rest;     /* from the pool: over the rows that are not looked at */
    struct wire_widths *widths; /* from the pool; NULL while the result is small */
    struct wire_portal *portal;
    struct wire_columns *columns;
};

/* What is kept of a pipeline that is not read message by message. */
struct wire_skim {
    uint32_t replies; /* ReadyForQuery that the Syncs so far still wait for */
    bool unsynced;    /* the client sent something behind its last Sync */
    bool renamed;     /* names changed that a refused message would have to change back */
    uint64_t executes;
    enum wire_opaque_reason reason;
};

struct wire_conversation {
    struct wire_context *ctx;
    struct wire_account account; /* what this session holds, its framers' bodies included */
    size_t names_bytes;          /* of it, the tables of names */
    uint64_t session;
    enum wire_phase phase;
    enum wire_opaque_reason opaque_reason;
    bool skipping;   /* the server ignores what the client sends until Sync */
    bool copy_in;    /* the server swallows Sync and Flush until CopyDone or CopyFail */
    bool terminated; /* the client said Terminate */
    bool wrote_any;  /* an exchange was written: the next is not the connection's first */
    uint8_t tx;      /* 'I', 'T', 'E'; 0 before the first ReadyForQuery */
    struct sql_dialect dialect;
    uint32_t round_trip;
    uint32_t last_round_trip; /* of the exchange written last */
    uint32_t next_portal;
    uint16_t batch_index; /* statements of the Query at the head that are complete */
    int64_t started_us;
    uint32_t startup_us;
    struct wire_request *queue; /* ring of `queue_size`, owned */
    uint32_t queue_size;
    uint32_t queue_head;
    uint32_t queue_count;
    struct map64 prepared;
    struct map64 portals;
    struct wire_skim skim;     /* while WIRE_SKIMMING */
    struct wire_exchange open; /* being answered */
    struct wire_exchange done; /* complete, its transaction state not yet known */
};

/* Who a session is, for its first record. */
struct wire_session_info {
    struct span user;
    struct span database;
    struct span application;
    struct span client;
    uint64_t peer; /* wire_peer_hash() of the client; 0 when it is not to be told */
};

/* Start in the caller's storage. `session` is unique in the run. Writes the session's first record.
 */
void wire_conversation_begin(struct wire_conversation *c, struct wire_context *ctx,
                             uint64_t session, const struct wire_session_info *info,
                             int64_t now_us);

/* One message after the other, as the framer gives them. */
void wire_conversation_from_client(struct wire_conversation *c, const struct wire_message *m,
                                   int64_t now_us);
void wire_conversation_from_server(struct wire_conversation *c, const struct wire_message *m,
                                   int64_t now_us);

/* Give up understanding; the first reason stays. */
void wire_conversation_make_opaque(struct wire_conversation *c, enum wire_opaque_reason reason,
                                   int64_t now_us);

/* Whether rows of the open result need no look at each: then the DataRows that follow each other
 * may be given in one call, their bytes with their headers, instead of one by one. */
static inline bool wire_conversation_takes_rows(const struct wire_conversation *c)
{
    return c->phase == WIRE_READY && c->open.rest != NULL;
}

void wire_conversation_rows(struct wire_conversation *c, struct span rows, uint64_t n);

struct wire_session_end {
    int64_t now_us;
    uint64_t bytes_from_client;
    uint64_t bytes_from_server;
    uint16_t reason;
    bool stopped; /* as in struct record_session_end */
};

/* Write what is complete and the session's last record, free everything. */
void wire_conversation_end(struct wire_conversation *c, const struct wire_session_end *end);

#endif
