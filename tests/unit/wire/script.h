/*
 * A script of a session: builders for messages of both sides, appended in the order in which they
 * travel. What is built is bytes and a list of steps; script_play.h shows them to a tap.
 *
 * client_* and server_* append one message each. A string argument is sent with its NUL.
 */
#ifndef PGSLEUTH_TESTS_WIRE_SCRIPT_H
#define PGSLEUTH_TESTS_WIRE_SCRIPT_H

#include "common/strbuf.h"
#include "wire/framer.h"
#include "wire/values.h"

#include <stdlib.h>

struct script_step {
    enum wire_direction from;
    size_t at; /* in `bytes` */
    size_t len;
};

struct script {
    struct strbuf bytes;
    struct script_step *steps; /* owned */
    size_t n_steps;
    size_t room;
};

/* A parameter or column: len -1 is NULL. */
struct script_value {
    const char *bytes;
    int32_t len;
    uint16_t format;
};

struct script_field {
    const char *name;
    uint32_t table_oid;
    uint16_t attnum;
    uint32_t type_oid;
    uint16_t format;
};

static inline void script_init(struct script *s)
{
    *s = (struct script){.n_steps = 0};
    strbuf_init(&s->bytes, (size_t)256 << 20);
}

static inline void script_fini(struct script *s)
{
    strbuf_fini(&s->bytes);
    free(s->steps);
}

static inline void script_u8(struct script *s, unsigned value)
{
    strbuf_putc(&s->bytes, (char)value);
}

static inline void script_u16(struct script *s, unsigned value)
{
    script_u8(s, value >> 8 & 0xff);
    script_u8(s, value & 0xff);
}

static inline void script_u32(struct script *s, uint32_t value)
{
    script_u16(s, value >> 16);
    script_u16(s, value & 0xffff);
}

static inline void script_string(struct script *s, const char *text)
{
    strbuf_add(&s->bytes, text, strlen(text) + 1);
}

/* Bytes that need not be a message: a step of their own. */
static inline void script_open(struct script *s, enum wire_direction from)
{
    if (s->n_steps == s->room) {
        s->room = s->room == 0 ? 64 : s->room * 2;
        s->steps = realloc(s->steps, s->room * sizeof(*s->steps));
        if (s->steps == NULL)
            abort();
    }
    s->steps[s->n_steps++] = (struct script_step){.from = from, .at = s->bytes.len};
}

static inline void script_close(struct script *s)
{
    struct script_step *step = &s->steps[s->n_steps - 1];
    step->len = s->bytes.len - step->at;
    if (s->bytes.failed)
        abort();
}

static inline void script_begin(struct script *s, enum wire_direction from, char type)
{
    script_open(s, from);
    script_u8(s, (unsigned char)type);
    script_u32(s, 0);
}

static inline void script_end(struct script *s)
{
    script_close(s);
    const struct script_step *step = &s->steps[s->n_steps - 1];
    uint32_t len = (uint32_t)step->len - 1;
    for (unsigned i = 0; i < 4; i++)
        s->bytes.data[step->at + 1 + i] = (char)(len >> (24 - 8 * i));
}

static inline void script_bare(struct script *s, enum wire_direction from, char type)
{
    script_begin(s, from, type);
    script_end(s);
}

static inline void script_raw(struct script *s, enum wire_direction from, const void *data,
                              size_t len)
{
    script_open(s, from);
    strbuf_add(&s->bytes, data, len);
    script_close(s);
}

static inline void script_values(struct script *s, unsigned n, const struct script_value *values)
{
    script_u16(s, n);
    for (unsigned i = 0; i < n; i++) {
        script_u32(s, (uint32_t)values[i].len);
        if (values[i].len > 0)
            strbuf_add(&s->bytes, values[i].bytes, (size_t)values[i].len);
    }
}

/* --- the client */

static inline void client_query(struct script *s, const char *text)
{
    script_begin(s, WIRE_FROM_CLIENT, 'Q');
    script_string(s, text);
    script_end(s);
}

static inline void client_parse_types(struct script *s, const char *name, const char *text,
                                      unsigned n, const uint32_t *types)
{
    script_begin(s, WIRE_FROM_CLIENT, 'P');
    script_string(s, name);
    script_string(s, text);
    script_u16(s, n);
    for (unsigned i = 0; i < n; i++)
        script_u32(s, types[i]);
    script_end(s);
}

static inline void client_parse(struct script *s, const char *name, const char *text)
{
    client_parse_types(s, name, text, 0, NULL);
}

/* `results` is the format of every result column. */
static inline void client_bind_values(struct script *s, const char *portal, const char *statement,
                                      unsigned n, const struct script_value *values,
                                      unsigned results)
{
    script_begin(s, WIRE_FROM_CLIENT, 'B');
    script_string(s, portal);
    script_string(s, statement);
    script_u16(s, n);
    for (unsigned i = 0; i < n; i++)
        script_u16(s, values[i].format);
    script_values(s, n, values);
    script_u16(s, 1);
    script_u16(s, results);
    script_end(s);
}

static inline void client_bind(struct script *s, const char *portal, const char *statement)
{
    client_bind_values(s, portal, statement, 0, NULL, 0);
}

static inline void client_execute(struct script *s, const char *portal, uint32_t max_rows)
{
    script_begin(s, WIRE_FROM_CLIENT, 'E');
    script_string(s, portal);
    script_u32(s, max_rows);
    script_end(s);
}

static inline void client_target(struct script *s, char type, char kind, const char *name)
{
    script_begin(s, WIRE_FROM_CLIENT, type);
    script_u8(s, (unsigned char)kind);
    script_string(s, name);
    script_end(s);
}

static inline void client_describe(struct script *s, char kind, const char *name)
{
    client_target(s, 'D', kind, name);
}

static inline void client_close(struct script *s, char kind, const char *name)
{
    client_target(s, 'C', kind, name);
}

static inline void client_sync(struct script *s)
{
    script_bare(s, WIRE_FROM_CLIENT, 'S');
}

static inline void client_flush(struct script *s)
{
    script_bare(s, WIRE_FROM_CLIENT, 'H');
}

static inline void client_terminate(struct script *s)
{
    script_bare(s, WIRE_FROM_CLIENT, 'X');
}

static inline void client_copy_done(struct script *s)
{
    script_bare(s, WIRE_FROM_CLIENT, 'c');
}

static inline void script_text_message(struct script *s, enum wire_direction from, char type,
                                       const char *text)
{
    script_begin(s, from, type);
    strbuf_puts(&s->bytes, text);
    script_end(s);
}

static inline void client_copy_data(struct script *s, const char *text)
{
    script_text_message(s, WIRE_FROM_CLIENT, 'd', text);
}

static inline void client_copy_fail(struct script *s)
{
    script_begin(s, WIRE_FROM_CLIENT, 'f');
    script_string(s, "changed my mind");
    script_end(s);
}

static inline void client_function_call(struct script *s)
{
    script_begin(s, WIRE_FROM_CLIENT, 'F');
    script_u32(s, 952);
    script_u16(s, 0);
    script_u16(s, 0);
    script_u16(s, 1);
    script_end(s);
}

/* --- the server */

static inline void server_bare(struct script *s, char type)
{
    script_bare(s, WIRE_FROM_SERVER, type);
}

static inline void server_parameter(struct script *s, const char *name, const char *value)
{
    script_begin(s, WIRE_FROM_SERVER, 'S');
    script_string(s, name);
    script_string(s, value);
    script_end(s);
}

static inline void server_ready(struct script *s, char status)
{
    script_begin(s, WIRE_FROM_SERVER, 'Z');
    script_u8(s, (unsigned char)status);
    script_end(s);
}

/* AuthenticationOk to the first ReadyForQuery. */
static inline void server_startup(struct script *s)
{
    script_begin(s, WIRE_FROM_SERVER, 'R');
    script_u32(s, 0);
    script_end(s);
    server_parameter(s, "client_encoding", "UTF8");
    server_parameter(s, "standard_conforming_strings", "on");
    script_begin(s, WIRE_FROM_SERVER, 'K');
    script_u32(s, 4711);
    script_u32(s, 12345);
    script_end(s);
    server_ready(s, 'I');
}

static inline void server_fields(struct script *s, unsigned n, const struct script_field *fields)
{
    script_begin(s, WIRE_FROM_SERVER, 'T');
    script_u16(s, n);
    for (unsigned i = 0; i < n; i++) {
        script_string(s, fields[i].name);
        script_u32(s, fields[i].table_oid);
        script_u16(s, fields[i].attnum);
        script_u32(s, fields[i].type_oid);
        script_u16(s, 4);
        script_u32(s, UINT32_MAX);
        script_u16(s, fields[i].format);
    }
    script_end(s);
}

/* One int4 column "id" of table 16384. */
static inline void server_id_field(struct script *s)
{
    static const struct script_field id = {"id", 16384, 1, WIRE_OID_INT4, 0};
    server_fields(s, 1, &id);
}

static inline void server_row(struct script *s, unsigned n, const struct script_value *values)
{
    script_begin(s, WIRE_FROM_SERVER, 'D');
    script_values(s, n, values);
    script_end(s);
}

static inline void server_text_row(struct script *s, const char *value)
{
    struct script_value v = {value, (int32_t)strlen(value), 0};
    server_row(s, 1, &v);
}

static inline void server_complete(struct script *s, const char *tag)
{
    script_begin(s, WIRE_FROM_SERVER, 'C');
    script_string(s, tag);
    script_end(s);
}

static inline void server_parameter_description(struct script *s, unsigned n, const uint32_t *types)
{
    script_begin(s, WIRE_FROM_SERVER, 't');
    script_u16(s, n);
    for (unsigned i = 0; i < n; i++)
        script_u32(s, types[i]);
    script_end(s);
}

static inline void server_complaint(struct script *s, char type, const char *severity,
                                    const char *sqlstate)
{
    script_begin(s, WIRE_FROM_SERVER, type);
    script_u8(s, 'S');
    script_string(s, severity);
    script_u8(s, 'V');
    script_string(s, severity);
    script_u8(s, 'C');
    script_string(s, sqlstate);
    script_u8(s, 'M');
    script_string(s, "something happened");
    script_u8(s, 0);
    script_end(s);
}

static inline void server_error(struct script *s, const char *sqlstate)
{
    server_complaint(s, 'E', "ERROR", sqlstate);
}

static inline void server_notice(struct script *s)
{
    server_complaint(s, 'N', "NOTICE", "00000");
}

static inline void server_notification(struct script *s)
{
    script_begin(s, WIRE_FROM_SERVER, 'A');
    script_u32(s, 99);
    script_string(s, "channel");
    script_string(s, "payload");
    script_end(s);
}

/* 'G' in, 'H' out, 'W' both: one text column. */
static inline void server_copy_response(struct script *s, char type)
{
    script_begin(s, WIRE_FROM_SERVER, type);
    script_u8(s, 0);
    script_u16(s, 1);
    script_u16(s, 0);
    script_end(s);
}

static inline void server_copy_data(struct script *s, const char *text)
{
    script_text_message(s, WIRE_FROM_SERVER, 'd', text);
}

/* Replies to a whole simple SELECT of one row. */
static inline void server_answers_select(struct script *s, const char *value, char status)
{
    server_id_field(s);
    server_text_row(s, value);
    server_complete(s, "SELECT 1");
    server_ready(s, status);
}

/* Parse, Bind, Execute of the unnamed statement, or (text NULL) Bind and Execute of a named one. */
static inline void client_run(struct script *s, const char *name, const char *text)
{
    if (text != NULL)
        client_parse(s, name, text);
    client_bind(s, "", name);
    client_execute(s, "", 0);
}

static inline void server_runs(struct script *s, bool parsed, const char *tag)
{
    if (parsed)
        server_bare(s, '1');
    server_bare(s, '2');
    server_complete(s, tag);
}

#endif
