#include "proxy/lexicon.h"

#include "common/map64.h"
#include "wire/values.h"

#include <stdlib.h>

/* What is known of a statement, in the order in which it is told. */
enum about { ABOUT_TEXT, ABOUT_COLUMNS, ABOUT_FACTS, ABOUTS };

struct kept_statement {
    struct sql_id id;
    uint64_t told; /* in which run */
    struct record_header *about[ABOUTS];
};

struct kept_tag {
    uint64_t told;
    struct record_header *record;
};

struct kept_session {
    uint64_t told;
    struct record_session_start *start;
    bool opaque;
    struct record_session_opaque why;
    bool peered;
    struct record_peer peer;
};

struct lexicon {
    uint64_t run; /* from 1 */
    int64_t began_us;
    size_t bytes;
    uint64_t lost;
    struct map64 statements;
    struct map64 tags;
    struct map64 sessions;
};

struct lexicon *lexicon_new(void)
{
    struct lexicon *l = calloc(1, sizeof(*l));
    if (l == NULL)
        return NULL;
    l->run = 1;
    map64_init(&l->statements, LEXICON_MAX_STATEMENTS);
    map64_init(&l->tags, LEXICON_MAX_TAGS);
    map64_init(&l->sessions, LEXICON_MAX_SESSIONS);
    return l;
}

void lexicon_free(struct lexicon *l)
{
    size_t at = 0;
    struct kept_statement *s;
    struct kept_tag *t;
    struct kept_session *x;
    if (l == NULL)
        return;
    while ((s = map64_next(&l->statements, &at, NULL)) != NULL) {
        for (int i = 0; i < ABOUTS; i++)
            free(s->about[i]);
        free(s);
    }
    at = 0;
    while ((t = map64_next(&l->tags, &at, NULL)) != NULL) {
        free(t->record);
        free(t);
    }
    at = 0;
    while ((x = map64_next(&l->sessions, &at, NULL)) != NULL) {
        free(x->start);
        free(x);
    }
    map64_fini(&l->statements);
    map64_fini(&l->tags);
    map64_fini(&l->sessions);
    free(l);
}

uint64_t lexicon_lost(const struct lexicon *l)
{
    return l->lost;
}

/* --- room --- */

static void *lost(struct lexicon *l)
{
    l->lost++;
    return NULL;
}

static void *copy_of(struct lexicon *l, const struct record_header *record)
{
    if (record->len > LEXICON_MAX_BYTES - l->bytes)
        return lost(l);
    void *copy = malloc(record->len);
    if (copy == NULL)
        return lost(l);
    memcpy(copy, record, record->len);
    l->bytes += record->len;
    return copy;
}

static void drop_copy(struct lexicon *l, struct record_header *copy)
{
    if (copy == NULL)
        return;
    l->bytes -= copy->len;
    free(copy);
}

/* A zeroed entry under this key; its size counts, too. */
static void *entry(struct lexicon *l, struct map64 *map, uint64_t key, size_t size)
{
    if (size > LEXICON_MAX_BYTES - l->bytes)
        return lost(l);
    void *made = calloc(1, size);
    if (made == NULL || map64_put(map, key, made) != MAP64_OK) {
        free(made);
        return lost(l);
    }
    l->bytes += size;
    return made;
}

/* --- keeping --- */

static uint64_t key_of(struct sql_id id)
{
    return wire_hash_combine(id.hi, id.lo);
}

static struct kept_statement *statement_of(const struct lexicon *l, struct sql_id id)
{
    struct kept_statement *s = map64_get(&l->statements, key_of(id));
    return s != NULL && sql_id_equal(s->id, id) ? s : NULL;
}

/* The newest word on it counts. Only a text makes an entry: what else is known is of no use
 * without. */
static void keep_about(struct lexicon *l, struct sql_id id, enum about what,
                       const struct record_header *record)
{
    struct kept_statement *s = statement_of(l, id);
    if (s == NULL && what == ABOUT_TEXT && map64_get(&l->statements, key_of(id)) == NULL) {
        s = entry(l, &l->statements, key_of(id), sizeof(*s));
        if (s != NULL)
            s->id = id;
    }
    if (s == NULL || (what == ABOUT_TEXT && s->about[what] != NULL))
        return;
    drop_copy(l, s->about[what]);
    s->about[what] = copy_of(l, record);
}

static void keep_tag(struct lexicon *l, const struct record_tag *r)
{
    if (map64_get(&l->tags, r->id) != NULL)
        return;
    struct kept_tag *t = entry(l, &l->tags, r->id, sizeof(*t));
    if (t != NULL)
        t->record = copy_of(l, &r->h);
}

static void keep_session(struct lexicon *l, const struct record_session_start *r)
{
    struct kept_session *x = map64_get(&l->sessions, r->session);
    if (x == NULL)
        x = entry(l, &l->sessions, r->session, sizeof(*x));
    if (x != NULL && x->start == NULL)
        x->start = copy_of(l, &r->h);
}

static void keep_opaque(struct lexicon *l, const struct record_session_opaque *r)
{
    struct kept_session *x = map64_get(&l->sessions, r->session);
    if (x == NULL)
        return;
    x->opaque = true;
    x->why = *r;
}

static void keep_peer(struct lexicon *l, const struct record_peer *r)
{
    struct kept_session *x = map64_get(&l->sessions, r->session);
    if (x == NULL)
        return;
    x->peered = true;
    x->peer = *r;
}

static void forget_session(struct lexicon *l, uint64_t session)
{
    struct kept_session *x = map64_remove(&l->sessions, session);
    if (x == NULL)
        return;
    if (x->start != NULL)
        drop_copy(l, &x->start->h);
    l->bytes -= sizeof(*x);
    free(x);
}

void lexicon_keep(struct lexicon *l, const struct record_header *record)
{
    const void *r = record;
    switch ((enum record_type)record->type) {
    case RECORD_STATEMENT:
        keep_about(l, ((const struct record_statement *)r)->id, ABOUT_TEXT, record);
        break;
    case RECORD_COLUMNS:
        keep_about(l, ((const struct record_columns *)r)->id, ABOUT_COLUMNS, record);
        break;
    case RECORD_FACTS:
        keep_about(l, ((const struct record_facts *)r)->id, ABOUT_FACTS, record);
        break;
    case RECORD_TAG:
        keep_tag(l, r);
        break;
    case RECORD_SESSION_START:
        keep_session(l, r);
        break;
    case RECORD_SESSION_OPAQUE:
        keep_opaque(l, r);
        break;
    case RECORD_PEER:
        keep_peer(l, r);
        break;
    case RECORD_SESSION_END:
        forget_session(l, ((const struct record_session_end *)r)->session);
        break;
    default:
        break;
    }
}

/* --- telling --- */

struct telling {
    struct lexicon *lexicon;
    lexicon_tell *tell;
    void *context;
};

static void tell_statement(const struct telling *t, struct sql_id id)
{
    struct kept_statement *s = statement_of(t->lexicon, id);
    if (s == NULL || s->told == t->lexicon->run)
        return;
    s->told = t->lexicon->run;
    for (int i = 0; i < ABOUTS; i++) {
        if (s->about[i] != NULL)
            t->tell(t->context, s->about[i]);
    }
}

static void tell_tag(const struct telling *t, uint64_t id)
{
    struct kept_tag *tag = id != 0 ? map64_get(&t->lexicon->tags, id) : NULL;
    if (tag == NULL || tag->told == t->lexicon->run)
        return;
    tag->told = t->lexicon->run;
    if (tag->record != NULL)
        t->tell(t->context, tag->record);
}

static void tell_kept_session(const struct telling *t, struct kept_session *x)
{
    if (x->told == t->lexicon->run || x->start == NULL)
        return;
    x->told = t->lexicon->run;
    x->start->h.flags |= SESSION_OLDER;
    x->start->time_us = t->lexicon->began_us;
    t->tell(t->context, &x->start->h);
    if (x->peered) {
        x->peer.time_us = t->lexicon->began_us;
        t->tell(t->context, &x->peer.h);
    }
    if (x->opaque) {
        x->why.time_us = t->lexicon->began_us;
        t->tell(t->context, &x->why.h);
    }
}

static void tell_session(const struct telling *t, uint64_t session)
{
    struct kept_session *x = map64_get(&t->lexicon->sessions, session);
    if (x != NULL)
        tell_kept_session(t, x);
}

/* What a record names, and has to be known before it. */
static void tell_for(const struct telling *t, const struct record_header *record)
{
    const void *r = record;
    switch ((enum record_type)record->type) {
    case RECORD_EXCHANGE:
        tell_session(t, ((const struct record_exchange *)r)->session);
        tell_statement(t, ((const struct record_exchange *)r)->id);
        tell_tag(t, ((const struct record_exchange *)r)->tag);
        break;
    case RECORD_STATEMENT:
        tell_statement(t, ((const struct record_statement *)r)->id);
        break;
    case RECORD_COLUMNS:
        tell_statement(t, ((const struct record_columns *)r)->id);
        break;
    case RECORD_WIDTHS:
        tell_statement(t, ((const struct record_widths *)r)->id);
        break;
    case RECORD_SAMPLE:
        tell_statement(t, ((const struct record_sample *)r)->id);
        break;
    case RECORD_REQUEST:
        tell_tag(t, ((const struct record_request *)r)->tag);
        break;
    case RECORD_PEER:
        tell_session(t, ((const struct record_peer *)r)->session);
        break;
    case RECORD_SESSION_OPAQUE:
        tell_session(t, ((const struct record_session_opaque *)r)->session);
        break;
    case RECORD_UNREAD:
        tell_session(t, ((const struct record_unread *)r)->session);
        break;
    case RECORD_SESSION_END:
        tell_session(t, ((const struct record_session_end *)r)->session);
        break;
    default:
        break;
    }
}

/* It tells of itself. */
static void mark_told(struct lexicon *l, const struct record_header *record)
{
    const void *r = record;
    if (record->type == RECORD_STATEMENT) {
        struct kept_statement *s = statement_of(l, ((const struct record_statement *)r)->id);
        if (s != NULL)
            s->told = l->run;
    } else if (record->type == RECORD_TAG) {
        struct kept_tag *t = map64_get(&l->tags, ((const struct record_tag *)r)->id);
        if (t != NULL)
            t->told = l->run;
    } else if (record->type == RECORD_SESSION_START) {
        struct kept_session *x =
            map64_get(&l->sessions, ((const struct record_session_start *)r)->session);
        if (x != NULL)
            x->told = l->run;
    }
}

void lexicon_take(struct lexicon *l, const struct record_header *record, lexicon_tell *tell,
                  void *context)
{
    const struct telling t = {.lexicon = l, .tell = tell, .context = context};
    if (l->run > 1)
        tell_for(&t, record);
    lexicon_keep(l, record);
    mark_told(l, record);
}

void lexicon_begin(struct lexicon *l, int64_t now_us)
{
    l->run++;
    l->began_us = now_us;
}

void lexicon_tell_sessions(struct lexicon *l, lexicon_tell *tell, void *context)
{
    const struct telling t = {.lexicon = l, .tell = tell, .context = context};
    size_t at = 0;
    struct kept_session *x;
    while ((x = map64_next(&l->sessions, &at, NULL)) != NULL)
        tell_kept_session(&t, x);
}

bool lexicon_is_told(const struct lexicon *l, struct sql_id id)
{
    const struct kept_statement *s = statement_of(l, id);
    return s == NULL || s->told == l->run;
}
