#include "detectors/text.h"

#include <stdio.h>

const char *det_take(struct arena *arena, struct strbuf *b)
{
    arena->no_memory += b->no_memory;
    const char *out = b->failed ? NULL : arena_text(arena, strbuf_span(b));
    strbuf_fini(b);
    return out;
}

const char *det_text(struct arena *arena, const char *format, ...)
{
    struct strbuf b;
    strbuf_init(&b, DET_TEXT_MAX);
    va_list args;
    va_start(args, format);
    strbuf_vprintf(&b, format, args);
    va_end(args);
    return det_take(arena, &b);
}

const char *det_ms(double ms, char out[DET_MS_MAX])
{
    const double second_ms = 1000;
    if (ms < 0)
        ms = 0;
    if (ms >= second_ms)
        (void)snprintf(out, DET_MS_MAX, "%.1f s", ms / second_ms);
    else if (ms >= 10)
        (void)snprintf(out, DET_MS_MAX, "%.0f ms", ms);
    else
        (void)snprintf(out, DET_MS_MAX, "%.2g ms", ms);
    return out;
}

const char *det_plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}
