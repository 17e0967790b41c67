#include "proxy/settings.h"

struct det_settings settings_of_options(const struct cfg_options *options)
{
    struct det_settings s;
    memset(&s, 0, sizeof(s));
#define SETTING(field, option) s.field = options->option;
#include "proxy/settings.def"
#undef SETTING
    return s;
}

/* A capture is hostile: what no option could have been is not judged by. */
static bool in_range(const struct det_settings *s, const struct cfg_options *options)
{
    struct cfg_options probe = *options; /* borrows the texts */
#define SETTING(field, option)                                                                     \
    probe.option = s->field;                                                                       \
    if (!cfg_in_range(&probe, CFG_ID_##option))                                                    \
        return false;
#include "proxy/settings.def"
#undef SETTING
    return true;
}

int settings_of_run(const struct record_run_start *run, const struct cfg_options *options,
                    struct det_settings *out)
{
    if (run->settings_len != sizeof(*out))
        return -1;
    memcpy(out, record_tail(&run->h, sizeof(*run), run->version_len, sizeof(*out)).data,
           sizeof(*out));
    if (!in_range(out, options))
        return -1;
#define SETTING(field, option)                                                                     \
    if (options->origins[CFG_ID_##option].kind != CFG_FROM_DEFAULT)                                \
        out->field = options->option;
#include "proxy/settings.def"
#undef SETTING
    return 0;
}
