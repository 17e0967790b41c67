/*
 * The errors of the report layer. Functions that can fail give 0 or one of these, or NULL when the
 * only failure there is is lack of memory.
 */
#ifndef PGSLEUTH_REPORT_ERROR_H
#define PGSLEUTH_REPORT_ERROR_H

enum rpt_error {
    RPT_OK = 0,
    RPT_E_NO_MEMORY = -1, /* also: the caller's buffer reached its maximum */
    RPT_E_EMIT = -2,      /* the tree is not one that this rendering can write */
};

#endif
