#!/bin/sh
# Run every fuzz target: fuzz.sh FOLDER_OF_PROGRAMS SECONDS, from the root of the project.
# The corpus in the tree is read, never written: new inputs go to build/fuzz-corpus/NAME, what crashes to
# build/fuzz-artifacts/NAME. Exit code 1 when any target failed, or when there is none.
set -u

fuzz_one() { # program seconds
    name=${1##*/fuzz_}
    found=build/fuzz-corpus/$name
    artifacts=build/fuzz-artifacts/$name
    log=build/log/fuzz-$name.log
    mkdir -p "$found" "$artifacts" build/log
    set -- "$1" -max_total_time="$2" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$artifacts/" "$found"
    [ ! -d "tests/fuzz/corpus/$name" ] || set -- "$@" "tests/fuzz/corpus/$name"
    [ ! -f "tests/fuzz/$name.dict" ] || set -- "$@" "-dict=tests/fuzz/$name.dict"
    "$@" >"$log" 2>&1
    status=$?
    runs=$(awk '/^stat::number_of_executed_units:/ { print $2 }' "$log")
    edges=$(awk '{ for (i = 1; i < NF; i++) if ($i == "cov:") n = $(i + 1) } END { print n }' "$log")
    if [ "$status" -eq 0 ]; then
        printf 'fuzz: ok    %-28s %10s executions  %6s edges covered\n' "$name" "${runs:-0}" "${edges:-0}"
        return 0
    fi
    tail -n 60 "$log"
    printf 'fuzz: FAIL  %-28s exit code %s; input in %s\n' "$name" "$status" "$artifacts"
    return 1
}

if [ "${1:-}" = --one ]; then
    fuzz_one "$2" "$3"
    exit
fi
programs=$(find "$1" -maxdepth 1 -type f -name 'fuzz_*' -perm -u+x | sort)
if [ -z "$programs" ]; then
    echo "fuzz: no target in $1" >&2
    exit 1
fi
printf '%s\n' "$programs" | xargs -d '\n' -P "$(nproc)" -I '{}' sh "$0" --one '{}' "$2" || exit 1
