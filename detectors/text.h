/*
 * Making words: printf into an arena. Names that come from the wire are written by python_names.h.
 */
#ifndef PGSLEUTH_DETECTORS_TEXT_H
#define PGSLEUTH_DETECTORS_TEXT_H

#include "common/arena.h"
#include "common/strbuf.h"

enum { DET_TEXT_MAX = 16 * 1024 };

/* Formatted text in the arena; NULL when there is no memory. */
const char *det_text(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Move a buffer's text into the arena and end the buffer; NULL when it failed. */
const char *det_take(struct arena *arena, struct strbuf *b);

/* A time as "0.42 ms", "12 ms", "3.1 s", in the caller's buffer. */
enum { DET_MS_MAX = 32 };
const char *det_ms(double ms, char out[DET_MS_MAX]);

/* "1 statement", "2 statements". */
const char *det_plural(uint64_t n);

#endif
