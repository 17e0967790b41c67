#!/bin/sh
# Install Debian packages, as root: install.sh PACKAGE...
# PostgreSQL's packages make and start a cluster, pgbouncer's a service. The tests start their own, so here both are
# held back for as long as this script runs, and later installations on the same machine behave as ever.
set -eu

policy=/usr/sbin/policy-rc.d
clusters=/etc/postgresql-common/createcluster.d
log=$(mktemp)
made=''

cleanup() {
    status=$?
    # shellcheck disable=SC2086 # fixed paths without spaces
    rm -f "$log" $made
    exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

logged() {
    "$@" >"$log" 2>&1 && return 0
    cat "$log" >&2
    return 1
}

mkdir -p "$clusters"
made=$clusters/zz-pgsleuth-setup.conf
echo 'create_main_cluster = false' >"$made"
if [ ! -e "$policy" ]; then
    made="$made $policy"
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 0755 "$policy"
fi

export DEBIAN_FRONTEND=noninteractive
logged apt-get -qq update
logged apt-get -qq install --yes --no-install-recommends "$@"

# Not at the next boot either.
case " $* " in
*" pgbouncer "*)
    if command -v systemctl >/dev/null; then
        systemctl disable pgbouncer.service >/dev/null 2>&1 || :
    fi
    ;;
esac
