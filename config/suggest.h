/*
 * "Did you mean": the nearest of the known names, by the fewest insertions, deletions,
 * substitutions and swaps of neighbours. Internal to config/.
 */
#ifndef PGSLEUTH_CONFIG_SUGGEST_H
#define PGSLEUTH_CONFIG_SUGGEST_H

#include "common/span.h"

/* Longest name that takes part, without terminator. */
#define CFG_SUGGEST_MAX 64

/* The search so far, in the caller's storage; borrows nothing but `wanted`. */
struct cfg_nearest {
    struct span wanted;
    size_t distance; /* of `name`; nothing at this distance or beyond is taken */
    char name[CFG_SUGGEST_MAX + 1];
};

/* Start to look for what was meant by `wanted`, which outlives the search. */
void cfg_nearest_init(struct cfg_nearest *nearest, struct span wanted);

/* Take `name` when it is nearer than what is known. Ties stay with the earlier name. */
void cfg_nearest_offer(struct cfg_nearest *nearest, const char *name);

/* Edits that turn one name into the other; SIZE_MAX when either is over CFG_SUGGEST_MAX bytes. */
size_t cfg_edit_distance(struct span a, struct span b);

/* A name was near enough to be worth telling: `name` is not empty. */
static inline bool cfg_nearest_found(const struct cfg_nearest *nearest)
{
    return nearest->name[0] != '\0';
}

#endif
