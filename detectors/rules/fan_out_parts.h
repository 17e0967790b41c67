/* What fan_out.c gathers and fan_out_match.c matches: for these two alone. */
#ifndef PGSLEUTH_DETECTORS_RULES_FAN_OUT_PARTS_H
#define PGSLEUTH_DETECTORS_RULES_FAN_OUT_PARTS_H

#include "detectors/rules/fan_out.h"

enum {
    FAN_MAX_CALLS = 32768,           /* reads kept */
    FAN_MAX_SCAN = 32768,            /* of them looked at for one list */
    FAN_MAX_ROWS = 1024,             /* of one list */
    FAN_SET_SLOTS = 4096,            /* power of two, over twice FAN_MAX_ROWS */
    FAN_MAX_GROUPS = 8,              /* statements that follow one list */
    FAN_MAX_VALUES = 4,              /* of a read, looked at */
    FAN_WINDOW_US = 2 * 1000 * 1000, /* after the list's end, in which its reads start */
};

/* A single-row read. */
struct fan_call {
    int64_t added_us; /* when it was known */
    int64_t start_us;
    int64_t end_us;
    int64_t from_us;  /* its connection was in use for it: of a leaf from the unit's start ... */
    int64_t until_us; /* ... to its end */
    uint32_t total_us;
    uint64_t client;
    uint64_t unit;
    uint64_t session;
    struct statement *statement;
    struct endpoint *endpoint;
    const struct tag *tag;
    uint64_t values[FAN_MAX_VALUES];
    uint8_t n_values;
    bool leaf;  /* its unit reads rows by one key, or in one statement, and does nothing else */
    bool first; /* of its unit */
    bool taken; /* by a list */
};

/* A result that reads may follow, one for each of its rows. */
struct fan_result {
    struct fan_result *older; /* by end */
    struct fan_result *newer;
    size_t bytes;
    uint64_t client;
    uint64_t unit;
    struct statement *statement;
    struct endpoint *endpoint;
    const struct tag *tag;
    int64_t start_us;
    int64_t end_us;
    int64_t known_us; /* when its unit closed */
    int64_t held_us;  /* until then its connection belonged to the request; 0 when not known */
    uint64_t rows;
    unsigned n_keys;
    struct record_key keys[RECORD_MAX_KEYS];
    uint64_t hashes[]; /* of the keys, one column behind the other */
};

struct fan_slot {
    uint64_t hash; /* 0: free */
    uint16_t row;
    uint8_t asked; /* bit of each group */
};

/* Reads of one statement that match one column of a list by the value at one position. */
struct fan_group {
    struct statement *statement;
    unsigned position;
    size_t n;
    uint32_t members[FAN_MAX_ROWS]; /* calls, by their place in the ring */
    uint16_t rows[FAN_MAX_ROWS];    /* of the list */
};

/* One of a group, for sorting. */
struct fan_place {
    int64_t start_us;
    uint16_t row;
    uint32_t member;
};

/* A group that is an occurrence of a fan-out. */
struct fan_burst {
    unsigned column;
    double cover;
    double order;
    bool dense;
    unsigned connections;
    int64_t last_us; /* end of the last read */
    uint64_t busy_us;
    struct fan_group group;
};

struct fan_out {
    struct arena *arena;
    struct repeats *repeats;
    struct map64 kinds; /* (endpoint, statement) -> fan_list */
    struct fan_result *oldest;
    struct fan_result *newest;
    size_t n_lists;
    size_t list_bytes;
    int64_t now_us;
    uint64_t n_calls; /* ever; the last FAN_MAX_CALLS are kept */
    uint64_t lost_lists;
    uint64_t lost_calls; /* beyond what is kept of one unit */
    uint64_t cut;        /* lists not judged: too many reads in their time */
    uint64_t null_hash;

    /* scratch of one list */
    uint32_t candidates[FAN_MAX_SCAN];
    size_t n_candidates;
    struct fan_slot slots[FAN_SET_SLOTS];
    uint16_t used[FAN_MAX_ROWS];
    size_t n_used;
    size_t n_small;
    struct fan_group groups[FAN_MAX_GROUPS];
    size_t n_groups;
    struct fan_place places[FAN_MAX_ROWS];
    struct fan_burst bursts[FAN_MAX_GROUPS];
    size_t n_bursts;
    struct fan_call calls[FAN_MAX_CALLS];
};

/* The reads that follow a list, one for each of its rows, as `bursts`: one a statement. False when
 * there are too many reads to look at. */
bool fan_out_match(struct fan_out *f, const struct det_settings *set, const struct fan_result *l);

#endif
