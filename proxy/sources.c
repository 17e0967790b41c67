#include "proxy/sources.h"

#include "common/log.h"
#include "proxy/files.h"
#include "report/source_edit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LINE_DIGITS = 8 };

/* Not through links that lead elsewhere, and without waiting for a pipe's other end. */
static int open_below(int folder, const char *name)
{
    struct open_how how = {
        .flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    return (int)syscall(SYS_openat2, folder, name, &how, sizeof(how));
}

static unsigned line_of(const char *text)
{
    char *end = NULL;
    size_t len = text != NULL ? strlen(text) : 0;
    if (len == 0 || len > LINE_DIGITS)
        return 0;
    unsigned long line = strtoul(text, &end, 10);
    return *end == '\0' ? (unsigned)line : 0;
}

/* What `write` appends of the file, in the arena of the result; NULL without it. */
typedef bool write_function(struct strbuf *out, struct span text, const struct source_place *place,
                            const struct finding *f);

static const char *written(struct result *r, write_function *write, struct span text,
                           const struct source_place *place, const struct finding *f)
{
    struct strbuf out;
    strbuf_init(&out, SOURCE_MAX_BYTES);
    bool found = write(&out, text, place, f) && !out.failed;
    const char *kept = found ? arena_text(&r->arena, strbuf_span(&out)) : NULL;
    strbuf_fini(&out);
    return kept;
}

static bool write_quote(struct strbuf *out, struct span text, const struct source_place *place,
                        const struct finding *f)
{
    (void)f;
    return source_quote(out, text, place);
}

static void quote(struct result *r, struct finding *f, int folder)
{
    const char *file = f->tag->value[SQL_TAG_FILE];
    struct source_place place = {
        .file = file,
        .line = line_of(f->tag->value[SQL_TAG_LINE]),
        .function = span_of_text(f->tag->value[SQL_TAG_FUNCTION]),
    };
    int fd = place.line > 0 ? open_below(folder, file) : -1;
    if (fd < 0)
        return;
    size_t len = 0;
    uint8_t *bytes = files_read(fd, SOURCE_MAX_BYTES, &len);
    struct span text = span_of(bytes, len);
    if (bytes != NULL)
        f->quoted_code = written(r, write_quote, text, &place, f);
    const char *edited = f->quoted_code != NULL ? written(r, source_edit, text, &place, f) : NULL;
    if (edited != NULL) {
        f->optimized_code = edited;
        f->edited = true;
    }
    free(bytes);
    close(fd);
}

bool sources_are_there(const char *folder)
{
    if (*folder == '\0')
        return true;
    int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        log_error("source: %s: %s; give the folder that the file names of the tags begin below",
                  folder, strerrordesc_np(errno));
    else
        close(fd);
    return fd >= 0;
}

void sources_quote(struct result *r, const char *folder)
{
    if (folder == NULL || *folder == '\0')
        return;
    int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    r->sourced = fd >= 0;
    for (size_t i = 0; fd >= 0 && i < r->n_findings; i++) {
        struct finding *f = r->findings[i];
        if (f->tag != NULL && f->tag->value[SQL_TAG_FILE] != NULL)
            quote(r, f, fd);
    }
    if (fd >= 0)
        close(fd);
}
