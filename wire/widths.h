/*
 * Where the bytes of a large result are: its columns, and how many of their bytes only repeat the
 * row before. Measured on rows behind the first WIDTHS_SKIP, so that small results cost nothing,
 * and on WIDTHS_ROWS of them at most.
 */
#ifndef PGSLEUTH_WIRE_WIDTHS_H
#define PGSLEUTH_WIRE_WIDTHS_H

#include "wire/messages.h"
#include "wire/record.h"

enum { WIDTHS_SKIP = 64, WIDTHS_ROWS = 1024 };

struct wire_widths {
    uint64_t rows;
    unsigned n; /* columns */
    struct record_width columns[RECORD_MAX_WIDTHS];
    uint64_t before[RECORD_MAX_WIDTHS]; /* hash of the value in the row before */
};

/* No row yet. */
void wire_widths_init(struct wire_widths *w);

/* Measure one DataRow; what was cut of it is not counted. */
void wire_widths_row(struct wire_widths *w, const struct wire_message *row);

#endif
