/*
 * Driver chatter: statements that a driver, an ORM or a pool sends for its own sake. They are no
 * work of the application, so they are left out of every count; some of them tell where one
 * request's use of a connection begins or ends.
 *
 * What is chatter stands in chatter.def, as shapes of the displayed masked text. A statement is
 * looked up once, when its text comes.
 */
#ifndef PGSLEUTH_DETECTORS_CHATTER_H
#define PGSLEUTH_DETECTORS_CHATTER_H

#include "wire/sql_lexer.h"

enum chatter_class {
    CHATTER_PING,          /* "are you there?" before a connection is handed out */
    CHATTER_RESET,         /* a pool cleans a connection that came back */
    CHATTER_TX,            /* moves the transaction */
    CHATTER_SETTING,       /* session settings */
    CHATTER_INTROSPECTION, /* types, version, catalogs */
    CHATTER_HOUSEKEEPING,  /* prepared statements, cursors, channels */
};

/* What a chatter statement says of units of work. */
enum chatter_boundary {
    CHATTER_NO_BOUNDARY,
    CHATTER_BEGINS, /* the unit before it is over */
    CHATTER_ENDS,   /* the unit it stands in is over */
};

enum chatter_match {
    CHATTER_BY_VERB,   /* any text of this verb */
    CHATTER_BY_TEXT,   /* the whole text */
    CHATTER_BY_PREFIX, /* the text begins so */
};

struct chatter {
    enum chatter_class class;
    enum chatter_boundary boundary;
    enum sql_verb verb;
    enum chatter_match match;
    const char *text; /* as sql_display writes it */
};

/* The row that a statement of this verb and masked text is, or NULL: it is the application's.
 * Static storage. */
const struct chatter *chatter_find(enum sql_verb verb, struct span masked);

/* The row for statements that the grammar found to read nothing but catalogs. */
const struct chatter *chatter_introspection(void);

#endif
