/*
 * Where the application's request marks arrive (wire/request_mark.h): one datagram socket for each
 * address, read on the auditor's loop.
 *
 * The kernel says when a datagram came, and whether it had to drop some before it for want of room.
 * A mark that was lost would leave its statements with the name of the request before; so the audit
 * is told when that may have been.
 */
#ifndef PGSLEUTH_PROXY_MARKS_H
#define PGSLEUTH_PROXY_MARKS_H

#include "proxy/address.h"
#include "wire/record.h"

struct event_base;
struct marks;

/* Gets records: tags at their first sight, then the marks. They are valid during the call. */
typedef void marks_take(void *context, const struct record_header *record);

/* Open the sockets; `addresses` is borrowed. Times count from `epoch_us`. NULL with one line in
 * `error`. */
struct marks *marks_open(const struct addresses *addresses, int64_t epoch_us, char *error,
                         size_t error_size);

/* Read them on this loop from now on. 0, or -1 without memory. */
int marks_start(struct marks *m, struct event_base *base, marks_take *take, void *context);

/* Read what is there: whoever is about to take an exchange that ended at `time_us` needs all marks
 * that came before. Does nothing when they have been read since. NULL is allowed. */
void marks_read_until(struct marks *m, int64_t time_us);

/* Closes the sockets and removes the file of a Unix socket. NULL is allowed. */
void marks_free(struct marks *m);

#endif
