/*
 * Files that are whole or not there: written beside their place, synced, renamed; and read.
 */
#ifndef PGSLEUTH_PROXY_FILES_H
#define PGSLEUTH_PROXY_FILES_H

#include "common/span.h"

/* Make a folder and those above it, and prove that a file can be written in it. 0, or -1 with one
 * line in `error`. */
int files_prepare_folder(const char *path, char *error, size_t error_size);

/* Write `folder`/`name` by temporary file, fsync and rename. 0, or -1 with one line in `error`;
 * then the old file is untouched and no temporary one is left. */
int files_write(const char *folder, const char *name, struct span content, char *error,
                size_t error_size);

/* The same of a path, in a folder that is there. */
int files_write_path(const char *path, struct span content, char *error, size_t error_size);

/* Remove the files of a folder that end in `suffix` and are not in `keep` (n names). A folder that
 * is not there is empty. */
void files_remove_others(const char *folder, const char *suffix, const char *const *keep, size_t n);

/* All of a regular file that is not larger than `max`, to be freed; NULL for another, and without
 * memory. The descriptor stays open. */
uint8_t *files_read(int fd, size_t max, size_t *len);

#endif
