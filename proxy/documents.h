/*
 * A result written down: report.yaml for all, endpoints/<name>.yaml for each, whatever documents
 * were asked for besides, and the summary for the terminal.
 */
#ifndef PGSLEUTH_PROXY_DOCUMENTS_H
#define PGSLEUTH_PROXY_DOCUMENTS_H

#include "config/config.h"
#include "detectors/audit.h"
#include "report/text.h"

/* Where documents go and what they quote. Borrowed texts. */
struct documents {
    const char *source;   /* folder of the application's source, or "" */
    const char *manifest; /* file of its manifest, or "" */
    const char *folder;   /* of report.yaml */
    const char *outputs;  /* files of other formats with commas between them, "-" among them */
};

struct documents documents_of_options(const struct cfg_options *options);

/* Whether each output has a format; when not, the line has been logged. */
bool documents_are_known(const struct documents *d);

/* Prove that all can be written, and make the folders. 0, or -1 with one line in `error`. */
int documents_prepare(const struct documents *d, char *error, size_t error_size);

/* Judge what the audit holds, with what the application's files say: its source, its manifest. With
 * `tell` the log names what is no manifest. To be freed; NULL without memory. */
struct result *documents_judge(const struct audit *audit, const struct documents *d, bool tell);

/* Judge what the audit holds and write all files. Files of endpoints that are gone are removed. 0,
 * or -1 with one line in `error`; a file is old or new, never half. */
int documents_write(const struct audit *audit, const struct documents *d, char *error,
                    size_t error_size);

/* The same where the tree is none of a report: yaml and json alone. */
bool documents_are_plain(const struct documents *d);

/* Write a tree to the outputs, those to the standard output too. 0, or -1 with one line in `error`.
 */
int documents_put(json_t *tree, const struct documents *d, char *error, size_t error_size);

/* Whether one of the outputs is the standard output. */
bool documents_take_stdout(const struct documents *d);

/* The whole report as a tree, the caller's; NULL without memory. */
json_t *documents_tree(const struct audit *audit, const struct documents *d);

/* How to write for the standard output: its width, and colours where it is a terminal or
 * FORCE_COLOR is set, and NO_COLOR is not. */
struct rpt_text_options documents_terminal(void);

/* Print to the standard output: what was asked for there, or else the summary, in colours and to
 * the width of a terminal, and where the report is. */
void documents_print(const struct audit *audit, const struct documents *d);

#endif
