/*
 * What a run behind a command comes to: the findings that count, as `check` would say of its
 * report.
 */
#ifndef PGSLEUTH_PROXY_VERDICT_H
#define PGSLEUTH_PROXY_VERDICT_H

#include "detectors/audit.h"
#include "proxy/app.h"
#include "report/assertions.h"

/* Say it on stderr; EXIT_OK, _FINDINGS, _TOO_LITTLE, or what kept it from being said. */
enum exit_code verdict_of_run(const struct audit *audit, const struct cfg_options *options);

/* What the options assert. Borrows from them. */
struct rpt_criteria verdict_criteria(const struct cfg_options *options);

/* Whether they can be judged; when not, the line has been logged. */
bool verdict_criteria_are_good(const struct cfg_options *options);

/* The exit code of what rpt_check gave; NULL is "out of memory", and is told. */
enum exit_code verdict_code(const json_t *checked);

#endif
