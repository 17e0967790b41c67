#include "proxy/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int say(const char *path, char *error, size_t error_size)
{
    snprintf(error, error_size, "cannot write %s: %s", path, strerrordesc_np(errno));
    return -1;
}

static int make_folders(const char *path)
{
    char part[PATH_MAX];
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof(part)) {
        errno = len == 0 ? ENOENT : ENAMETOOLONG;
        return -1;
    }
    memcpy(part, path, len + 1);
    for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            return -1;
        *slash = '/';
    }
    return mkdir(part, 0777) != 0 && errno != EEXIST ? -1 : 0;
}

int files_prepare_folder(const char *path, char *error, size_t error_size)
{
    char probe[PATH_MAX];
    if (make_folders(path) != 0)
        return say(path, error, error_size);
    int n = snprintf(probe, sizeof(probe), "%s/.pgsleuth-probe", path);
    if (n < 0 || (size_t)n >= sizeof(probe)) {
        errno = ENAMETOOLONG;
        return say(path, error, error_size);
    }
    int fd = open(probe, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return say(path, error, error_size);
    close(fd);
    unlink(probe);
    return 0;
}

static int write_all(int fd, struct span content)
{
    while (content.len > 0) {
        ssize_t n = write(fd, content.data, content.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        content = span_skip(content, (size_t)n);
    }
    return fsync(fd);
}

int files_write(const char *folder, const char *name, struct span content, char *error,
                size_t error_size)
{
    char path[PATH_MAX];
    char temporary[PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s/%s", folder, name);
    int m = snprintf(temporary, sizeof(temporary), "%s/.%s.tmp", folder, name);
    if (n < 0 || m < 0 || (size_t)n >= sizeof(path) || (size_t)m >= sizeof(temporary)) {
        errno = ENAMETOOLONG;
        return say(folder, error, error_size);
    }
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0)
        return say(path, error, error_size);
    int r = write_all(fd, content);
    if (close(fd) != 0)
        r = -1;
    if (r == 0)
        r = rename(temporary, path);
    if (r == 0)
        return 0;
    say(path, error, error_size);
    unlink(temporary);
    return -1;
}

int files_write_path(const char *path, struct span content, char *error, size_t error_size)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int n = slash == NULL ? snprintf(folder, sizeof(folder), ".")
                          : snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path + 1), path);
    if (n < 0 || (size_t)n >= sizeof(folder)) {
        errno = ENAMETOOLONG;
        return say(path, error, error_size);
    }
    return files_write(folder, slash != NULL ? slash + 1 : path, content, error, error_size);
}

static bool is_kept(const char *name, const char *const *keep, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(name, keep[i]) == 0)
            return true;
    }
    return false;
}

void files_remove_others(const char *folder, const char *suffix, const char *const *keep, size_t n)
{
    DIR *dir = opendir(folder);
    if (dir == NULL)
        return;
    const struct dirent *entry;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): this DIR is this function's */
    while ((entry = readdir(dir)) != NULL) {
        size_t len = strlen(entry->d_name);
        size_t suffix_len = strlen(suffix);
        bool ours = len > suffix_len && strcmp(entry->d_name + len - suffix_len, suffix) == 0;
        if (ours && !is_kept(entry->d_name, keep, n))
            unlinkat(dirfd(dir), entry->d_name, 0);
    }
    closedir(dir);
}

uint8_t *files_read(int fd, size_t max, size_t *len)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size < 0 || (size_t)st.st_size > max)
        return NULL;
    size_t size = (size_t)st.st_size;
    uint8_t *bytes = malloc(size + 1);
    *len = 0;
    while (bytes != NULL && *len < size) {
        ssize_t n = read(fd, bytes + *len, size - *len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        *len += (size_t)n;
    }
    return bytes;
}
