#include "report/place.h"

#include "report/read.h"

static bool is_below(const char *file)
{
    const char *segment = file;
    if (*file == '\0' || *file == '/')
        return false;
    for (const char *at = file;; at++) {
        if (*at == '\\' || *at == ':' || *at == '\x7f' || (*at > '\0' && *at < ' '))
            return false;
        if (*at != '/' && *at != '\0')
            continue;
        if (span_is(span_of(segment, (size_t)(at - segment)), ".."))
            return false;
        if (*at == '\0')
            return true;
        segment = at + 1;
    }
}

struct rpt_place rpt_place_of(const json_t *issue)
{
    const char *file = rpt_text_at(issue, "file");
    json_int_t line = rpt_count_at(issue, "line");
    if (!is_below(file))
        return (struct rpt_place){.file = NULL};
    return (struct rpt_place){.file = file, .line = line > 0 ? line : 0};
}

void rpt_place_uri(struct strbuf *out, const char *file)
{
    static const char unreserved[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789-._~/";
    for (; *file != '\0'; file++) {
        if (strchr(unreserved, *file) != NULL)
            strbuf_putc(out, *file);
        else
            strbuf_printf(out, "%%%02X", (unsigned)(unsigned char)*file);
    }
}
