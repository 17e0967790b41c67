/* Values from a YAML document: nested mappings of plain options, and nothing else of YAML. */
#include "config/source.h"

#include "config/error.h"

#include <assert.h>
#include <stdio.h>
#include <yaml.h>

/* One document on its way in. A line of 0 is "not seen yet"; a group goes by its first option. */
struct walk {
    yaml_parser_t parser;
    const char *path;
    struct cfg_options *out;
    struct cfg_error *err;
    int option_line[CFG_OPTION_COUNT];
    int group_line[CFG_OPTION_COUNT];
};

static int line_of(yaml_mark_t mark)
{
    return (int)mark.line + 1;
}

static int column_of(yaml_mark_t mark)
{
    return (int)mark.column + 1;
}

/* "path:line:column: reason" */
static int refuse_at(struct walk *w, int result, yaml_mark_t mark, const char *reason)
{
    return cfg_fail(w->err, result, "%.200s:%d:%d: %s", w->path, line_of(mark), column_of(mark),
                    reason);
}

/* "path:line:column: option: reason" */
static int refuse_option(struct walk *w, int result, yaml_mark_t mark, const char *name,
                         const char *reason)
{
    return cfg_fail(w->err, result, "%.200s:%d:%d: %s: %s", w->path, line_of(mark), column_of(mark),
                    name, reason);
}

/* libyaml's own words are fixed texts: none quotes the file. */
static int refuse_broken(struct walk *w)
{
    const yaml_parser_t *p = &w->parser;
    if (p->error == YAML_MEMORY_ERROR)
        return cfg_fail(w->err, CFG_E_NO_MEMORY, "%.200s: out of memory", w->path);
    const char *problem = p->problem != NULL ? p->problem : "not YAML";
    if (p->error == YAML_READER_ERROR) /* marks stand still while bytes are decoded */
        return cfg_fail(w->err, CFG_E_SYNTAX, "%.200s: %s at byte %zu", w->path, problem,
                        p->problem_offset);
    return refuse_at(w, CFG_E_SYNTAX, p->problem_mark, problem);
}

/* What an event carries beyond a plain mapping, list or scalar; NULL when nothing. */
static const char *oddity(const yaml_event_t *event)
{
    const yaml_char_t *anchor = NULL;
    const yaml_char_t *tag = NULL;
    if (event->type == YAML_ALIAS_EVENT)
        return "aliases are not allowed here";
    if (event->type == YAML_SCALAR_EVENT) {
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
    }
    if (anchor != NULL)
        return "anchors are not allowed here";
    return tag != NULL ? "tags are not allowed here" : NULL;
}

/* The caller deletes the event when the result is CFG_OK, and only then. */
static int next_event(struct walk *w, yaml_event_t *event)
{
    if (!yaml_parser_parse(&w->parser, event))
        return refuse_broken(w);
    const char *odd = oddity(event);
    if (odd == NULL)
        return CFG_OK;
    int result = refuse_at(w, CFG_E_SYNTAX, event->start_mark, odd);
    yaml_event_delete(event);
    return result;
}

static int refuse_unknown(struct walk *w, const char *name, yaml_mark_t mark)
{
    struct cfg_nearest nearest;
    char group[CFG_NAME_MAX];
    char shown[CFG_SHOWN_MAX];
    cfg_nearest_init(&nearest, span_of_text(name));
    for (size_t i = 0; i < CFG_OPTION_COUNT; i++) {
        cfg_nearest_offer(&nearest, cfg_option_table[i].name);
        cfg_nearest_offer(&nearest, cfg_option_group_name(&cfg_option_table[i], group));
    }
    cfg_show_name(shown, span_of_text(name));
    struct strbuf reason;
    strbuf_init(&reason, 256);
    strbuf_printf(&reason, "unknown key \"%s\"", shown);
    if (cfg_nearest_found(&nearest))
        strbuf_printf(&reason, "; did you mean \"%s\"?", nearest.name);
    int result = refuse_at(w, CFG_E_UNKNOWN, mark, strbuf_text(&reason));
    strbuf_fini(&reason);
    return result;
}

/* Note that the key stands here; refuse it when it stood before. */
static int note_once(struct walk *w, int *seen, const char *name, yaml_mark_t mark)
{
    if (*seen != 0)
        return cfg_fail(w->err, CFG_E_DUPLICATE,
                        "%.200s:%d:%d: duplicate key \"%s\", first on line %d", w->path,
                        line_of(mark), column_of(mark), name, *seen);
    *seen = line_of(mark);
    return CFG_OK;
}

/* YAML's own type must not contradict the option's: "4" in quotes is text. NULL when it fits. */
static const char *scalar_misfit(const struct cfg_option *option, const yaml_event_t *event)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    const char *text = (const char *)event->data.scalar.value;
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (strlen(text) != event->data.scalar.length)
        return "has a NUL byte in it";
    for (size_t i = 0; plain && i < sizeof(nulls) / sizeof(nulls[0]); i++)
        if (strcmp(text, nulls[i]) == 0)
            return "has no value";
    if (plain)
        return NULL;
    if (option->type == CFG_TYPE_INTEGER)
        return "wants an integer, not a text in quotes";
    if (option->type == CFG_TYPE_REAL)
        return "wants a number, not a text in quotes";
    if (option->type == CFG_TYPE_BOOL)
        return "wants true or false, not a text in quotes";
    return NULL;
}

static int check_value(struct walk *w, const struct cfg_option *option, const yaml_event_t *event)
{
    yaml_mark_t mark = event->start_mark;
    if (event->type == YAML_MAPPING_START_EVENT)
        return refuse_option(w, CFG_E_TYPE, mark, option->name, "wants one value, not a mapping");
    if (event->type == YAML_SEQUENCE_START_EVENT)
        return refuse_option(w, CFG_E_TYPE, mark, option->name, "wants one value, not a list");
    assert(event->type == YAML_SCALAR_EVENT); /* the grammar of events has nothing else here */
    const char *misfit = scalar_misfit(option, event);
    if (misfit != NULL)
        return refuse_option(w, CFG_E_TYPE, mark, option->name, misfit);
    char where[320];
    snprintf(where, sizeof(where), "%.200s:%d:%d: %s", w->path, line_of(mark), column_of(mark),
             option->name);
    struct cfg_origin origin = {.kind = CFG_FROM_FILE, .line = line_of(mark)};
    const char *text = (const char *)event->data.scalar.value;
    return cfg_apply(w->out, option, text, where, origin, w->err);
}

static int read_option(struct walk *w, const struct cfg_option *option, yaml_mark_t key)
{
    int *seen = &w->option_line[cfg_option_id(option)];
    int result = note_once(w, seen, option->name, key);
    if (result != CFG_OK)
        return result;
    if ((option->flags & CFG_NOT_IN_FILE) != 0)
        return refuse_option(w, CFG_E_UNKNOWN, key, option->name, "cannot be set in the file");
    yaml_event_t event;
    result = next_event(w, &event);
    if (result != CFG_OK)
        return result;
    result = check_value(w, option, &event);
    yaml_event_delete(&event);
    return result;
}

static int read_mapping(struct walk *w, const char *group, int depth);

/* `explain:` with nothing below it is what is left when its lines were commented out. */
static bool is_empty_scalar(const yaml_event_t *event)
{
    return event->type == YAML_SCALAR_EVENT && event->data.scalar.length == 0 &&
           event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static int read_group(struct walk *w, const struct cfg_option *first, const char *name,
                      yaml_mark_t key, int depth)
{
    int result = note_once(w, &w->group_line[cfg_option_id(first)], name, key);
    yaml_event_t event;
    if (result == CFG_OK)
        result = next_event(w, &event);
    if (result != CFG_OK)
        return result;
    bool empty = is_empty_scalar(&event);
    bool mapping = event.type == YAML_MAPPING_START_EVENT;
    yaml_mark_t mark = event.start_mark;
    yaml_event_delete(&event);
    if (mapping)
        return read_mapping(w, name, depth + 1);
    if (empty)
        return CFG_OK;
    return refuse_option(w, CFG_E_TYPE, mark, name, "wants a mapping of options");
}

/* Write "group.key" to `name`. False when it is longer than any name, or has a NUL byte in it. */
static bool join(char name[CFG_NAME_MAX], const char *group, const yaml_event_t *key)
{
    const char *text = (const char *)key->data.scalar.value;
    int len = snprintf(name, CFG_NAME_MAX, "%s%s%s", group, group[0] != '\0' ? "." : "", text);
    return len < CFG_NAME_MAX && strlen(text) == key->data.scalar.length;
}

/* A member of the mapping; only what the table names is ever descended into. */
static int read_member(struct walk *w, const char *group, const yaml_event_t *key, int depth)
{
    char name[CFG_NAME_MAX];
    yaml_mark_t mark = key->start_mark;
    if (key->type != YAML_SCALAR_EVENT)
        return refuse_at(w, CFG_E_SYNTAX, mark, "a key is the name of an option");
    if (!join(name, group, key))
        return refuse_unknown(w, name, mark);
    const struct cfg_option *option = cfg_option_by_name(name);
    if (option != NULL)
        return read_option(w, option, mark);
    option = cfg_option_group(name);
    if (option != NULL)
        return read_group(w, option, name, mark, depth);
    return refuse_unknown(w, name, mark);
}

/* From behind the start of a mapping to its end. */
static int read_mapping(struct walk *w, const char *group, int depth)
{
    assert(depth <= CFG_YAML_DEPTH_MAX); /* each level adds a dot to a name of the table */
    for (;;) {
        yaml_event_t event;
        int result = next_event(w, &event);
        if (result != CFG_OK)
            return result;
        bool end = event.type == YAML_MAPPING_END_EVENT;
        if (!end)
            result = read_member(w, group, &event, depth);
        yaml_event_delete(&event);
        if (end || result != CFG_OK)
            return result;
    }
}

/* The content of the document: a mapping, or nothing. */
static int read_root(struct walk *w)
{
    yaml_event_t event;
    int result = next_event(w, &event);
    if (result != CFG_OK)
        return result;
    bool empty = is_empty_scalar(&event);
    bool mapping = event.type == YAML_MAPPING_START_EVENT;
    yaml_mark_t mark = event.start_mark;
    yaml_event_delete(&event);
    if (mapping)
        return read_mapping(w, "", 1);
    if (empty)
        return CFG_OK;
    return refuse_at(w, CFG_E_TYPE, mark, "the file must be a mapping of options");
}

static int read_stream(struct walk *w)
{
    bool seen = false;
    for (;;) {
        yaml_event_t event;
        int result = next_event(w, &event);
        if (result != CFG_OK)
            return result;
        yaml_event_type_t type = event.type;
        yaml_mark_t mark = event.start_mark;
        yaml_event_delete(&event);
        if (type == YAML_STREAM_END_EVENT)
            return CFG_OK;
        if (type != YAML_DOCUMENT_START_EVENT)
            continue; /* the start of the stream, the end of the document */
        if (seen)
            return refuse_at(w, CFG_E_SYNTAX, mark, "a second document is not allowed");
        seen = true;
        result = read_root(w);
        if (result != CFG_OK)
            return result;
    }
}

int cfg_load_yaml_bytes(struct span bytes, const char *path, struct cfg_options *options,
                        struct cfg_error *err)
{
    struct walk w = {.path = path, .out = options, .err = err};
    if (bytes.len > CFG_FILE_MAX_BYTES)
        return cfg_fail(err, CFG_E_IO, "%.200s: larger than 1 MiB", path);
    if (!yaml_parser_initialize(&w.parser))
        return cfg_fail(err, CFG_E_NO_MEMORY, "%.200s: out of memory", path);
    static const unsigned char nothing[1];
    yaml_parser_set_input_string(&w.parser, bytes.len > 0 ? bytes.data : nothing, bytes.len);
    int result = read_stream(&w);
    yaml_parser_delete(&w.parser);
    return result;
}
