#include "wire/sql_tables.h"

/* Every row is written out once: a byte named twice is a compile error (-Woverride-init). */
const uint8_t sql_char_class[256] = {
    [0 ... ' '] = SQL_CHAR_SPACE,   ['!'] = SQL_CHAR_OPERATOR,
    ['"'] = SQL_CHAR_DOUBLE_QUOTE,  ['#'] = SQL_CHAR_OPERATOR,
    ['$'] = SQL_CHAR_DOLLAR,        ['%' ... '&'] = SQL_CHAR_OPERATOR,
    ['\''] = SQL_CHAR_QUOTE,        ['('] = SQL_CHAR_OPEN,
    [')'] = SQL_CHAR_CLOSE,         ['*' ... '+'] = SQL_CHAR_OPERATOR,
    [','] = SQL_CHAR_COMMA,         ['-'] = SQL_CHAR_COMMENT,
    ['.'] = SQL_CHAR_DOT,           ['/'] = SQL_CHAR_COMMENT,
    ['0' ... '9'] = SQL_CHAR_DIGIT, [':'] = SQL_CHAR_COLON,
    [';'] = SQL_CHAR_SEMICOLON,     ['<' ... '@'] = SQL_CHAR_OPERATOR,
    ['A'] = SQL_CHAR_WORD,          ['B'] = SQL_CHAR_PREFIX,
    ['C' ... 'D'] = SQL_CHAR_WORD,  ['E'] = SQL_CHAR_PREFIX,
    ['F' ... 'M'] = SQL_CHAR_WORD,  ['N'] = SQL_CHAR_PREFIX,
    ['O' ... 'T'] = SQL_CHAR_WORD,  ['U'] = SQL_CHAR_PREFIX,
    ['V' ... 'W'] = SQL_CHAR_WORD,  ['X'] = SQL_CHAR_PREFIX,
    ['Y' ... 'Z'] = SQL_CHAR_WORD,  ['['] = SQL_CHAR_OPEN_BRACKET,
    ['\\'] = SQL_CHAR_OTHER,        [']'] = SQL_CHAR_CLOSE_BRACKET,
    ['^'] = SQL_CHAR_OPERATOR,      ['_'] = SQL_CHAR_WORD,
    ['`'] = SQL_CHAR_OPERATOR,      ['a'] = SQL_CHAR_WORD,
    ['b'] = SQL_CHAR_PREFIX,        ['c' ... 'd'] = SQL_CHAR_WORD,
    ['e'] = SQL_CHAR_PREFIX,        ['f' ... 'm'] = SQL_CHAR_WORD,
    ['n'] = SQL_CHAR_PREFIX,        ['o' ... 't'] = SQL_CHAR_WORD,
    ['u'] = SQL_CHAR_PREFIX,        ['v' ... 'w'] = SQL_CHAR_WORD,
    ['x'] = SQL_CHAR_PREFIX,        ['y' ... 'z'] = SQL_CHAR_WORD,
    ['{'] = SQL_CHAR_OTHER,         ['|'] = SQL_CHAR_OPERATOR,
    ['}'] = SQL_CHAR_OTHER,         ['~'] = SQL_CHAR_OPERATOR,
    [0x7f] = SQL_CHAR_SPACE,        [0x80 ... 0xff] = SQL_CHAR_WORD,
};

/* The 256 entries of a table that is a function of the byte. */
#define EACH_4(f, c)  f(c), f((c) + 1), f((c) + 2), f((c) + 3)
#define EACH_16(f, c) EACH_4(f, c), EACH_4(f, (c) + 4), EACH_4(f, (c) + 8), EACH_4(f, (c) + 12)
#define EACH_64(f, c)                                                                              \
    EACH_16(f, c), EACH_16(f, (c) + 16), EACH_16(f, (c) + 32), EACH_16(f, (c) + 48)
#define EACH_BYTE(f) EACH_64(f, 0), EACH_64(f, 64), EACH_64(f, 128), EACH_64(f, 192)

#define IS_UPPER(c)    ((c) >= 'A' && (c) <= 'Z')
#define IS_LOWER(c)    ((c) >= 'a' && (c) <= 'z')
#define IS_DIGIT(c)    ((c) >= '0' && (c) <= '9')
#define IN_WORD(c)     (IS_LOWER(c) || IS_DIGIT(c) || (c) == '_' || (c) == '$' || (c) >= 0x80)
#define WORD_BYTE(c)   (IS_UPPER(c) || IN_WORD(c) ? (c) | (IS_UPPER(c) ? 0x20 : 0) : 0)
#define QUOTED_BYTE(c) ((c) == '"' ? 0 : ((c) < ' ' || (c) == 0x7f ? ' ' : (c)))

const uint8_t sql_word_byte[256] = {EACH_BYTE(WORD_BYTE)};
const uint8_t sql_quoted_byte[256] = {EACH_BYTE(QUOTED_BYTE)};

const uint8_t sql_operator_byte[256] = {
    ['+'] = 1, ['-'] = 1, ['*'] = 1, ['/'] = 1, ['<'] = 1, ['>'] = 1,
    ['='] = 1, ['~'] = 2, ['!'] = 2, ['@'] = 2, ['#'] = 2, ['%'] = 2,
    ['^'] = 2, ['&'] = 2, ['|'] = 2, ['`'] = 2, ['?'] = 2,
};

const struct sql_word sql_words[SQL_WORD_COUNT] = {
    [SQL_WORD_NONE] = {.verb = SQL_VERB_OTHER},
/* NOLINTBEGIN(bugprone-macro-parentheses): an array's initializer takes no parentheses */
#define SQL_WORD(name, c0, c1, c_last, word, begins, bits)                                         \
    [SQL_WORD_##name] = {                                                                          \
        .text = word, .len = sizeof(word) - 1, .verb = SQL_VERB_##begins, .flags = (bits)},
/* NOLINTEND(bugprone-macro-parentheses) */
#include "wire/sql_words.def"
#undef SQL_WORD
};

const uint8_t sql_word_slots[SQL_WORD_SLOTS] = {
#define SQL_WORD(name, c0, c1, c_last, word, verb, flags)                                          \
    [SQL_WORD_SLOT(c0, c1, c_last, sizeof(word) - 1)] = SQL_WORD_##name,
#include "wire/sql_words.def"
#undef SQL_WORD
};

_Static_assert(SQL_WORD_COUNT <= UINT8_MAX, "word ids are bytes");

static const struct {
    const char *name;
    enum sql_verb_class class;
} verbs[SQL_VERB_COUNT] = {
#define SQL_VERB(name, keyword, kind) [SQL_VERB_##name] = {keyword, SQL_CLASS_##kind},
#include "wire/sql_verbs.def"
#undef SQL_VERB
};

const char *sql_verb_name(enum sql_verb verb)
{
    if (verb == SQL_VERB_EMPTY)
        return "";
    if ((unsigned)verb >= SQL_VERB_COUNT || verbs[verb].name == NULL)
        return "OTHER";
    return verbs[verb].name;
}

enum sql_verb_class sql_verb_class(enum sql_verb verb)
{
    return (unsigned)verb < SQL_VERB_COUNT ? verbs[verb].class : SQL_CLASS_UTIL;
}
