#include "wire/sql_lexer.h"

/* Bounded output with room kept for the terminating NUL. */
struct writer {
    char *out;
    size_t room;
    size_t len;
};

static void write_bytes(struct writer *w, const char *bytes, size_t n)
{
    size_t left = w->room - w->len;
    if (n > left)
        n = left;
    memcpy(w->out + w->len, bytes, n);
    w->len += n;
}

static void write_text(struct writer *w, const char *text)
{
    write_bytes(w, text, strlen(text));
}

static size_t plain_run(struct span masked)
{
    size_t n = 0;
    while (n < masked.len && masked.data[n] != SQL_HOLE && masked.data[n] != SQL_MORE)
        n++;
    return n;
}

static void write_param(struct writer *w, size_t number)
{
    char digits[24];
    size_t at = sizeof(digits);
    do
        digits[--at] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    digits[--at] = '$';
    write_bytes(w, digits + at, sizeof(digits) - at);
}

static void write_by_kind(struct writer *w, uint8_t kind, size_t *params)
{
    switch (kind) {
    case SQL_HOLE_NUMBER:
        write_text(w, "0");
        break;
    case SQL_HOLE_PARAM:
        write_param(w, ++*params);
        break;
    case SQL_HOLE_NAME:
        write_text(w, "n");
        break;
    case SQL_HOLE_BIT:
        write_text(w, "B'0'");
        break;
    default:
        write_text(w, "''");
        break;
    }
}

size_t sql_display(struct span masked, char *out, size_t size)
{
    if (size == 0)
        return 0;
    struct writer w = {.out = out, .room = size - 1};
    while (masked.len > 0 && w.len < w.room) {
        size_t n = plain_run(masked);
        write_bytes(&w, (const char *)masked.data, n);
        if (n < masked.len)
            write_text(&w, masked.data[n] == SQL_HOLE ? "?" : ", ...");
        masked = span_skip(masked, n + 1);
    }
    out[w.len] = '\0';
    return w.len;
}

size_t sql_parseable(struct span masked, struct span kinds, char *out, size_t size)
{
    if (size == 0)
        return 0;
    struct writer w = {.out = out, .room = size - 1};
    size_t params = 0;
    while (masked.len > 0 && w.len < w.room) {
        size_t n = plain_run(masked);
        write_bytes(&w, (const char *)masked.data, n);
        if (n < masked.len && masked.data[n] == SQL_HOLE) {
            write_by_kind(&w, kinds.len > 0 ? kinds.data[0] : SQL_HOLE_STRING, &params);
            kinds = span_skip(kinds, 1);
        }
        masked = span_skip(masked, n + 1);
    }
    out[w.len] = '\0';
    return w.len;
}
