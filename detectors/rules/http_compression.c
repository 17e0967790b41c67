/*
 * Bodies that a client would have taken compressed and got as they are. What compressing saves is
 * measured: bodies are deflated beside the relay, one now and then (http/sample.h).
 *
 * A proxy between the clients and pgsleuth may compress them; that does not show here.
 */
#include "detectors/rules/route_finding.h"
#include "detectors/rules/rules.h"
#include "detectors/rules/usages.h"
#include "detectors/text.h"

enum { MIN_PLAIN = 5 };
#define MIN_SAVED 0.1 /* of a body: Lighthouse's uses-text-compression */

static const char fastapi[] =
    "from fastapi.middleware.gzip import GZipMiddleware\n\n"
    "# Starlette's default level is 9, which costs several times the CPU for little.\n"
    "app.add_middleware(GZipMiddleware, minimum_size=1024, compresslevel=5)\n";

static const char django[] =
    "# settings.py: before all middleware that reads or writes bodies. A page that repeats what\n"
    "# its visitor sent beside a secret should not be compressed (BREACH).\n"
    "MIDDLEWARE.insert(0, \"django.middleware.gzip.GZipMiddleware\")\n";

static void judge(const struct audit *a, const struct http_route *route, struct findings *out)
{
    const struct route_coding *c = &route->coding;
    double saved = 1 - routes_compressed(route);
    double mean = measure_ratio(c->plain_bytes, c->plain);
    if (c->plain < MIN_PLAIN || c->samples == 0 || saved < MIN_SAVED)
        return;
    struct measure m = {
        .what = "bytes a response that compressing would save (mean)",
        .value = saved * mean,
        .levels = audit_settings(a)->http_compression_bytes,
        .confidence = 0.9,
    };
    struct finding *f = route_finding(out, &det_http_compression, route, &m, c->plain);
    if (f == NULL)
        return;
    char before[USAGE_BYTES_MAX], after[USAGE_BYTES_MAX], sampled[USAGE_BYTES_MAX];
    measure_cap(f, SEVERITY_MEDIUM);
    f->issue = det_text(out->arena, "Responses of %s are not compressed", f->endpoint->name);
    f->impact = det_text(
        out->arena,
        "%llu of %llu responses went out as they are, %s each (mean), though the client takes "
        "gzip, "
        "br or zstd. %s of %llu of them, deflated as a test, became %.0f %% smaller. Whether "
        "something between here and the clients compresses them does not show.",
        (unsigned long long)c->plain, (unsigned long long)route->requests,
        usage_bytes(mean, before), usage_bytes((double)c->sampled_bytes, sampled),
        (unsigned long long)c->samples, 100 * saved);
    f->recommendation = det_text(out->arena, "Compress the responses of %s", f->endpoint->name);
    f->expected_improvement = det_text(out->arena, "%s -> %s a response (measured on samples)",
                                       before, usage_bytes(mean * (1 - saved), after));
    route_advice(out->arena, f, fastapi, django);
}

const struct detector det_http_compression = {
    .name = "http_compression",
    .id = "PA026",
    .title = "Responses that are not compressed",
    .checklist = {11},
    .confirm = CONFIRM_RESPONSE,
    .judge_route = judge,
};
