#include "detectors/names.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

static bool is_identifier(struct span s)
{
    if (s.len == 0 || s.len >= NAME_SIZE - 8 || isdigit(s.data[0]))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_'))
            return false;
    }
    return true;
}

static bool is_one_of(const char *word, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(word, words[i]) == 0)
            return true;
    }
    return false;
}

static bool is_python_word(const char *word)
{
    static const char *const words[] = {
        "and",    "as",   "assert", "async",  "await",    "break", "class", "continue", "def",
        "del",    "elif", "else",   "except", "finally",  "for",   "from",  "global",   "if",
        "import", "in",   "is",     "lambda", "nonlocal", "not",   "or",    "pass",     "raise",
        "return", "try",  "while",  "with",   "yield",    "None",  "True",  "False"};
    return is_one_of(word, words, sizeof(words) / sizeof(words[0]));
}

/* The reserved words of PostgreSQL's grammar that people name tables and columns by. */
static bool is_sql_word(const char *word)
{
    static const char *const words[] = {
        "all",          "analyse",      "analyze",      "and",           "any",
        "array",        "as",           "asc",          "authorization", "between",
        "both",         "case",         "cast",         "check",         "collate",
        "column",       "constraint",   "create",       "cross",         "current_date",
        "current_time", "current_user", "default",      "deferrable",    "desc",
        "distinct",     "do",           "else",         "end",           "except",
        "false",        "fetch",        "for",          "foreign",       "from",
        "full",         "grant",        "group",        "having",        "in",
        "initially",    "inner",        "intersect",    "into",          "is",
        "join",         "lateral",      "leading",      "left",          "like",
        "limit",        "natural",      "not",          "null",          "offset",
        "on",           "only",         "or",           "order",         "outer",
        "overlaps",     "placing",      "primary",      "references",    "returning",
        "right",        "select",       "session_user", "similar",       "some",
        "symmetric",    "table",        "tablesample",  "then",          "to",
        "trailing",     "true",         "union",        "unique",        "user",
        "using",        "variadic",     "verbose",      "when",          "where",
        "window",       "with"};
    return is_one_of(word, words, sizeof(words) / sizeof(words[0]));
}

static struct name plain(const char *text)
{
    struct name out;
    (void)snprintf(out.text, sizeof(out.text), "%s", text);
    return out;
}

static struct name copy(struct span s)
{
    struct name out = {.text = ""};
    memcpy(out.text, s.data, s.len);
    return out;
}

static void avoid_keyword(struct name *n)
{
    if (is_python_word(n->text)) /* none of which is near the limit */
        memcpy(n->text + strlen(n->text), "_", 2);
}

static bool ends_in(struct span s, const char *end)
{
    size_t n = strlen(end);
    return s.len > n && strncasecmp((const char *)s.data + s.len - n, end, n) == 0;
}

/* Good enough for names that people give to tables; what it gets wrong is read by people. */
static struct name singular(struct span s)
{
    struct name out = copy(s);
    size_t n = s.len;
    if (ends_in(s, "ies") && n > 4) {
        memcpy(&out.text[n - 3], "y", 2);
    } else if (ends_in(s, "sses") || ends_in(s, "xes") || ends_in(s, "ches") ||
               ends_in(s, "shes") || ends_in(s, "uses")) {
        out.text[n - 2] = '\0';
    } else if (ends_in(s, "s") && !ends_in(s, "ss") && !ends_in(s, "us") && !ends_in(s, "is")) {
        out.text[n - 1] = '\0';
    }
    return out;
}

struct name name_class(struct span table)
{
    if (!is_identifier(table))
        return plain("Model");
    struct name words = singular(table);
    struct name out = {.text = ""};
    size_t at = 0;
    bool start = true;
    for (const char *c = words.text; *c != '\0'; c++) {
        if (*c == '_') {
            start = true;
            continue;
        }
        out.text[at++] = start ? (char)toupper((unsigned char)*c) : *c;
        start = false;
    }
    if (at == 0 || isdigit((unsigned char)out.text[0]))
        return plain("Model");
    avoid_keyword(&out);
    return out;
}

struct name name_attribute(struct span table, const char *otherwise)
{
    if (!is_identifier(table))
        return plain(otherwise);
    struct name out = copy(table);
    avoid_keyword(&out);
    return out;
}

struct name name_singular(struct span table, const char *otherwise)
{
    if (!is_identifier(table))
        return plain(otherwise);
    struct name out = singular(table);
    avoid_keyword(&out);
    return out;
}

struct name name_reference(struct span column, const char *otherwise)
{
    if (!is_identifier(column) || !ends_in(column, "_id"))
        return plain(otherwise);
    struct name out = copy(span_head(column, column.len - 3));
    avoid_keyword(&out);
    return out;
}

/* Whether PostgreSQL reads the name as written without quotes. */
static bool is_bare_sql(struct span s)
{
    if (!is_identifier(s))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] >= 'A' && s.data[i] <= 'Z')
            return false;
    }
    return !is_sql_word(copy(s).text);
}

bool name_sql(struct span identifier, struct name *out)
{
    *out = plain("");
    if (is_bare_sql(identifier)) {
        *out = copy(identifier);
        return true;
    }
    if (identifier.len == 0 || identifier.len * 2 + 3 > NAME_SIZE)
        return false;
    size_t at = 0;
    out->text[at++] = '"';
    for (size_t i = 0; i < identifier.len; i++) {
        uint8_t c = identifier.data[i];
        if (c < ' ' || c == 0x7f) {
            *out = plain("");
            return false;
        }
        if (c == '"')
            out->text[at++] = '"';
        out->text[at++] = (char)c;
    }
    out->text[at++] = '"';
    out->text[at] = '\0';
    return true;
}

struct name name_sql_in_python(struct span identifier, const char *otherwise)
{
    return is_bare_sql(identifier) ? copy(identifier) : plain(otherwise);
}

bool name_next_part(struct span *list, struct span *part)
{
    int depth = 0;
    size_t len = 0;
    while (list->len > 0 && list->data[0] == ' ')
        *list = span_skip(*list, 1);
    for (; len < list->len && (list->data[len] != ',' || depth > 0); len++)
        depth += list->data[len] == '(' ? 1 : list->data[len] == ')' ? -1 : 0;
    *part = span_head(*list, len);
    bool found = list->len > 0;
    *list = span_skip(*list, len + 1);
    return found;
}
