#include "report/utf8.h"

/* Length of the sequence a lead byte announces and the least code point it may carry. */
static size_t sequence_of(uint8_t lead, uint32_t *bits, uint32_t *least)
{
    if (lead >= 0xC2 && lead <= 0xDF) {
        *bits = lead & 0x1FU;
        *least = 0x80;
        return 2;
    }
    if ((lead & 0xF0) == 0xE0) {
        *bits = lead & 0x0FU;
        *least = 0x800;
        return 3;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        *bits = lead & 0x07U;
        *least = 0x10000;
        return 4;
    }
    return 0;
}

static bool is_scalar_value(uint32_t code, uint32_t least)
{
    return code >= least && code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
}

bool rpt_utf8_next(struct span *in, uint32_t *code)
{
    if (in->len == 0)
        return false;
    uint8_t lead = in->data[0];
    uint32_t least = 0;
    *code = lead;
    if (lead < 0x80) {
        *in = span_skip(*in, 1);
        return true;
    }
    size_t len = sequence_of(lead, code, &least);
    size_t at = 1;
    while (at < len && at < in->len && (in->data[at] & 0xC0) == 0x80)
        *code = (*code << 6) | (in->data[at++] & 0x3FU);
    if (len == 0 || at < len || !is_scalar_value(*code, least))
        *code = RPT_REPLACEMENT;
    *in = span_skip(*in, at);
    return true;
}

void rpt_utf8_put(struct strbuf *out, uint32_t code)
{
    if (code < 0x80) {
        strbuf_putc(out, (char)code);
        return;
    }
    unsigned more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const uint8_t lead[] = {0, 0xC0, 0xE0, 0xF0};
    uint8_t bytes[4];
    bytes[0] = (uint8_t)(lead[more] | (code >> (6 * more)));
    for (unsigned i = 1; i <= more; i++)
        bytes[i] = (uint8_t)(0x80 | ((code >> (6 * (more - i))) & 0x3F));
    strbuf_add(out, bytes, more + 1);
}

struct range {
    uint32_t first;
    uint32_t last;
};

static bool in_ranges(const struct range *ranges, size_t n, uint32_t code)
{
    for (size_t i = 0; i < n; i++) {
        if (code >= ranges[i].first && code <= ranges[i].last)
            return true;
    }
    return false;
}

bool rpt_is_control(uint32_t code)
{
    static const struct range control[] = {
        {0x00, 0x1F},     {0x7F, 0x9F},     {0x61C, 0x61C},   {0x200E, 0x200F},
        {0x2028, 0x202E}, {0x2066, 0x2069}, {0xFEFF, 0xFEFF}, {0xFFFE, 0xFFFF},
    };
    return in_ranges(control, sizeof control / sizeof control[0], code);
}

unsigned rpt_columns(uint32_t code)
{
    static const struct range none[] = {
        {0x300, 0x36F}, {0x200B, 0x200D}, {0x20D0, 0x20F0}, {0xFE00, 0xFE0F}, {0xE0100, 0xE01EF},
    };
    static const struct range wide[] = {
        {0x1100, 0x115F},   {0x2E80, 0xA4CF},   {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},
        {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},   {0xFFE0, 0xFFE6},   {0x1F300, 0x1F64F},
        {0x1F680, 0x1F6FF}, {0x1F900, 0x1FAFF}, {0x20000, 0x3FFFD},
    };
    if (code < 0x300)
        return 1;
    if (in_ranges(none, sizeof none / sizeof none[0], code))
        return 0;
    return in_ranges(wide, sizeof wide / sizeof wide[0], code) ? 2 : 1;
}
