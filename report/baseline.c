#include "report/baseline.h"

#include "report/read.h"
#include "report/value.h"

#include <stdio.h>
#include <stdlib.h>

enum { VERSION = 1, FINGERPRINT_LEN = 16 };

static const char *const entry_keys[] = {"fingerprint", "rule",  "endpoint", "issue",
                                         "reason",      "owner", "expires"};

bool rpt_is_day(const char *text)
{
    static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (strlen(text) != 10 || text[4] != '-' || text[7] != '-' || strspn(text, "0123456789-") != 10)
        return false;
    for (int i = 0; i < 10; i++)
        if ((text[i] == '-') != (i == 4 || i == 7))
            return false;
    long month = strtol(text + 5, NULL, 10);
    long day = strtol(text + 8, NULL, 10);
    return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1];
}

static bool refuse(char *error, size_t size, size_t entry, const char *what)
{
    snprintf(error, size, "finding %zu: %s", entry + 1, what);
    return false;
}

static bool is_known_key(const char *key)
{
    for (size_t i = 0; i < sizeof(entry_keys) / sizeof(entry_keys[0]); i++)
        if (strcmp(key, entry_keys[i]) == 0)
            return true;
    return false;
}

static bool is_fingerprint(const char *text)
{
    return strlen(text) == FINGERPRINT_LEN && strspn(text, "0123456789abcdef") == FINGERPRINT_LEN;
}

static bool entry_is_good(json_t *entry, size_t n, char *error, size_t size)
{
    const char *key = NULL;
    json_t *value = NULL;
    if (!json_is_object(entry))
        return refuse(error, size, n, "it is no mapping");
    json_object_foreach(entry, key, value)
    {
        if (!is_known_key(key))
            return refuse(error, size, n,
                          "a key is none of fingerprint, rule, endpoint, issue, reason, owner, "
                          "expires");
        if (!json_is_string(value) && !json_is_null(value))
            return refuse(error, size, n, "a value is no text; write it in quotes");
    }
    if (!is_fingerprint(rpt_text_at(entry, "fingerprint")))
        return refuse(error, size, n, "fingerprint is 16 hexadecimal digits in quotes");
    const json_t *expires = json_object_get(entry, "expires");
    if (json_is_string(expires) && !rpt_is_day(json_string_value(expires)))
        return refuse(error, size, n, "expires is a day such as 2027-01-31");
    return true;
}

bool rpt_baseline_is_good(const json_t *tree, char *error, size_t error_size)
{
    const json_t *findings = json_object_get(tree, "findings");
    if (!json_is_object(tree) || rpt_count_at(tree, "version") != VERSION) {
        snprintf(error, error_size, "it does not say version: 1");
        return false;
    }
    if (!json_is_array(findings) && !json_is_null(findings)) {
        snprintf(error, error_size, "there is no list of findings");
        return false;
    }
    for (size_t i = 0; i < json_array_size(findings); i++)
        if (!entry_is_good(json_array_get(findings, i), i, error, error_size))
            return false;
    return true;
}

static const json_t *entry_of(const json_t *baseline, const char *fingerprint)
{
    const json_t *findings = json_object_get(baseline, "findings");
    for (size_t i = 0; i < json_array_size(findings); i++) {
        const json_t *entry = json_array_get(findings, i);
        if (strcmp(rpt_text_at(entry, "fingerprint"), fingerprint) == 0)
            return entry;
    }
    return NULL;
}

enum rpt_known rpt_baseline_find(const json_t *baseline, const char *fingerprint, const char *today)
{
    const json_t *entry = entry_of(baseline, fingerprint);
    if (entry == NULL)
        return RPT_NEW;
    const char *expires = rpt_text_at(entry, "expires");
    return *expires != '\0' && strcmp(expires, today) < 0 ? RPT_EXPIRED : RPT_KNOWN;
}

static json_t *text_or_null(const char *text)
{
    return *text != '\0' ? rpt_string(text) : json_null();
}

static json_t *entry_for(const json_t *issue, const json_t *old,
                         const struct rpt_acknowledgement *by)
{
    const char *fingerprint = rpt_text_at(issue, "fingerprint");
    const json_t *kept = entry_of(old, fingerprint);
    json_t *out = json_object();
    rpt_put(&out, "fingerprint", rpt_string(fingerprint));
    rpt_put(&out, "rule", rpt_string(rpt_text_at(issue, "rule")));
    rpt_put(&out, "endpoint", text_or_null(rpt_text_at(issue, "endpoint")));
    rpt_put(&out, "issue", rpt_string(rpt_text_at(issue, "issue")));
    rpt_put(&out, "reason", text_or_null(kept != NULL ? rpt_text_at(kept, "reason") : by->reason));
    rpt_put(&out, "owner", text_or_null(kept != NULL ? rpt_text_at(kept, "owner") : by->owner));
    rpt_put(&out, "expires",
            text_or_null(kept != NULL ? rpt_text_at(kept, "expires") : by->expires));
    return out;
}

json_t *rpt_baseline_of(const json_t *report, const json_t *old,
                        const struct rpt_acknowledgement *by)
{
    const json_t *issues = json_object_get(report, "issues");
    json_t *findings = json_array();
    for (size_t s = 0; s < RPT_SEVERITIES; s++) {
        const json_t *list = json_object_get(issues, rpt_severities[s].key);
        for (size_t i = 0; i < json_array_size(list); i++) {
            const json_t *issue = json_array_get(list, i);
            if (is_fingerprint(rpt_text_at(issue, "fingerprint")))
                rpt_add(&findings, entry_for(issue, old, by));
        }
    }
    json_t *out = json_object();
    rpt_put(&out, "version", json_integer(VERSION));
    rpt_put(&out, "findings", findings);
    return out;
}
