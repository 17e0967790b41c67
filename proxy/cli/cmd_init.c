/* The first steps in an application's folder. */
#include "proxy/cli/cli.h"

#include "common/log.h"
#include "proxy/files.h"

#include <ctype.h>
#include <stdio.h>
#include <unistd.h>

enum { AUTO, LOOKED_AT = 64 * 1024 };

#define FILE_NAME "pgsleuth.yaml"

static const struct {
    const char *name;
    const char *lines;
} frameworks[] = {
#define FRAMEWORK(name, lines) {name, lines},
#include "proxy/cli/frameworks.def"
#undef FRAMEWORK
};

enum { FRAMEWORKS = sizeof(frameworks) / sizeof(frameworks[0]) };

static const char content[] =
    "# Options of pgsleuth: `pgsleuth run --config " FILE_NAME "`. `pgsleuth man options` tells of "
    "all of them.\n"
    "# The server is named by DATABASE_URL or PGSLEUTH_UPSTREAM: its URL has a password in it.\n"
    "source: \".\"\n"
    "report:\n"
    "  dir: \"pgsleuth-report\"\n"
    "# Findings that make `run -- COMMAND` and `check` end with 1; `pgsleuth check REPORT\n"
    "# --write-baseline .pgsleuth-baseline.yaml` accepts those that are there.\n"
    "fail_on: status\n";

/* Whether a word stands in a text, in letters of either case, not as a part of a longer one. */
static bool mentions(struct span text, const char *word)
{
    size_t len = strlen(word);
    for (size_t i = 0; i + len <= text.len; i++) {
        bool begins = i == 0 || !isalnum(text.data[i - 1]);
        bool ends = i + len == text.len || !isalnum(text.data[i + len]);
        size_t same = 0;
        while (begins && ends && same < len && tolower(text.data[i + same]) == word[same])
            same++;
        if (same == len)
            return true;
    }
    return false;
}

/* The framework that a file names; 0 for none. */
static int named_in(const char *path)
{
    static char text[LOOKED_AT];
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return AUTO;
    size_t len = fread(text, 1, sizeof(text), file);
    fclose(file);
    for (int i = 0; i < FRAMEWORKS; i++) {
        if (mentions(span_of(text, len), frameworks[i].name))
            return i + 1;
    }
    return AUTO;
}

static int look(void)
{
    static const char *const files[] = {"manage.py", "pyproject.toml", "requirements.txt"};
    int found = AUTO;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]) && found == AUTO; i++)
        found = named_in(files[i]);
    return found;
}

static int init(const struct cfg_options *options)
{
    char error[512];
    int framework = options->framework != AUTO ? options->framework : look();
    if (framework == AUTO) {
        log_error("init: nothing here tells the framework; give --framework fastapi, django or "
                  "flask");
        return EXIT_USAGE;
    }
    bool there = access(FILE_NAME, F_OK) == 0;
    if (!there && files_write_path(FILE_NAME, span_of_text(content), error, sizeof(error)) != 0) {
        log_error("%s", error);
        return EXIT_USAGE;
    }
    log_info(there ? FILE_NAME " is there already and stays as it is" : FILE_NAME " written");
    printf("# %s: with the package pgsleuth-tags, statements are named by their route.\n"
           "# It is the folder python/ of pgsleuth's sources: pip install .../python\n%s\n"
           "# Then, with DATABASE_URL set: pgsleuth run --config " FILE_NAME " -- pytest\n",
           frameworks[framework - 1].name, frameworks[framework - 1].lines);
    return EXIT_OK;
}

int cli_init(const struct cli_input *in)
{
    struct cfg_options options;
    enum exit_code code;
    if (!cli_options(in, "init", CFG_INIT, 0, &options, &code))
        return code;
    int r = init(&options);
    cfg_options_fini(&options);
    return r;
}
