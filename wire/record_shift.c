#include "wire/record_shift.h"

#include <assert.h>

enum { RUN_BITS_AT = 58 };

/* Where the time of a record is, and the ids that are unique in its run alone. */
struct fields {
    int64_t *time;
    uint64_t *ids[2];
};

static struct fields fields_of(struct record_header *h)
{
    switch (h->type) {
#define TIMED(name, type, field, first, second)                                                    \
    case RECORD_##name: {                                                                          \
        struct type *r = (struct type *)h;                                                         \
        return (struct fields){.time = &r->field, .ids = {first, second}};                         \
    }
        TIMED(SESSION_START, record_session_start, time_us, &r->session, NULL)
        TIMED(SESSION_END, record_session_end, time_us, &r->session, NULL)
        TIMED(SESSION_OPAQUE, record_session_opaque, time_us, &r->session, NULL)
        TIMED(UNREAD, record_unread, time_us, &r->session, NULL)
        TIMED(EXCHANGE, record_exchange, start_us, &r->session, NULL)
        TIMED(HTTP_BEGIN, record_http_begin, time_us, &r->request, NULL)
        TIMED(HTTP, record_http, start_us, &r->request, &r->connection)
        TIMED(PLAN, record_plan, time_us, NULL, NULL)
        TIMED(PEER, record_peer, time_us, &r->session, NULL)
        TIMED(REQUEST, record_request, time_us, NULL, NULL)
        TIMED(MARK, record_mark, time_us, NULL, NULL)
        TIMED(MOMENT, record_moment, time_us, NULL, NULL)
        TIMED(RUN_BEGIN, record_run_begin, time_us, NULL, NULL)
        TIMED(RUN_END, record_run_end, time_us, NULL, NULL)
#undef TIMED
    default:
        return (struct fields){.time = NULL};
    }
}

int64_t record_time(const struct record_header *record)
{
    /* Only looked at: one table serves both. */
    union {
        const struct record_header *in;
        struct record_header *out;
    } r = {.in = record};
    struct fields f = fields_of(r.out);
    return f.time != NULL ? *f.time : 0;
}

bool record_shift(struct record_header *record, int64_t by_us, unsigned run)
{
    assert(run < RECORD_SHIFT_RUNS && by_us >= 0 && by_us <= RECORD_TIME_MAX_US);
    struct fields f = fields_of(record);
    if (f.time != NULL) {
        if (*f.time > RECORD_TIME_MAX_US - by_us)
            return false;
        *f.time += by_us;
    }
    for (size_t i = 0; i < 2; i++) {
        if (f.ids[i] != NULL)
            *f.ids[i] ^= (uint64_t)run << RUN_BITS_AT;
    }
    return true;
}
