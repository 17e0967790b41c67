/*
 * A growing byte buffer with a hard maximum and one sticky failure.
 *
 * Writers never check each append: an append that would pass the maximum, or that finds no memory,
 * sets `failed` and changes nothing more; the caller looks at `failed` once at the end. The text is
 * always NUL-terminated once something was appended (the NUL is not counted in `len`).
 */
#ifndef PGSLEUTH_COMMON_STRBUF_H
#define PGSLEUTH_COMMON_STRBUF_H

#include "common/span.h"

#include <stdarg.h>

struct strbuf {
    char *data; /* owned; NULL until the first append */
    size_t len;
    size_t size; /* bytes allocated */
    size_t max;  /* `len` never passes this */
    bool failed;
    bool no_memory; /* it failed for that, not for its maximum */
};

/* Start an empty buffer in the caller's storage that may grow to `max` bytes. Allocates nothing. */
void strbuf_init(struct strbuf *b, size_t max);

/* Free the memory; the buffer may be used again after strbuf_init. */
void strbuf_fini(struct strbuf *b);

/* Forget the contents and the failure, keep the memory. */
void strbuf_reset(struct strbuf *b);

void strbuf_add(struct strbuf *b, const void *data, size_t len);
void strbuf_add_span(struct strbuf *b, struct span s);
void strbuf_puts(struct strbuf *b, const char *text);
void strbuf_putc(struct strbuf *b, char c);
void strbuf_printf(struct strbuf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void strbuf_vprintf(struct strbuf *b, const char *format, va_list args);

/* A view of the contents, valid until the next append or strbuf_fini. */
struct span strbuf_span(const struct strbuf *b);

/* The contents as a C string, "" when empty; valid until the next append or strbuf_fini. */
const char *strbuf_text(const struct strbuf *b);

/* Hand the memory to the caller, who frees it with free(); NULL when the buffer failed. The buffer
 * is empty afterwards. */
char *strbuf_take(struct strbuf *b);

#endif
