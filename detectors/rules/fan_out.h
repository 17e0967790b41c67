/*
 * N+1 over several connections of one client: a list on one connection, then a statement for each
 * of its rows, spread over a pool (asyncio.gather, threads). No unit of work holds both, so lists
 * and single-row reads of each client are kept for a few seconds and matched by their values.
 *
 * Requests of a busy pool that have nothing to do with each other must not match. So one occurrence
 * is, soon after the list and within two seconds: one read for each of most of its rows, on two or
 * more connections, overlapping, without long silence, in the order of the rows as far as they did
 * not run at once, each the whole of its unit of work (or the first statement of one with the
 * list's tag). And occurrences count from the third on, and only when about every list of this
 * endpoint is followed so: as many reads as lists have rows, which single reads of a row out of a
 * shared list never are; and when the read hardly ever runs in any other way.
 *
 * What ties the reads to the list's request:
 *
 *   tag    they carry the tag of the list's endpoint
 *   held   the list's connection was given back only after the last read had ended
 *   none   they may be requests of their own
 *
 * A client that loads a list and then each of its items over HTTP makes the traffic of the last:
 * the finding says so, stays below the confidence from which its code counts as a plan, and is of
 * medium severity at most. With tags its routes differ, unless one route serves everything, as
 * GraphQL's often does: that is the limit of what a tag tells.
 *
 * The counters are a `struct repeat` each, with what only a fan-out has in `struct fan`.
 */
#ifndef PGSLEUTH_DETECTORS_RULES_FAN_OUT_H
#define PGSLEUTH_DETECTORS_RULES_FAN_OUT_H

#include "common/histogram.h"
#include "detectors/audit.h"
#include "detectors/rules/repeats.h"

/* A statement as a list at one endpoint. */
struct fan_list {
    uint64_t seen;
    uint64_t judged; /* of them: looked at for reads that follow */
    uint64_t fanned; /* of those: with a read for each row */
};

struct fan {
    const struct fan_list *list;
    uint64_t tagged; /* occurrences whose reads carry the tag of the list's endpoint */
    uint64_t held;   /* whose list's connection was held until the last read had ended */
    double order;    /* sum over occurrences: how far reads follow the rows, 1 all, 0.5 by chance */
    int64_t beside_us; /* to add to the endpoint's database time for it to hold all these reads,
                          with what overlaps counted once */
    struct histogram connections;
    struct histogram dearest_us; /* the longest of a burst's reads */
    struct histogram span_us;    /* from the list's start to the last read's end */
};

struct fan_out; /* lists and reads of the last seconds */

/* Counts into `repeats`, which must outlive it. NULL when there is no memory. */
struct fan_out *fan_out_new(struct arena *arena, struct repeats *repeats);
void fan_out_free(struct fan_out *f);

/* Take in a closed unit. */
void fan_out_count(struct fan_out *f, const struct det_settings *set, const struct unit *u);

/* Judge the lists whose time is over. */
void fan_out_advance(struct fan_out *f, const struct det_settings *set, int64_t now_us);

/* Lists and reads that found no room or no time. */
uint64_t fan_out_lost(const struct fan_out *f);

/* What a repeat with a fan is. */
struct repeat_verdict fan_out_judge(const struct audit *a, const struct repeat *e);

/* Tell a finding on repeats with fans, filled in as any N+1, in the terms of a fan-out: severity,
 * times, words. `repeats` are those of one list. */
void fan_out_tell(struct arena *arena, const struct audit *a, struct finding *f,
                  const struct repeat *const *repeats, unsigned n);

#endif
