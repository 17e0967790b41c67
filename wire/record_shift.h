/*
 * Records of one run made to follow those of another, so that both can be judged as one.
 */
#ifndef PGSLEUTH_WIRE_RECORD_SHIFT_H
#define PGSLEUTH_WIRE_RECORD_SHIFT_H

#include "wire/record.h"

/* Runs that can follow each other: their ids share 64 bits. */
enum { RECORD_SHIFT_RUNS = 64 };

/* The time of a good record, 0 of one without. */
int64_t record_time(const struct record_header *record);

/* Move a good record by `by_us` and give what is counted in it, sessions, connections and requests,
 * numbers of the run `run` (from 0). False when its time would be beyond RECORD_TIME_MAX_US. */
bool record_shift(struct record_header *record, int64_t by_us, unsigned run);

#endif
