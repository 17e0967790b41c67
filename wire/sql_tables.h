/*
 * What the SQL lexer looks up: the class of a byte, the lower-case form of an identifier byte, the
 * known words. Internal to the lexer; const data only.
 */
#ifndef PGSLEUTH_WIRE_SQL_TABLES_H
#define PGSLEUTH_WIRE_SQL_TABLES_H

#include "wire/sql_lexer.h"

/* What a byte can begin. */
enum sql_char {
    SQL_CHAR_SPACE, /* white space, and control bytes, which no server accepts outside of quotes */
    SQL_CHAR_WORD,
    SQL_CHAR_PREFIX, /* a letter that may announce a quoted literal: b e n u x */
    SQL_CHAR_DIGIT,
    SQL_CHAR_QUOTE,
    SQL_CHAR_DOUBLE_QUOTE,
    SQL_CHAR_DOLLAR,
    SQL_CHAR_DOT,
    SQL_CHAR_COMMA,
    SQL_CHAR_OPEN,
    SQL_CHAR_CLOSE,
    SQL_CHAR_OPEN_BRACKET,
    SQL_CHAR_CLOSE_BRACKET,
    SQL_CHAR_COLON,
    SQL_CHAR_SEMICOLON,
    SQL_CHAR_OPERATOR,
    SQL_CHAR_COMMENT, /* - and /: operators, unless they begin a comment */
    SQL_CHAR_OTHER,   /* no token of PostgreSQL begins so */
};

extern const uint8_t sql_char_class[256];

/* Lower-case form of a byte that may be inside an unquoted identifier, 0 for every other byte. */
extern const uint8_t sql_word_byte[256];

/* Byte of a quoted identifier as the masked text has it: itself, a space for a control byte, 0 for
 * '"'. */
extern const uint8_t sql_quoted_byte[256];

/* 0: not an operator byte; 1: one; 2: one that lets an operator end in + or - (PostgreSQL
 * manual 4.1.3). */
extern const uint8_t sql_operator_byte[256];

enum sql_word_flags {
    SQL_WORD_IS_OPERAND =
        1 << 0, /* an operand or a parenthesised one follows: `limit -1`, `in (` */
    SQL_WORD_IS_CONSTANT = 1 << 1,  /* null, true, false, default: part of a plain row of values */
    SQL_WORD_IS_DIRECTION = 1 << 2, /* in FETCH and MOVE, not the cursor's name */
};

enum sql_word_id {
    SQL_WORD_NONE,
#define SQL_WORD(name, c0, c1, c_last, word, verb, flags) SQL_WORD_##name,
#include "wire/sql_words.def"
#undef SQL_WORD
    SQL_WORD_COUNT
};

enum { SQL_WORD_MIN_LEN = 2, SQL_WORD_MAX_LEN = 12, SQL_WORD_SLOTS = 512 };

struct sql_word {
    char text[SQL_WORD_MAX_LEN];
    uint8_t len;
    uint8_t verb;  /* enum sql_verb */
    uint8_t flags; /* enum sql_word_flags */
};

/* Multipliers found by search; see sql_words.def. */
#define SQL_WORD_SLOT(c0, c1, c_last, len)                                                         \
    (((unsigned)(c0)*3U + (unsigned)(c1)*45U + (unsigned)(c_last)*4U + (unsigned)(len)) &          \
     (SQL_WORD_SLOTS - 1U))

extern const struct sql_word sql_words[SQL_WORD_COUNT];
extern const uint8_t sql_word_slots[SQL_WORD_SLOTS]; /* enum sql_word_id by slot */

/* The known word that these lower-case bytes spell, or SQL_WORD_NONE. */
static inline enum sql_word_id sql_word_find(const char *word, size_t len)
{
    if (len < SQL_WORD_MIN_LEN || len > SQL_WORD_MAX_LEN)
        return SQL_WORD_NONE;
    uint8_t id = sql_word_slots[SQL_WORD_SLOT((uint8_t)word[0], (uint8_t)word[1],
                                              (uint8_t)word[len - 1], len)];
    const struct sql_word *w = &sql_words[id];
    if (w->len != len)
        return SQL_WORD_NONE;
    for (size_t i = 0; i < len; i++)
        if (w->text[i] != word[i])
            return SQL_WORD_NONE;
    return (enum sql_word_id)id;
}

#endif
