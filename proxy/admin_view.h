/*
 * The documents of the admin API as texts, none older than a second when it is asked for, and no
 * more often made than that: judging takes the auditor's time. A document that took long to make
 * is used the longer, so that no client can have the auditor judge for more than a fifth of the
 * time.
 */
#ifndef PGSLEUTH_PROXY_ADMIN_VIEW_H
#define PGSLEUTH_PROXY_ADMIN_VIEW_H

#include "detectors/audit.h"
#include "proxy/admin_metrics.h"
#include "proxy/documents.h"

#include <jansson.h>

struct evbuffer;
struct admin_text; /* shared by the replies that are being sent */

enum admin_document {
    ADMIN_DOC_REPORT,
    ADMIN_DOC_ENDPOINTS,
    ADMIN_DOC_FINDINGS,
    ADMIN_DOC_STATEMENTS,
    ADMIN_DOC_METRICS,
    ADMIN_DOC_PAGE,       /* HTML */
    ADMIN_DOC_PAGE_EVENT, /* the parts of it, as a server-sent event */
    ADMIN_DOCS
};

struct admin_view {
    struct documents documents; /* whose files they quote */
    json_t *tree;               /* of the JSON documents; NULL when it is too old */
    json_t *statements;
    struct {
        struct admin_text *text; /* NULL until it is asked for */
        int64_t use_until_us;
    } items[ADMIN_DOCS];
    int64_t tree_until_us;
};

void admin_view_init(struct admin_view *v, const struct documents *documents);
void admin_view_fini(struct admin_view *v);

/* What is there is out of date. */
void admin_view_forget(struct admin_view *v);

/* Give memory back that was not asked for again. */
void admin_view_tidy(struct admin_view *v, int64_t now_us);

/* Of its Content-Type header. Static storage. */
const char *admin_view_type(enum admin_document what);

/* Append a document without copying it. 0, or -1 without memory. */
int admin_view_add(struct admin_view *v, enum admin_document what, const struct audit *audit,
                   const struct admin_figures *figures, struct evbuffer *out);

#endif
