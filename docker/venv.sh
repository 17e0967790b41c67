#!/bin/sh
# The Python environment of the demo: its requirements, the load generator's and the tag helper of this tree.
# Source it for demo_venv, or run it: docker/venv.sh DIR

# demo_venv ROOT DIR: make DIR a virtual environment. Nothing is done when it is one of these requirements already.
demo_venv() {
    demo_venv_root=$1
    demo_venv_dir=$2
    demo_venv_app=$demo_venv_root/docker/app
    demo_venv_want=$(
        {
            python3 -c 'import sys; print(sys.version, sys.base_prefix)' &&
                cat "$demo_venv_app"/requirements*.txt &&
                cd "$demo_venv_root" && find python/src python/pyproject.toml \
                    -type f ! -name '*.pyc' -exec sha256sum {} + | sort
        } | sha256sum
    ) || return 1
    if [ -x "$demo_venv_dir/bin/python" ] && [ "$(cat "$demo_venv_dir/.stamp" 2>/dev/null)" = "$demo_venv_want" ]; then
        return 0
    fi
    # --clear empties the folder: never one that holds something else.
    if [ -d "$demo_venv_dir" ] && [ ! -f "$demo_venv_dir/pyvenv.cfg" ] && [ -n "$(ls -A "$demo_venv_dir")" ]; then
        echo "$demo_venv_dir is not a virtual environment and not empty" >&2
        return 1
    fi
    rm -f "$demo_venv_dir/.stamp" &&
        python3 -m venv --clear "$demo_venv_dir" &&
        "$demo_venv_dir/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
            -r "$demo_venv_app/requirements.txt" -r "$demo_venv_app/requirements-load.txt" \
            -r "$demo_venv_app/requirements-build.txt" &&
        "$demo_venv_dir/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
            --no-build-isolation --no-deps "$demo_venv_root/python" &&
        printf '%s\n' "$demo_venv_want" >"$demo_venv_dir/.stamp"
}

case ${0##*/} in
venv.sh)
    if [ $# -ne 1 ]; then
        echo "usage: venv.sh DIR" >&2
        exit 2
    fi
    demo_venv "$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)" "$1"
    ;;
esac
