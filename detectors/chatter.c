#include "detectors/chatter.h"

static const struct chatter chatters[] = {
#define CHATTER(class_, boundary_, verb_, match_, text_)                                           \
    {.class = CHATTER_##class_,                                                                    \
     .boundary = CHATTER_##boundary_,                                                              \
     .verb = SQL_VERB_##verb_,                                                                     \
     .match = CHATTER_BY_##match_,                                                                 \
     .text = text_},
#include "detectors/chatter.def"
#undef CHATTER
};

static const struct chatter introspection = {
    .class = CHATTER_INTROSPECTION, .boundary = CHATTER_NO_BOUNDARY, .verb = SQL_VERB_SELECT};

static bool fits(const struct chatter *c, const char *text)
{
    switch (c->match) {
    case CHATTER_BY_VERB:
        return true;
    case CHATTER_BY_TEXT:
        return strcmp(text, c->text) == 0;
    case CHATTER_BY_PREFIX:
        return strncmp(text, c->text, strlen(c->text)) == 0;
    }
    return false;
}

const struct chatter *chatter_find(enum sql_verb verb, struct span masked)
{
    char text[128]; /* longer than any row */
    sql_display(masked, text, sizeof(text));
    for (size_t i = 0; i < sizeof(chatters) / sizeof(chatters[0]); i++) {
        if (chatters[i].verb == verb && fits(&chatters[i], text))
            return &chatters[i];
    }
    return NULL;
}

const struct chatter *chatter_introspection(void)
{
    return &introspection;
}
