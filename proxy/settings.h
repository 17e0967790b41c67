/*
 * Between the options people write and the thresholds that detectors judge by: the one place that
 * knows both.
 *
 * A capture carries the thresholds of its run in its first record, so that it is judged as the run
 * was; an option given when the capture is read wins over them.
 */
#ifndef PGSLEUTH_PROXY_SETTINGS_H
#define PGSLEUTH_PROXY_SETTINGS_H

#include "config/config.h"
#include "detectors/settings.h"
#include "wire/record.h"

struct det_settings settings_of_options(const struct cfg_options *options);

/* The thresholds of a run, changed where an option was given (not left at its default). 0, or -1
 * when the record's settings are not of this version, or out of an option's range. */
int settings_of_run(const struct record_run_start *run, const struct cfg_options *options,
                    struct det_settings *out);

#endif
