/*
 * Answers to GET that are sent again and again unchanged, without a header by which a client could
 * keep them or ask whether they changed; and answers for one person that a shared cache may give to
 * others.
 */
#include "detectors/rules/route_finding.h"
#include "detectors/rules/rules.h"
#include "detectors/rules/usages.h"
#include "detectors/text.h"

enum { MIN_REPEATED = 5 };
#define MOST 0.5

static const char fastapi[] =
    "import hashlib\n"
    "from fastapi import Request, Response\n\n"
    "# One validator for the body; 304 where the client has it already.\n"
    "def with_etag(request: Request, body: bytes) -> Response:\n"
    "    etag = '\"' + hashlib.blake2b(body, digest_size=16).hexdigest() + '\"'\n"
    "    headers = {\"ETag\": etag, \"Cache-Control\": \"private, max-age=60\"}\n"
    "    if etag in request.headers.get(\"if-none-match\", \"\"):\n"
    "        return Response(status_code=304, headers=headers)\n"
    "    return Response(body, media_type=\"application/json\", headers=headers)\n";

static const char django[] =
    "from django.views.decorators.cache import cache_control\n"
    "from django.views.decorators.http import condition\n\n"
    "# etag_of: from what the answer depends on, such as the newest updated_at of its rows.\n"
    "@cache_control(private=True, max_age=60)\n"
    "@condition(etag_func=etag_of)\n"
    "def view(request): ...\n";

static const char fastapi_private[] =
    "# For one person: no shared cache may keep it.\n"
    "response.headers[\"Cache-Control\"] = \"private, max-age=60\"\n";

static const char django_private[] = "from django.views.decorators.cache import cache_control\n\n"
                                     "# For one person: no shared cache may keep it.\n"
                                     "@cache_control(private=True, max_age=60)\n"
                                     "def view(request): ...\n";

static void judge_leaks(const struct http_route *route, struct findings *out)
{
    uint64_t leaks = route->caching.leaks;
    struct measure m = {
        .what = "answers for one person that shared caches may keep",
        .value = (double)leaks,
        .levels = {1, 1, 1, 1e18},
        .confidence = 0.9,
    };
    struct finding *f = route_finding(out, &det_http_caching, route, &m, leaks);
    if (f == NULL)
        return;
    f->issue = det_text(out->arena, "Personal answers of %s are marked public", f->endpoint->name);
    f->impact = det_text(out->arena,
                         "%llu of %llu answers set a cookie or were asked for with Authorization, "
                         "and their Cache-Control lets a shared cache give them to anybody.",
                         (unsigned long long)leaks, (unsigned long long)route->requests);
    f->recommendation =
        det_text(out->arena, "Mark the answers of %s as private", f->endpoint->name);
    route_advice(out->arena, f, fastapi_private, django_private);
}

static bool is_known_to_clients(const struct route_caching *c)
{
    return measure_ratio(c->validators, c->answers) >= MOST ||
           measure_ratio(c->lasting, c->answers) >= MOST;
}

static void judge(const struct audit *a, const struct http_route *route, struct findings *out)
{
    const struct route_caching *c = &route->caching;
    if (c->leaks > 0) {
        judge_leaks(route, out);
        return;
    }
    if (c->repeated < MIN_REPEATED || is_known_to_clients(c))
        return;
    struct measure m = {
        .what = "of the answers were sent before, unchanged",
        .value = measure_ratio(c->repeated, c->answers),
        .levels = audit_settings(a)->http_caching,
        .confidence = 0.8,
    };
    struct finding *f = route_finding(out, &det_http_caching, route, &m, c->repeated);
    if (f == NULL)
        return;
    char bytes[USAGE_BYTES_MAX], each[USAGE_BYTES_MAX];
    char ms[DET_MS_MAX];
    measure_cap(f, SEVERITY_MEDIUM);
    f->issue = det_text(out->arena, "Unchanged answers of %s are sent again", f->endpoint->name);
    f->impact = det_text(
        out->arena,
        "%llu of %llu answers were byte for byte the one before for the same address: %s "
        "sent again, and %s of work. They have neither ETag nor Last-Modified nor a time "
        "to live.",
        (unsigned long long)c->repeated, (unsigned long long)c->answers,
        usage_bytes((double)c->repeated_bytes, bytes), det_ms((double)c->repeated_us / 1000, ms));
    f->recommendation = det_text(out->arena, "Give the answers of %s a validator or a time to live",
                                 f->endpoint->name);
    f->expected_improvement =
        det_text(out->arena, "%s less for each answer that a client has already (measured)",
                 usage_bytes(measure_ratio(c->repeated_bytes, c->repeated), each));
    route_advice(out->arena, f, fastapi, django);
}

const struct detector det_http_caching = {
    .name = "http_caching",
    .id = "PA027",
    .title = "Answers without caching headers that do not change",
    .checklist = {12, 40},
    .confirm = CONFIRM_RESPONSE,
    .judge_route = judge,
};
