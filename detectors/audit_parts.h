/* What an audit is made of: for audit.c, overflow.c and result.c alone. */
#ifndef PGSLEUTH_DETECTORS_AUDIT_PARTS_H
#define PGSLEUTH_DETECTORS_AUDIT_PARTS_H

#include "detectors/audit.h"
#include "detectors/join.h"
#include "detectors/ledger.h"
#include "detectors/sessions.h"

enum { AUDIT_OPAQUE_REASONS = 32, AUDIT_VERSION_MAX = 64 };

struct audit {
    struct det_settings settings;
    struct arena arena; /* the ledger and the evidence of rules; lives as long as this */
    struct arena names; /* statements and tags; no text of theirs can take the evidence its room */
    struct catalogue catalogue;
    struct map64 tags;
    struct sessions sessions;
    struct routes routes;
    struct join join;
    struct request_marks marks;
    struct ledger *ledger;
    void *states[DETECTOR_COUNT];
    struct ledger ledger_storage;

    char version[AUDIT_VERSION_MAX];
    enum record_explain_state explain;
    int64_t wall_us; /* at time 0 of the records */
    uint64_t run;    /* 1 for the first of a capture */
    int64_t began_us;
    char run_name[RECORD_NAME_MAX + 1];
    int64_t last_us;
    uint64_t next_serial;
    uint64_t units;
    uint64_t learnt_units; /* named by what they sent */
    uint64_t tagged_units;
    uint64_t cut_units; /* at their cap */
    uint64_t statements;
    uint64_t bytes;
    uint64_t unread; /* statements relayed in pipelines too deep to read */
    uint64_t lost_tags;
    uint64_t lost_transactions;
    uint64_t least_us; /* of one statement, chatter too; 0 before any */
    uint64_t explained;
    uint64_t explain_failed;
    uint64_t explain_statements; /* that the advisor sent, and the time they took */
    uint64_t explain_us;
    uint64_t opaque[AUDIT_OPAQUE_REASONS];
    struct audit_moment moments[RECORD_MAX_MOMENTS];
    size_t n_moments;
    struct record_run_end end; /* zeroes until it came */
};

#endif
