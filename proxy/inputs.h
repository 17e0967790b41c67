/*
 * What the command line is given to read: reports (YAML, JSON, a folder with a report.yaml, a
 * capture) and files of known findings. A failure is one logged line and an exit code.
 */
#ifndef PGSLEUTH_PROXY_INPUTS_H
#define PGSLEUTH_PROXY_INPUTS_H

#include "proxy/app.h"

#include <jansson.h>

/* *report is the caller's. */
enum exit_code inputs_report(const char *path, const struct cfg_options *options, json_t **report);

/* *baseline is the caller's; NULL when the file is not there and nobody asked for it. */
enum exit_code inputs_baseline(const struct cfg_options *options, json_t **baseline);

/* The same of any file, which must be there. */
enum exit_code inputs_baseline_at(const char *path, json_t **baseline);

/* Today in UTC, "2027-01-31". */
enum { INPUTS_DAY = 16 };
void inputs_today(char day[INPUTS_DAY]);

#endif
