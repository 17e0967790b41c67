#include "report/annotations.h"

#include "report/error.h"
#include "report/place.h"
#include "report/read.h"
#include "report/utf8.h"

enum { MESSAGE_MAX_BYTES = 4000, LEVELS = 3 };

static const struct level {
    const char *command;
    const char *many;
    size_t from, to; /* in rpt_severities */
} levels[LEVELS] = {
    {"error", "errors", 0, 2},
    {"warning", "warnings", 2, 3},
    {"notice", "notices", 3, RPT_SEVERITIES},
};

/* Escaped as the runner undoes it: '%' and line ends in the message, in a property also the two
 * signs that end one (actions/toolkit, packages/core/src/command.ts). Nothing that came from the
 * traffic can so begin a line, and a command is only read where a line begins. */
static void put_escaped(struct strbuf *b, const char *text, bool property)
{
    struct span left = span_of_text(text);
    uint32_t code;
    size_t most = b->len + MESSAGE_MAX_BYTES;
    while (b->len < most && !b->failed && rpt_utf8_next(&left, &code)) {
        if (code == '%' || code == '\n' || (property && (code == ':' || code == ',')))
            strbuf_printf(b, "%%%02X", (unsigned)code);
        else
            rpt_utf8_put(b, rpt_is_control(code) ? ' ' : code);
    }
    if (left.len > 0)
        strbuf_puts(b, "…");
}

/* Another paragraph of the message, if it says anything. */
static void put_part(struct strbuf *b, const char *label, const char *text)
{
    if (*text == '\0')
        return;
    strbuf_printf(b, "%%0A%s", label);
    put_escaped(b, text, false);
}

static void put_issue(struct strbuf *b, const char *command, const json_t *issue)
{
    struct rpt_place place = rpt_place_of(issue);
    strbuf_printf(b, "::%s ", command);
    if (place.file != NULL) {
        strbuf_puts(b, "file=");
        put_escaped(b, place.file, true);
        strbuf_putc(b, ',');
    }
    if (place.line > 0)
        strbuf_printf(b, "line=%" JSON_INTEGER_FORMAT ",", place.line);
    strbuf_puts(b, "title=");
    put_escaped(b, rpt_text_at(issue, "id"), true);
    strbuf_putc(b, ' ');
    put_escaped(b, rpt_text_at(issue, "rule"), true);
    strbuf_puts(b, "::");
    put_escaped(b, rpt_text_at(issue, "issue"), false);
    put_part(b, "", rpt_text_at(issue, "impact"));
    put_part(b, "Expected: ", rpt_text_at(issue, "expected_improvement"));
    strbuf_putc(b, '\n');
}

/* Gives how many issues of the level found no room. */
static size_t put_level(struct strbuf *b, const json_t *issues, const struct level *level)
{
    size_t n = 0;
    for (size_t s = level->from; s < level->to; s++) {
        const json_t *list = json_object_get(issues, rpt_severities[s].key);
        for (size_t i = 0; i < json_array_size(list); i++, n++) {
            if (n < RPT_ANNOTATIONS_OF_A_LEVEL)
                put_issue(b, level->command, json_array_get(list, i));
        }
    }
    return n > RPT_ANNOTATIONS_OF_A_LEVEL ? n - RPT_ANNOTATIONS_OF_A_LEVEL : 0;
}

int rpt_annotations(const json_t *tree, struct strbuf *out)
{
    const json_t *issues = json_object_get(tree, "issues");
    size_t more[LEVELS];
    size_t total = 0;
    if (!json_is_object(tree))
        return RPT_E_EMIT;
    for (size_t i = 0; i < LEVELS; i++) {
        more[i] = put_level(out, issues, &levels[i]);
        total += more[i];
    }
    if (total > 0)
        strbuf_puts(out, "pgsleuth: not annotated:");
    for (size_t i = 0, said = 0; i < LEVELS; i++) {
        if (more[i] > 0)
            strbuf_printf(out, "%s %zu more %s", said++ > 0 ? "," : "", more[i],
                          more[i] == 1 ? levels[i].command : levels[i].many);
    }
    if (total > 0)
        strbuf_putc(out, '\n');
    return out->failed ? RPT_E_NO_MEMORY : RPT_OK;
}
