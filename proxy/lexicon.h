/*
 * What workers say once and a later run needs again: texts of statements, their columns and facts,
 * tags, and who and where the open sessions are.
 *
 * A run that is begun while pgsleuth works has an audit that knows nothing, and the workers, who
 * told it all to the one before, are not asked to say it again: a statement that was prepared long
 * ago has no text any more. So the records are kept here, and whatever a record of the new run
 * refers to is told before it, at its first use.
 *
 * Bounded; what found no room is not known to later runs. One thread, the auditor's.
 */
#ifndef PGSLEUTH_PROXY_LEXICON_H
#define PGSLEUTH_PROXY_LEXICON_H

#include "wire/record.h"

enum {
    LEXICON_MAX_STATEMENTS = 20000,
    LEXICON_MAX_TAGS = 20000,
    LEXICON_MAX_SESSIONS = 50000,
    LEXICON_MAX_BYTES = 48 * 1024 * 1024,
};

struct lexicon;

/* NULL without memory. */
struct lexicon *lexicon_new(void);
void lexicon_free(struct lexicon *l); /* NULL is allowed */

/* Where records go that are told again; valid during the call. */
typedef void lexicon_tell(void *context, const struct record_header *record);

/* A record of this run comes next: tell what it refers to, and keep what it says. */
void lexicon_take(struct lexicon *l, const struct record_header *record, lexicon_tell *tell,
                  void *context);

/* A record that came too late for the last run and too early for this one: only keep it. */
void lexicon_keep(struct lexicon *l, const struct record_header *record);

/* A new run begins: nothing was told in it. */
void lexicon_begin(struct lexicon *l, int64_t now_us);

/* Tell of all open sessions that this run was not told of. They are marked as older than the run,
 * which began when they are said to have. */
void lexicon_tell_sessions(struct lexicon *l, lexicon_tell *tell, void *context);

/* Whether this run knows the statement, or nobody does. */
bool lexicon_is_told(const struct lexicon *l, struct sql_id id);

/* Records that found no room. */
uint64_t lexicon_lost(const struct lexicon *l);

#endif
