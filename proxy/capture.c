#include "proxy/capture.h"

#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BUFFER = 256 * 1024, FORMAT = 5, BYTE_ORDER_MARK = 0x01020304 };

static const char magic[8] = "PGSLEUTH";

struct capture_header {
    char magic[8];
    uint32_t format;
    uint32_t byte_order;
};

struct capture_writer {
    FILE *file;
    bool failed;
};

static void fail(struct capture_writer *c)
{
    if (!c->failed)
        log_error("the capture stops here: %s", strerrordesc_np(errno));
    c->failed = true;
}

struct capture_writer *capture_create(const char *path, char *error, size_t error_size)
{
    struct capture_header header = {.format = FORMAT, .byte_order = BYTE_ORDER_MARK};
    memcpy(header.magic, magic, sizeof(magic));
    struct capture_writer *c = calloc(1, sizeof(*c));
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (c != NULL && fd >= 0)
        c->file = fdopen(fd, "wb");
    if (c == NULL || c->file == NULL || fwrite(&header, sizeof(header), 1, c->file) != 1 ||
        fflush(c->file) != 0) {
        snprintf(error, error_size, "cannot write the capture %s: %s", path,
                 strerrordesc_np(errno));
        if (c != NULL && c->file != NULL)
            fclose(c->file);
        else if (fd >= 0)
            close(fd);
        free(c);
        return NULL;
    }
    setvbuf(c->file, NULL, _IOFBF, BUFFER);
    return c;
}

void capture_write(struct capture_writer *c, const struct record_header *record)
{
    if (c->failed || !record_is_captured((enum record_type)record->type))
        return;
    if (fwrite(record, record->len, 1, c->file) != 1)
        fail(c);
}

void capture_flush(struct capture_writer *c)
{
    if (!c->failed && fflush(c->file) != 0)
        fail(c);
}

int capture_close(struct capture_writer *c)
{
    if (c == NULL)
        return 0;
    capture_flush(c);
    if (!c->failed && fsync(fileno(c->file)) != 0 && errno != EINVAL) /* EINVAL: a pipe */
        fail(c);
    fclose(c->file);
    int r = c->failed ? -1 : 0;
    free(c);
    return r;
}

bool capture_is_one(const char *path)
{
    char start[sizeof(magic)];
    FILE *file = fopen(path, "rbe");
    bool is = file != NULL && fread(start, sizeof(start), 1, file) == 1 &&
              memcmp(start, magic, sizeof(magic)) == 0;
    if (file != NULL)
        fclose(file);
    return is;
}

static int bad(const char *path, const char *why, char *error, size_t error_size)
{
    snprintf(error, error_size, "cannot read the capture %s: %s", path, why);
    return -1;
}

static int read_header(FILE *file, const char *path, char *error, size_t error_size)
{
    struct capture_header header;
    if (fread(&header, sizeof(header), 1, file) != 1 ||
        memcmp(header.magic, magic, sizeof(magic)) != 0)
        return bad(path, "it is not a pgsleuth capture", error, error_size);
    if (header.byte_order != BYTE_ORDER_MARK || header.format != FORMAT)
        return bad(path, "it was written by another kind of machine or version", error, error_size);
    return 0;
}

/* The next record into `buffer`: its length, 0 at the end, -1 when it is cut short, -2 when it
 * cannot be one. */
static int next_record(FILE *file, uint8_t *buffer)
{
    size_t n = fread(buffer, 1, sizeof(struct record_header), file);
    if (n == 0)
        return 0;
    if (n < sizeof(struct record_header))
        return -1;
    struct record_header header;
    memcpy(&header, buffer, sizeof(header));
    if (header.len < sizeof(header) || header.len > RECORD_MAX_BYTES)
        return -2;
    size_t rest = header.len - sizeof(header);
    if (fread(buffer + sizeof(header), 1, rest, file) != rest)
        return -1;
    bool captured = record_is_captured((enum record_type)header.type);
    return captured && record_check(span_of(buffer, header.len)) ? (int)header.len : -2;
}

int capture_read(const char *path, capture_take *take, void *context, bool *cut, char *error,
                 size_t error_size)
{
    *cut = false;
    int r = -1;
    uint8_t *buffer = malloc(RECORD_MAX_BYTES);
    FILE *file = fopen(path, "rbe");
    if (file == NULL || buffer == NULL) {
        bad(path, strerrordesc_np(errno), error, error_size);
        goto out;
    }
    if (read_header(file, path, error, error_size) != 0)
        goto out;
    int len;
    while ((len = next_record(file, buffer)) > 0)
        take(context, (const struct record_header *)(const void *)buffer);
    if (len == -2) {
        bad(path, "a record in it is damaged", error, error_size);
        goto out;
    }
    *cut = len == -1;
    r = 0;
out:
    if (file != NULL)
        fclose(file);
    free(buffer);
    return r;
}
