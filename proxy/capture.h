/*
 * The capture file: a header and the records of a run, as they went through the auditor.
 *
 * It holds no value of the traffic (record_is_captured), is readable to its last whole record after
 * a crash, and is of this machine's byte order, which the header tells.
 */
#ifndef PGSLEUTH_PROXY_CAPTURE_H
#define PGSLEUTH_PROXY_CAPTURE_H

#include "wire/record.h"

struct capture_writer;

/* Create or replace the file (mode 0600). NULL with one line in `error`. */
struct capture_writer *capture_create(const char *path, char *error, size_t error_size);

/* Append one record if it may be captured. After the first failure (a full disk) nothing more is
 * written; the failure is logged once. */
void capture_write(struct capture_writer *c, const struct record_header *record);

/* Hand what is buffered to the kernel. */
void capture_flush(struct capture_writer *c);

/* Flush, fsync and close. 0, or -1 when any write had failed. NULL is allowed. */
int capture_close(struct capture_writer *c);

/* Whether a file begins as a capture does. */
bool capture_is_one(const char *path);

/* Called for each record; valid during the call. */
typedef void capture_take(void *context, const struct record_header *record);

/* Read a whole file. A last record that is cut short is left out and *cut set. 0, or -1 with one
 * line in `error` when the file cannot be read, is no capture, or is damaged in the middle. */
int capture_read(const char *path, capture_take *take, void *context, bool *cut, char *error,
                 size_t error_size);

#endif
