/*
 * Captures audited again: of one, as it was live; of several, as if their runs had followed each
 * other, each with sessions of its own.
 */
#ifndef PGSLEUTH_PROXY_REPLAY_H
#define PGSLEUTH_PROXY_REPLAY_H

#include "detectors/audit.h"
#include "proxy/app.h"

struct replay {
    struct audit *audit; /* owned, finished; NULL after a failure */
    bool traffic;        /* a statement was seen */
};

/* Read n captures. EXIT_OK, or the exit code of what went wrong, whose line has been logged. The
 * caller ends *out with replay_fini in both cases. */
enum exit_code replay_read(const char *const *paths, size_t n, const struct cfg_options *options,
                           struct replay *out);

void replay_fini(struct replay *replay);

/* Write the reports of what was read, and print the summary: the exit code. */
enum exit_code replay_write(const struct replay *replay, const struct cfg_options *options);

#endif
