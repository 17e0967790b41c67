# Sourced by dev: the stages of `./dev test`. Every stage runs, whatever became of those before it.
# shellcheck shell=sh

RESULTS=$ROOT/build/test-results

# stage NAME COMMAND...: run it, tell how it went and how long it took; what it printed is shown when it failed.
stage() {
    stage_name=$1
    shift
    stage_log=build/log/stage-$stage_name.log
    stage_began=$(date +%s)
    echo "==> $stage_name"
    # A subshell: no stage changes the folder, the variables or the end of another.
    if ("$@") >"$stage_log" 2>&1; then
        echo ok >"$RESULTS/$stage_name.stage"
        stage_word=ok
    else
        echo failed >"$RESULTS/$stage_name.stage"
        stage_word=FAILED
        tail -n 400 "$stage_log"
        echo "whole log: $stage_log"
    fi
    echo "<== $stage_name $stage_word, $(($(date +%s) - stage_began)) s"
}

# ThreadSanitizer of gcc 12 dies at start where the kernel randomises more bits than it knows.
# Containers may forbid to turn that off; they then run as they are.
without_aslr() {
    if setarch -R true 2>/dev/null; then
        setarch -R "$@"
    else
        "$@"
    fi
}

# sanitized NAME COMMAND...: reports go to files, so that one of a process that nobody looks at fails the stage
# too. A test that provokes a crash on purpose gives its process other options.
sanitized() {
    sanitized_dir=$RESULTS/sanitizer-$1
    shift
    mkdir "$sanitized_dir"
    chmod 1777 "$sanitized_dir" # whoever a test makes pgsleuth run as
    ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:log_path=$sanitized_dir/asan
    UBSAN_OPTIONS=print_stacktrace=1:log_path=$sanitized_dir/ubsan
    TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:log_path=$sanitized_dir/tsan
    export ASAN_OPTIONS UBSAN_OPTIONS TSAN_OPTIONS
    sanitized_status=0
    without_aslr "$@" || sanitized_status=$?
    for report in "$sanitized_dir"/*; do
        [ -s "$report" ] || continue
        sanitized_status=1
        echo "--- ${report##*/}"
        cat "$report"
    done
    return "$sanitized_status"
}

# A program that runs a command beside a private PostgreSQL, for the tests that want one.
WITH_SERVER=$ROOT/tests/e2e/with_server.py

unit_tests() { # preset
    build_preset "$1" &&
        test_venv &&
        sanitized "unit-$1" "$TEST_VENV/bin/python" "$WITH_SERVER" ctest --test-dir "build/$1" -j "$JOBS" \
            --output-on-failure --no-tests=error --output-junit "$RESULTS/unit-$1.xml"
}

e2e_tests() { # preset seconds markers
    build_preset "$1" &&
        test_venv &&
        tags_venv &&
        companions_venv &&
        postgresql_18 &&
        sarif_schema &&
        web_tools &&
        docker/venv.sh "$DEMO_VENV" &&
        sanitized "e2e-$1" timeout "$2" env PGSLEUTH_BIN="$ROOT/build/$1/pgsleuth" PGSLEUTH_VENV="$DEMO_VENV" \
            PGSLEUTH_TAGS_VENV="$TAGS_VENV" PGSLEUTH_COMPANIONS_VENV="$COMPANIONS_VENV" \
            "$TEST_VENV/bin/python" -m pytest tests/e2e -q -ra -p no:cacheprovider -m "$3" \
            -n "$JOBS" --dist loadfile \
            --junitxml="$RESULTS/e2e-$1.xml"
}

python_tests() {
    test_venv &&
        cd python &&
        "$TEST_VENV/bin/python" "$WITH_SERVER" "$TEST_VENV/bin/python" -m pytest -q -ra -p no:cacheprovider --junitxml="$RESULTS/python.xml"
}

companion_tests() { # markers
    build_preset asan &&
        companions_venv &&
        cd python/companions &&
        sanitized companions timeout 1800 env PGSLEUTH_BIN="$ROOT/build/asan/pgsleuth" "$COMPANIONS_VENV/bin/python" \
            "$WITH_SERVER" "$COMPANIONS_VENV/bin/python" -m pytest -q -ra -p no:cacheprovider -m "$1" \
            --junitxml="$RESULTS/companions.xml"
}

# The drivers' own tests, from what PyPI has of them.
suite_tests() {
    build_preset asan &&
        test_venv &&
        sanitized suites timeout 7200 env PGSLEUTH_BIN="$ROOT/build/asan/pgsleuth" \
            "$TEST_VENV/bin/python" -m pytest tests/suites -q -ra -p no:cacheprovider \
            --junitxml="$RESULTS/suites.xml"
}

lint_tests() {
    test_venv &&
        cd tests/lint &&
        "$TEST_VENV/bin/python" -m pytest -q -ra -p no:cacheprovider --junitxml="$RESULTS/lint-itself.xml" .
}

run_stages() { # '' or --long
    if [ "$1" = --long ]; then
        markers=''
        thread_markers=threads
        fuzz_seconds=120
        e2e_seconds=7200
        export PGSLEUTH_LONG=1
    else
        markers='not long'
        thread_markers='threads and not long'
        fuzz_seconds=30
        e2e_seconds=1500 # a test that hangs must not outlive the caller's patience
    fi
    rm -rf "$RESULTS"
    mkdir -p "$RESULTS" build/log
    export PYTHONDONTWRITEBYTECODE=1
    stage lint sh tests/lint/lint.sh
    stage lint-itself lint_tests
    stage unit-asan unit_tests asan
    stage unit-tsan unit_tests tsan
    stage build-clang build_preset clang
    stage build-release build_preset release
    stage e2e-asan e2e_tests asan "$e2e_seconds" "$markers"
    stage e2e-tsan e2e_tests tsan "$e2e_seconds" "$thread_markers"
    stage python python_tests
    stage companions companion_tests "$markers"
    [ "$1" != --long ] || stage suites suite_tests
    stage fuzz run_fuzz "$fuzz_seconds"
    python3 tests/lint/summary.py "$RESULTS"
}
