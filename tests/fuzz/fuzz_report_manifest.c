/* Any bytes as a manifest, taken into a result with one endpoint. */
#include "report/manifest.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char error[200] = "";
    struct endpoint endpoint = {.method = "GET", .route = "/books/{id}"};
    struct endpoint_result about = {.endpoint = &endpoint};
    struct result r = {.endpoints = &about, .n_endpoints = 1};
    arena_init(&r.arena, 1 << 20);
    bool taken = rpt_manifest(&r, span_of(data, size), error, sizeof(error));
    assert(taken == r.application.known);
    assert(taken == (error[0] == '\0'));
    assert(about.handler.file == NULL || about.handler.line > 0);
    arena_fini(&r.arena);
    return 0;
}
