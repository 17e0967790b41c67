/*
 * The report as one HTML page that stands alone: its script and its style are in it, it loads
 * nothing and works from a file. Everything is rendered here, as tables and figures, so that it is
 * whole without the script, which only sorts, filters, copies, draws and tries out.
 *
 * The tree is that of rpt_tree_detailed; without the details, pages of endpoints have their numbers
 * only. Each function appends and gives 0 or an error of report/error.h.
 */
#ifndef PGSLEUTH_REPORT_HTML_H
#define PGSLEUTH_REPORT_HTML_H

#include "common/strbuf.h"

#include <jansson.h>

/* The whole page, as a file. */
int rpt_html(const json_t *tree, struct strbuf *out);

/* The same as a server shows it: its script asks the server for events and puts in their place the
 * parts that they bring. */
int rpt_html_live(const json_t *tree, struct strbuf *out);

/* Those parts: all that depends on the tree. */
int rpt_html_parts(const json_t *tree, struct strbuf *out);

/* The Content-Security-Policy of the live page, for its header: nothing runs but this script,
 * nothing is loaded but events of the server's own. */
void rpt_html_policy(struct strbuf *out);

#endif
