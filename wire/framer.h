/*
 * Cut one direction of a session into messages: type byte, length word, body.
 *
 * The framer is shown each piece of the stream once, in pieces of any size, and gives messages in
 * place where a message lies whole in the piece; a message that does not is gathered in a buffer
 * that exists only meanwhile. Of each body at most the bytes that messages.def names are kept, so
 * memory is bounded whatever a peer announces; of SQL texts the last WIRE_TAIL bytes are kept too,
 * whole and whatever stands behind the text, because that is where comments with tags are. What is
 * given does not depend on how the stream was cut into pieces.
 */
#ifndef PGSLEUTH_WIRE_FRAMER_H
#define PGSLEUTH_WIRE_FRAMER_H

#include "common/span.h"
#include "wire/account.h"

enum {
    WIRE_HEADER = 5, /* type and length word */
    WIRE_SMALL = 10000,
    WIRE_LARGE = 0x3fffffff,
    WIRE_KEEP_SQL = 32 * 1024,
    WIRE_KEEP_BIND = 32 * 1024,
    WIRE_KEEP_ROW = 16 * 1024,
    WIRE_TAIL = 2 * 1024,
};

enum wire_direction { WIRE_FROM_CLIENT, WIRE_FROM_SERVER };

enum wire_message_type {
#define FRONTEND(type, name, min, max, keep) WIRE_##name = type,
#define BACKEND(type, name, min, max, keep)
#include "wire/messages.def"
#undef FRONTEND
#undef BACKEND
};

enum wire_reply_type {
#define FRONTEND(type, name, min, max, keep)
#define BACKEND(type, name, min, max, keep) WIRE_##name = type,
#include "wire/messages.def"
#undef FRONTEND
#undef BACKEND
};

enum wire_opaque_reason {
#define WIRE_OPAQUE(name, id, text) WIRE_OPAQUE_##name = id,
#include "wire/opaque_reasons.def"
#undef WIRE_OPAQUE
    WIRE_OPAQUE_REASONS
};

/* Text for people. Static storage. */
const char *wire_opaque_reason_text(enum wire_opaque_reason reason);

enum wire_outcome { WIRE_ERROR = -1, WIRE_NEED_MORE = 0, WIRE_MESSAGE = 1 };

/* One message. Spans are valid until the framer's next call or until the piece they look into goes.
 */
struct wire_message {
    uint8_t type;
    uint32_t body_len; /* as announced */
    struct span body;  /* its first bytes: all of it unless `cut` */
    struct span tail;  /* of a SQL text that goes on behind `body`: its last bytes without its NUL,
                        * of which the first may be in `body` too; else empty */
    bool cut;
};

struct wire_framer {
    enum wire_direction direction;
    enum wire_opaque_reason error; /* set with WIRE_ERROR */
    uint8_t header[WIRE_HEADER];
    uint8_t have_header; /* bytes of `header` */
    uint32_t body_len;
    uint32_t have_body; /* bytes of the body seen, kept or skipped */
    uint32_t keep;      /* first bytes of this body to gather */
    uint32_t tail_len;  /* bytes of the tail, which is gathered behind them */
    bool in_tail;       /* the SQL text goes on, its NUL has not come */
    uint8_t *gathered;  /* owned; NULL between messages */
    uint32_t gathered_size;
    bool delivered;               /* `gathered` was given out and goes at the next call */
    struct wire_account *account; /* borrowed: charged with what is gathered; NULL: nobody is */
};

void wire_framer_init(struct wire_framer *f, enum wire_direction direction);
void wire_framer_fini(struct wire_framer *f);

/* Take the next message off the front of *input, which moves past what was consumed.
 * WIRE_MESSAGE: *out is one message. WIRE_NEED_MORE: all input was consumed. WIRE_ERROR: the stream
 * cannot be cut any further, `error` tells why; the framer must not be called again. */
enum wire_outcome wire_framer_next(struct wire_framer *f, struct span *input,
                                   struct wire_message *out);

/* Take the DataRows that lie whole at the front of *input, up to the first that is none, is cut, or
 * is larger than what is kept of one: those are for wire_framer_next. Gives them as one span with
 * their headers, and their number in *rows. */
struct span wire_framer_rows(struct wire_framer *f, struct span *input, uint64_t *rows);

#endif
