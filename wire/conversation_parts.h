/*
 * What the source files of the conversation share. Not for others.
 *
 *   conversation.c         life, queue, names
 *   conversation_client.c  what each message of the client asks
 *   conversation_server.c  what each message of the server answers
 *   conversation_skim.c    a pipeline too deep to hold
 *   exchange.c             one exchange: opened, counted, completed, written
 */
#ifndef PGSLEUTH_WIRE_CONVERSATION_PARTS_H
#define PGSLEUTH_WIRE_CONVERSATION_PARTS_H

#include "wire/conversation.h"

/* --- objects with references (conversation.c); NULL is allowed in every release --- */

/* From a pool of the context, charged to the session; NULL when its account refuses or there is no
 * memory. */
void *object_get(struct wire_conversation *c, struct pool *pool);

struct wire_columns *columns_ref(struct wire_columns *columns); /* NULL gives NULL */
void columns_release(struct wire_conversation *c, struct wire_columns *columns);
struct wire_prepared *prepared_ref(struct wire_prepared *prepared);
void prepared_release(struct wire_conversation *c, struct wire_prepared *prepared);
struct wire_portal *portal_ref(struct wire_portal *portal);
void portal_release(struct wire_conversation *c, struct wire_portal *portal);

/* --- the queue --- */

/* A zeroed request at the end of the queue with kind, round trip and time set; NULL when the
 * conversation had to go opaque. */
struct wire_request *queue_push(struct wire_conversation *c, enum wire_request_kind kind,
                                int64_t now_us);

/* The oldest request, CopyDone marks passed over; NULL when there is none. */
struct wire_request *queue_head(struct wire_conversation *c);

/* The i-th oldest; i < queue_count. */
struct wire_request *queue_at(struct wire_conversation *c, uint32_t i);

/* Release and remove the oldest request. */
void queue_pop(struct wire_conversation *c);

/* Remove what the server skips after an error: everything up to the first Sync, which stays. Names
 * go back to what they meant. Sets `skipping` when there was no Sync. */
void queue_skip_to_sync(struct wire_conversation *c);

/* The server is in COPY-IN for the open exchange: drop Sync up to the client's CopyDone or
 * CopyFail, and count the CopyData that was sent ahead. */
void queue_begin_copy_in(struct wire_conversation *c);

uint64_t name_hash(struct span name);

/* Charge what the tables of names take by now; after each change of one. */
void account_names(struct wire_conversation *c);
void forget_portals(struct wire_conversation *c);
void forget_prepared(struct wire_conversation *c);

/* Forget the statements that were not bound in the later half of the time since the least used one
 * was. */
void forget_least_used(struct wire_conversation *c);

/* Empty the queue and give its memory back; its names stay as they are. */
void queue_clear(struct wire_conversation *c);

/* --- skimming (conversation_skim.c) --- */

/* There is no room for what the client is sending: skim its pipeline, or go opaque when that could
 * not end well. The message at hand is not counted: wire_conversation_from_client shows it to
 * skim_from_client next. */
void skim_or_opaque(struct wire_conversation *c, enum wire_opaque_reason reason, int64_t now_us);

/* One message while skimming: 0, WIRE_MALFORMED. */
int skim_from_client(struct wire_conversation *c, const struct wire_message *m, int64_t now_us);
int skim_from_server(struct wire_conversation *c, const struct wire_message *m, int64_t now_us);

/* Tell what was not read; when the session ends or goes opaque while skimming. */
void skim_write(struct wire_conversation *c, int64_t now_us);

/* A change of a setting that decides how texts are read (conversation_server.c). */
int on_parameter_status(struct wire_conversation *c, const struct wire_message *m, int64_t now_us);

/* --- exchanges (exchange.c) --- */

/* The exchange that the head of the queue (a Query or Execute) is answered by; opened at its first
 * reply. Nothing is opened for other heads: gives NULL. */
struct wire_exchange *exchange_open(struct wire_conversation *c, int64_t now_us);

/* The exchange that an error answers, whatever the head is: an error of Parse or Bind is the
 * statement's own and becomes an exchange without rows. NULL when no statement is known of. */
struct wire_exchange *exchange_open_failed(struct wire_conversation *c, struct wire_request *head,
                                           int64_t now_us);

/* Count one row. */
void exchange_row(struct wire_conversation *c, struct wire_exchange *x,
                  const struct wire_message *m);

/* The open exchange is complete; it waits for its transaction state. */
void exchange_close(struct wire_conversation *c, int64_t now_us);

/* Write the completed exchange, if there is one. `tx_after` is 0 when not known. */
void exchange_flush(struct wire_conversation *c, uint8_t tx_after);

/* Drop what is open and write what is done. */
void exchange_abandon(struct wire_conversation *c);

/* Read RowDescription; NULL when malformed or without memory. Announces the columns of `statement`
 * once. */
struct wire_columns *columns_read(struct wire_conversation *c, const struct wire_message *m,
                                  struct wire_statement *statement);

#endif
