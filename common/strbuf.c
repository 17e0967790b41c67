#include "common/strbuf.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

void strbuf_init(struct strbuf *b, size_t max)
{
    assert(max < SIZE_MAX / 2);
    *b = (struct strbuf){.max = max};
}

void strbuf_fini(struct strbuf *b)
{
    free(b->data);
    *b = (struct strbuf){.max = b->max};
}

void strbuf_reset(struct strbuf *b)
{
    b->len = 0;
    b->failed = false;
    b->no_memory = false;
    if (b->data != NULL)
        b->data[0] = '\0';
}

/* Make room for `more` bytes and the terminator. */
static bool reserve(struct strbuf *b, size_t more)
{
    if (b->failed || more > b->max - b->len) {
        b->failed = true;
        return false;
    }
    size_t need = b->len + more + 1;
    if (b->data != NULL && need <= b->size)
        return true;
    size_t size = b->size < 64 ? 64 : b->size;
    while (size < need)
        size *= 2;
    char *data = realloc(b->data, size);
    if (data == NULL) {
        b->failed = true;
        b->no_memory = true;
        return false;
    }
    b->data = data;
    b->size = size;
    return true;
}

void strbuf_add(struct strbuf *b, const void *data, size_t len)
{
    if (!reserve(b, len))
        return;
    if (len > 0)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void strbuf_add_span(struct strbuf *b, struct span s)
{
    strbuf_add(b, s.data, s.len);
}

void strbuf_puts(struct strbuf *b, const char *text)
{
    strbuf_add(b, text, strlen(text));
}

void strbuf_putc(struct strbuf *b, char c)
{
    strbuf_add(b, &c, 1);
}

void strbuf_printf(struct strbuf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    strbuf_vprintf(b, format, args);
    va_end(args);
}

void strbuf_vprintf(struct strbuf *b, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int need = vsnprintf(NULL, 0, format, args);
    if (need < 0) {
        b->failed = true;
    } else if (reserve(b, (size_t)need)) {
        vsnprintf(b->data + b->len, (size_t)need + 1, format, again);
        b->len += (size_t)need;
    }
    va_end(again);
}

struct span strbuf_span(const struct strbuf *b)
{
    return span_of(b->data, b->len);
}

const char *strbuf_text(const struct strbuf *b)
{
    return b->data != NULL ? b->data : "";
}

char *strbuf_take(struct strbuf *b)
{
    char *out = NULL;
    if (!b->failed) {
        if (b->data == NULL)
            strbuf_puts(b, "");
        out = b->failed ? NULL : b->data;
        if (out != NULL)
            b->data = NULL;
    }
    strbuf_fini(b);
    return out;
}
