# Sourced, from the root of the project: quiet builds, and the Python environment of the checks.
# shellcheck shell=sh

JOBS=$(nproc)
TEST_VENV=$PWD/build/test-venv

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

build_preset() {
    quietly "configure-$1" cmake --preset "$1" &&
        quietly "build-$1" cmake --build --preset "$1" -j "$JOBS"
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
