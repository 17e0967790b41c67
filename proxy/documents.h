/*
 * A result written down: report.yaml for all, endpoints/<name>.yaml for each, and the summary for
 * the terminal.
 */
#ifndef PGSLEUTH_PROXY_DOCUMENTS_H
#define PGSLEUTH_PROXY_DOCUMENTS_H

#include "common/strbuf.h"
#include "detectors/audit.h"

/* Judge what the audit holds and write all files into `folder`, which exists. Files of endpoints
 * that are gone are removed. 0, or -1 with one line in `error`; a file is old or new, never half.
 */
int documents_write(const struct audit *audit, const char *source, const char *folder, char *error,
                    size_t error_size);

/* Append the terminal's summary. 0, or -1 without memory. */
int documents_summary(const struct audit *audit, const char *source, bool color, unsigned width,
                      struct strbuf *out);

#endif
