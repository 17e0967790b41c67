#include "proxy/manifest.h"

#include "common/log.h"
#include "proxy/files.h"
#include "report/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ERROR_MAX = 256 };

void manifest_take(struct result *r, const char *path, bool tell)
{
    char error[ERROR_MAX];
    size_t len = 0;
    if (path == NULL || *path == '\0')
        return;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) {
        if (tell && errno != ENOENT) /* the application may not have started yet */
            log_warning("manifest: %s: %s", path, strerrordesc_np(errno));
        return;
    }
    uint8_t *bytes = files_read(fd, MANIFEST_MAX_BYTES, &len);
    close(fd);
    if (bytes == NULL)
        snprintf(error, sizeof(error), "it is no file, or larger than 4 MiB");
    if ((bytes == NULL || !rpt_manifest(r, span_of(bytes, len), error, sizeof(error))) && tell)
        log_warning("manifest: %s: %s", path, error);
    free(bytes);
}
