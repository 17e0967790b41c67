/*
 * Decode the body of one message into a struct of spans into that body.
 *
 * Every function gives 0, or WIRE_MALFORMED when the body is not what the protocol says (PostgreSQL
 * manual, "Message Formats"); then the output is not to be used. Nothing is copied and nothing
 * allocated: spans live as long as the message. A message that the framer cut is decoded as far as
 * it was kept, which `cut` then tells.
 */
#ifndef PGSLEUTH_WIRE_MESSAGES_H
#define PGSLEUTH_WIRE_MESSAGES_H

#include "common/reader.h"
#include "wire/framer.h"

enum { WIRE_MALFORMED = -1 };

enum {
    WIRE_MAX_PARAMS = 16,  /* parameters looked at; the wire allows 65535 */
    WIRE_MAX_FORMATS = 64, /* result columns whose format is remembered */
};

struct wire_parse {
    struct span name;
    struct span text;
    uint32_t types[WIRE_MAX_PARAMS];
    unsigned n_types; /* in `types` */
    bool cut;
};

struct wire_param {
    struct span value;
    bool null;
    uint16_t format;
};

struct wire_bind {
    struct span portal;
    struct span statement;
    struct wire_param params[WIRE_MAX_PARAMS];
    unsigned n_params;     /* in `params` */
    unsigned total_params; /* on the wire */
    struct span rest;      /* the parameters past `params`, lengths and bytes, as far as kept */
    uint64_t
        binary_results; /* bit i: column i comes in binary; of the first WIRE_MAX_FORMATS columns */
    bool cut;
};

struct wire_execute {
    struct span portal;
    uint32_t max_rows;
};

/* Of Describe and Close: 'S' for a statement, 'P' for a portal. */
struct wire_target {
    uint8_t kind;
    struct span name;
};

struct wire_field {
    struct span name;
    uint32_t table_oid;
    uint16_t attnum;
    uint32_t type_oid;
    uint16_t format;
};

struct wire_error {
    char sqlstate[5]; /* all zero when the server sent none */
    bool fatal;       /* severity FATAL or PANIC: the connection ends */
};

struct wire_parameter {
    struct span name;
    struct span value;
};

int wire_decode_query(const struct wire_message *m, struct span *text);
int wire_decode_parse(const struct wire_message *m, struct wire_parse *out);
int wire_decode_bind(const struct wire_message *m, struct wire_bind *out);
int wire_decode_execute(const struct wire_message *m, struct wire_execute *out);
int wire_decode_target(const struct wire_message *m, struct wire_target *out);

/* RowDescription: begin gives the number of fields, then wire_next_field for each. A cut body ends
 * early: then wire_next_field gives WIRE_MALFORMED and the fields before it are good. */
int wire_begin_fields(const struct wire_message *m, struct reader *r, unsigned *n_fields);
int wire_next_field(struct reader *r, struct wire_field *out);

/* DataRow: the same with columns; null columns have *null set. */
int wire_begin_columns(const struct wire_message *m, struct reader *r, unsigned *n_columns);
int wire_next_column(struct reader *r, struct span *value, bool *null);

/* Type OIDs of ParameterDescription; gives how many were stored, at most `size`. */
int wire_decode_parameter_description(const struct wire_message *m, uint32_t *types, unsigned size,
                                      unsigned *n);

/* Rows of a command tag: the last number of "INSERT 0 5", "SELECT 3"; 0 when it has none. */
int wire_decode_command_complete(const struct wire_message *m, struct span *tag, uint64_t *rows);
int wire_decode_error(const struct wire_message *m, struct wire_error *out);
int wire_decode_parameter_status(const struct wire_message *m, struct wire_parameter *out);

/* 'I', 'T' or 'E'. */
int wire_decode_ready(const struct wire_message *m, uint8_t *status);

/* An ErrorResponse of severity FATAL for the client, ready to send; `hint` may be NULL. Returns its
 * length, at most `size`, or 0 when it does not fit. Used in the start-up phase only. */
size_t wire_encode_fatal(const char sqlstate[5], const char *text, const char *hint, uint8_t *out,
                         size_t size);

#endif
