#!/bin/sh
# Every check that reads the sources without running them: lint.sh [CHECK...], from the root of the project.
# All checks run, whatever became of those before; any failure fails.
set -u

# shellcheck source=tests/lint/files.sh
. tests/lint/files.sh
# shellcheck source=tests/lint/build.sh
. tests/lint/build.sh
export PYTHONDONTWRITEBYTECODE=1 RUFF_CACHE_DIR="$PWD/build/lint-cache/ruff"
# The link targets of the architecture, and the folders that are used by themselves.
FOLDERS="common wire http detectors detectors/facts detectors/advisor report web config proxy docs python python/companions docker
    tests tests/unit tests/e2e tests/suites tests/fuzz tests/bench tests/lint"

c_files() { project_files | grep '\.c$'; }
c_and_h_files() { project_files | grep '\.[ch]$'; }

check_format() {
    c_and_h_files | xargs -r -d '\n' clang-format --dry-run -Werror
}

# What the program is made of; the tests too when there is time, but for those that this configuration does not build
# and those that stand in for another library, with its names.
tidy_files() {
    if [ -n "${PGSLEUTH_LONG:-}" ]; then c_files | grep -v '^tests/\(fuzz\|e2e\)/'; else c_files | grep -v '^tests/'; fi
}

check_tidy() {
    quietly configure-clang cmake --preset clang || return
    tidy_files | python3 tests/lint/tidy.py build/clang build/lint-cache/tidy
}

check_cppcheck() {
    mkdir -p build/lint-cache/cppcheck
    c_files | cppcheck --quiet --error-exitcode=1 --enable=warning,performance,portability --inline-suppr \
        --std=c11 --library=posix --library=gnu -D_GNU_SOURCE -DPGSLEUTH_VERSION='""' \
        -DPGSLEUTH_TEST_DATA='""' -I . -I tests/unit \
        --suppressions-list=tests/lint/cppcheck.suppress --cppcheck-build-dir=build/lint-cache/cppcheck -j "$JOBS" --file-list=-
}

# A header is a contract: it compiles alone, with the warnings of the build.
check_headers() {
    # shellcheck disable=SC2046 # flags
    project_files | grep '\.h$' | xargs -r -d '\n' -n 1 -P "$JOBS" gcc -x c -std=c17 -fsyntax-only -D_GNU_SOURCE \
        -Wall -Wextra -Werror -Wconversion -Wshadow -Wstrict-prototypes -I . -I tests/unit \
        -DPGSLEUTH_VERSION='""' -DPGSLEUTH_TEST_DATA='""' -isystem /usr/share/include \
        $(pkg-config --cflags libxxhash yaml-0.1 jansson libpq libevent cmocka)
}

check_arrows() {
    # Without sanitizers: they bring symbols of their own.
    build_preset debug || return
    project_files | python3 tests/lint/arrows.py build/debug
}

check_lengths() {
    project_files | python3 tests/lint/lengths.py
}

check_shell() {
    shell_files | xargs -r -d '\n' shellcheck -x
}

check_python() {
    test_venv || return
    python_status=0
    project_files | grep '\.py$' | xargs -r -d '\n' "$TEST_VENV/bin/ruff" check --quiet || python_status=1
    project_files | grep '\.py$' | xargs -r -d '\n' "$TEST_VENV/bin/ruff" format --check --quiet --diff || python_status=1
    return "$python_status"
}

# What is kept of the page's script and style is what their sources make.
check_web() {
    web_bundle "$WEB/dist" && diff -r "$WEB/dist" web/dist
}

check_folders() {
    folders_status=0
    for folder in $FOLDERS; do
        # A folder without files is no folder yet.
        if project_files | grep -q "^$folder/" && [ ! -f "$folder/README.md" ]; then
            echo "$folder: no README.md"
            folders_status=1
        fi
    done
    project_files | grep '/README\.md$' | while IFS= read -r readme; do
        [ "$(wc -l <"$readme")" -le 60 ] || echo "$readme: more than 60 lines"
    done | grep . && folders_status=1
    # Split, so that this line does not find itself.
    project_files | grep -v '^tests/data/\|^tests/fuzz/corpus/' |
        xargs -r -d '\n' grep -nwIE 'TO''DO|FIX''ME|XX''X' && folders_status=1
    return "$folders_status"
}

run_check() {
    case $1 in
    format) check_format ;;
    shell) check_shell ;;
    python) check_python ;;
    lengths) check_lengths ;;
    folders) check_folders ;;
    web) check_web ;;
    headers) check_headers ;;
    arrows) check_arrows ;;
    cppcheck) check_cppcheck ;;
    tidy) check_tidy ;;
    *)
        echo "lint: no check named $1"
        return 2
        ;;
    esac
}

if ! c_files | grep -q .; then
    echo "lint: no sources here" >&2
    exit 1
fi
[ $# -gt 0 ] || set -- format shell python web lengths folders headers arrows cppcheck tidy
mkdir -p build/log
failed=0
for check in "$@"; do
    began=$(date +%s)
    log=build/log/lint-$check.log
    if run_check "$check" >"$log" 2>&1; then
        printf 'lint: ok    %-9s %3d s  %s\n' "$check" "$(($(date +%s) - began))" "$(tail -n 1 "$log")"
    else
        failed=1
        cat "$log"
        printf 'lint: FAIL  %-9s %3d s\n' "$check" "$(($(date +%s) - began))"
    fi
done
exit "$failed"
