/*
 * What is proved before anything starts, so that nothing runs half-configured: each check gives an
 * exit code and, when it fails, one line that says what, where and what to do.
 */
#ifndef PGSLEUTH_PROXY_PREFLIGHT_H
#define PGSLEUTH_PROXY_PREFLIGHT_H

#include "proxy/address.h"
#include "proxy/app.h"
#include "wire/record.h"

struct preflight {
    struct addresses listen;
    struct addresses upstream;
    const char *explain_dsn; /* borrowed from the options */
    enum record_explain_state explain;
};

/* EXIT_OK, or the code to end with; the line has been logged. */
enum exit_code preflight_run(const struct cfg_options *options, struct preflight *out);

/* Connect to one of the addresses within the time: 0, or an errno. */
int preflight_connect(const struct addresses *addresses, int64_t timeout_ms);

#endif
