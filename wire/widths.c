#include "wire/widths.h"

#include "common/hash.h"

void wire_widths_init(struct wire_widths *w)
{
    w->rows = 0;
    w->n = 0;
}

static void add_column(struct wire_widths *w, unsigned i, struct span value)
{
    uint64_t hash = XXH3_64bits_withSeed(value.data, value.len, value.len);
    if (i >= w->n) {
        w->columns[i] = (struct record_width){.bytes = 0};
        w->n = i + 1;
    } else if (w->before[i] == hash) {
        w->columns[i].repeated_bytes += value.len;
    }
    w->columns[i].bytes += value.len;
    w->before[i] = hash;
}

void wire_widths_row(struct wire_widths *w, const struct wire_message *row)
{
    struct reader r;
    unsigned n;
    if (wire_begin_columns(row, &r, &n) != 0)
        return;
    for (unsigned i = 0; i < n && i < RECORD_MAX_WIDTHS; i++) {
        struct span value;
        bool null;
        if (wire_next_column(&r, &value, &null) != 0)
            break;
        add_column(w, i, null ? span_of("", 0) : value);
    }
    w->rows++;
}
