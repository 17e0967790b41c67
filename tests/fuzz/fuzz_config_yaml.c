/* Any bytes as a configuration file: accepted with sane values, or refused with one line. */
#include "config/source.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cfg_options options;
    struct cfg_error err = {{0}};
    struct strbuf text;
    strbuf_init(&text, 1 << 20);
    int result = cfg_load_defaults(&options, &err);
    assert(result == CFG_OK);
    result = cfg_load_yaml_bytes(span_of(data, size), "fuzz.yaml", &options, &err);
    if (result == CFG_OK) {
        assert(options.workers >= 1 && options.workers <= 64);
        cfg_describe(&options, &text);
        assert(!text.failed);
    } else {
        assert(err.text[0] != '\0' && strchr(err.text, '\n') == NULL);
    }
    strbuf_fini(&text);
    cfg_options_fini(&options);
    return 0;
}
