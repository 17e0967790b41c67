#include "report/format.h"

#include "report/annotations.h"
#include "report/html.h"
#include "report/json.h"
#include "report/junit.h"
#include "report/markdown.h"
#include "report/sarif.h"
#include "report/text.h"
#include "report/yaml.h"

static const struct rpt_format formats[] = {
#define FORMAT(name, ending, function, help)              {#name, ending, function, help, false},
#define FORMAT_WITH_DETAILS(name, ending, function, help) {#name, ending, function, help, true},
#include "report/formats.def"
#undef FORMAT
#undef FORMAT_WITH_DETAILS
};

enum { FORMATS = sizeof(formats) / sizeof(formats[0]) };

void rpt_format_names(struct strbuf *out)
{
    for (size_t i = 0; i < FORMATS; i++) {
        if (formats[i].help != NULL)
            strbuf_printf(out, "%s%s", i > 0 ? ", " : "", formats[i].name);
    }
}

static const struct rpt_format *by_name(struct span name)
{
    for (size_t i = 0; i < FORMATS; i++) {
        if (span_is(name, formats[i].name))
            return &formats[i];
    }
    return NULL;
}

/* A file that is called ".json" has no name before its ending, and so none. */
static const struct rpt_format *by_ending(struct span path)
{
    for (size_t i = 0; i < FORMATS; i++) {
        struct span rest = path;
        if (span_cut_end(&rest, formats[i].ending) && rest.len > 0 &&
            rest.data[rest.len - 1] != '/')
            return &formats[i];
    }
    return NULL;
}

bool rpt_output_read(struct span text, struct rpt_output *out)
{
    size_t colon = span_find_byte(text, ':');
    *out = (struct rpt_output){.path = text};
    if (colon < text.len)
        out->format = by_name(span_head(text, colon));
    if (out->format != NULL)
        out->path = span_skip(text, colon + 1);
    else
        out->format = span_is(text, "-") ? by_name(span_of_text("text")) : by_ending(text);
    return out->format != NULL && out->path.len > 0 && out->path.data[out->path.len - 1] != '/';
}
