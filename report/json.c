#include "report/json.h"

#include "report/error.h"
#include "report/value.h"

static int append(const char *data, size_t len, void *out)
{
    struct strbuf *b = out;
    strbuf_add(b, data, len);
    return b->failed ? -1 : 0;
}

int rpt_json(const json_t *tree, struct strbuf *out)
{
    const size_t flags = JSON_INDENT(2) | JSON_REAL_PRECISION(RPT_REAL_DIGITS);
    if (!json_is_object(tree) && !json_is_array(tree))
        return RPT_E_EMIT;
    if (json_dump_callback(tree, append, out, flags) != 0)
        return RPT_E_NO_MEMORY;
    strbuf_putc(out, '\n');
    return out->failed ? RPT_E_NO_MEMORY : RPT_OK;
}
