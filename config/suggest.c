#include "config/suggest.h"

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/*
 * Optimal string alignment, three rows of the table at a time. A transposition needs the row
 * before the last, which is why two rows are not enough.
 */
size_t cfg_edit_distance(struct span a, struct span b)
{
    if (a.len > CFG_SUGGEST_MAX || b.len > CFG_SUGGEST_MAX)
        return SIZE_MAX;
    size_t rows[3][CFG_SUGGEST_MAX + 1] = {{0}};
    for (size_t j = 0; j <= b.len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i - 1) % 3];
        const size_t *second = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t change = above[j - 1] + (a.data[i - 1] != b.data[j - 1]);
            row[j] = least(change, least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] && a.data[i - 2] == b.data[j - 1])
                row[j] = least(row[j], second[j - 2] + 1);
        }
    }
    return rows[a.len % 3][b.len];
}

void cfg_nearest_init(struct cfg_nearest *nearest, struct span wanted)
{
    /* One slip in a short name, one more for every four letters: more is another word. */
    *nearest = (struct cfg_nearest){.wanted = wanted, .distance = wanted.len / 4 + 2};
}

void cfg_nearest_offer(struct cfg_nearest *nearest, const char *name)
{
    struct span offered = span_of_text(name);
    size_t distance = cfg_edit_distance(nearest->wanted, offered);
    if (distance >= nearest->distance)
        return;
    nearest->distance = distance;
    memcpy(nearest->name, name, offered.len + 1);
}
