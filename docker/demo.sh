#!/bin/sh
# The bookshop behind pgsleuth, under load, on this machine: a private PostgreSQL, pgsleuth, the application, locust.
# Leaves ./pgsleuth-report at the root of the project, and nothing else; cured, ./pgsleuth-report-cured.
#
# PGSLEUTH_BIN   the pgsleuth binary                  DEMO_SECONDS  how long the load lasts (40)
# PGSLEUTH_VENV  folder of the Python environment     DEMO_USERS    how many users locust plays (6)
# PG_BINDIR      folder of initdb and postgres; found by itself where Debian puts it
# DEMO_CURED     not empty: the same routes without their faults, and the index that was missing
set -u

ROOT=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
SECONDS_OF_LOAD=${DEMO_SECONDS:-40}
USERS=${DEMO_USERS:-6}
CURED=${DEMO_CURED:-}
REPORT=$ROOT/pgsleuth-report${CURED:+-cured}
work=''
started='' # "name:pid", the newest first; each is the leader of its own process group
password=''

fail() { # part reason
    echo "demo: $1 failed: $2; last lines of its log:"
    if [ -n "$work" ] && [ -s "$work/log/$1" ]; then
        tail -n 15 "$work/log/$1"
    fi
    exit 1
}

# POSIX sh has no process groups for background jobs, so each part gets a session of its own.
start() { # part command...
    start_name=$1
    shift
    setsid "$@" >>"$work/log/$start_name" 2>&1 </dev/null &
    started="$start_name:$! $started"
}

pid_of() { # part
    for entry in $started; do
        if [ "${entry%%:*}" = "$1" ]; then
            echo "${entry#*:}"
            return
        fi
    done
}

forget() { # part
    kept=''
    for entry in $started; do
        [ "${entry%%:*}" = "$1" ] || kept="$kept $entry"
    done
    started=$kept
}

alive() { kill -0 "$1" 2>/dev/null; }

# await PART SECONDS COMMAND...: until the command succeeds, while the part lives.
await() {
    await_name=$1
    await_tries=$(($2 * 10))
    shift 2
    until "$@" >/dev/null 2>&1; do
        alive "$(pid_of "$await_name")" || fail "$await_name" "it ended before it was ready"
        await_tries=$((await_tries - 1))
        [ "$await_tries" -gt 0 ] || fail "$await_name" "not ready in time"
        sleep 0.1
    done
}

# finish PART: wait for a part that ends by itself.
finish() {
    wait "$(pid_of "$1")"
    finish_status=$?
    forget "$1"
    [ "$finish_status" -eq 0 ] || fail "$1" "exit code $finish_status"
}

# stop PART SIGNAL SECONDS: returns the part's exit code, 124 when it had to be killed.
stop() {
    stop_pid=$(pid_of "$1")
    stop_tries=$(($3 * 10))
    forget "$1"
    [ -n "$stop_pid" ] || return 0
    kill -s "$2" "$stop_pid" 2>/dev/null
    while alive "$stop_pid" && [ "$stop_tries" -gt 0 ]; do
        sleep 0.1
        stop_tries=$((stop_tries - 1))
    done
    stop_status=124
    if ! alive "$stop_pid"; then
        wait "$stop_pid" 2>/dev/null
        stop_status=$?
    fi
    kill -s KILL -- "-$stop_pid" 2>/dev/null
    return "$stop_status"
}

cleanup() {
    status=$?
    trap '' INT TERM HUP
    trap - EXIT
    # SIGINT is PostgreSQL's fast shutdown; on SIGTERM it would wait for its clients.
    for entry in $started; do
        case $entry in
        postgres:*) stop postgres INT 10 ;;
        *) stop "${entry%%:*}" TERM 5 ;;
        esac
    done
    [ -z "$work" ] || rm -rf "$work"
    exit "$status"
}

need() { # part command...
    need_name=$1
    shift
    for tool in "$@"; do
        command -v "$tool" >/dev/null 2>&1 || fail "$need_name" "$tool is not installed"
    done
}

find_postgres() {
    for dir in "${PG_BINDIR:-}" /usr/lib/postgresql/15/bin "$(pg_config --bindir 2>/dev/null)" \
        /usr/lib/postgresql/*/bin; do
        if [ -n "$dir" ] && [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ] && [ -x "$dir/psql" ]; then
            echo "$dir"
            return
        fi
    done
    return 1
}

free_ports() {
    python3 -c '
import socket
held = [socket.socket() for _ in range(3)]
for s in held:
    s.bind(("127.0.0.1", 0))
print(*(s.getsockname()[1] for s in held))'
}

port_open() {
    python3 -c 'import socket, sys; socket.create_connection(("127.0.0.1", int(sys.argv[1])), 1).close()' "$1"
}

http_ok() {
    python3 -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=2)' "$1"
}

sql() { # role database
    PGPASSWORD=$password "$pgbin/psql" -X -q -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$pgport" -U "$1" -d "$2" \
        >>"$work/log/postgres" 2>&1
}

make_database() {
    install -d -m 0700 "$work/pg"
    # The server refuses to run as root.
    if [ "$(id -u)" -eq 0 ]; then
        server_user=postgres
        id "$server_user" >/dev/null 2>&1 || server_user=nobody
        need postgres setpriv
        chown "$server_user" "$work/pg"
        set -- setpriv --reuid "$server_user" --regid "$(id -g "$server_user")" --clear-groups
    else
        set --
    fi
    printf '%s\n' "$password" >"$work/pg/password"
    chmod 0644 "$work/pg/password" # its folder is the server's alone
    # In the temporary folder: the server's user may not enter the current one.
    (cd "$work" && "$@" "$pgbin/initdb" -D "$work/pg/data" -U admin -A scram-sha-256 \
        --pwfile="$work/pg/password" -E UTF8 --locale=C --no-sync) >"$work/log/postgres" 2>&1 ||
        fail postgres "initdb: exit code $?"
    rm -f "$work/pg/password"
    start postgres "$@" "$pgbin/postgres" -D "$work/pg/data" -k "$work/pg" -p "$pgport" \
        -c listen_addresses=127.0.0.1 -c fsync=off -c full_page_writes=off -c max_connections=60 \
        -c shared_buffers=128MB
    await postgres 30 "$pgbin/pg_isready" -q -h 127.0.0.1 -p "$pgport"
    # hypopg lets index advice be tried out; the demo works without.
    sql admin postgres <<SQL || fail postgres "the database could not be made"
CREATE ROLE demo LOGIN PASSWORD '$password';
CREATE DATABASE bookshop OWNER demo;
\\connect bookshop
SELECT 'CREATE EXTENSION hypopg' FROM pg_available_extensions WHERE name = 'hypopg' \\gexec
SQL
    sql demo bookshop <"$ROOT/docker/app/seed.sql" || fail postgres "the seed: exit code $?"
    [ -z "$CURED" ] || echo 'CREATE INDEX ON orders (customer_email, placed_at)' | sql demo bookshop ||
        fail postgres "the index: exit code $?"
}

trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

[ -n "${PGSLEUTH_BIN:-}" ] || fail setup "PGSLEUTH_BIN is not set"
[ -n "${PGSLEUTH_VENV:-}" ] || fail setup "PGSLEUTH_VENV is not set"
[ -x "$PGSLEUTH_BIN" ] || fail setup "$PGSLEUTH_BIN is not a program"
case $SECONDS_OF_LOAD$USERS in
*[!0-9]*) fail setup "DEMO_SECONDS and DEMO_USERS are whole numbers" ;;
esac
need setup python3 setsid install sha256sum
pgbin=$(find_postgres) || fail setup "no PostgreSQL server programs found; set PG_BINDIR"
# Parts run in other folders.
PGSLEUTH_BIN=$(CDPATH='' cd -- "$(dirname -- "$PGSLEUTH_BIN")" && pwd)/${PGSLEUTH_BIN##*/}
case $PGSLEUTH_VENV in
/*) ;;
*) PGSLEUTH_VENV=$PWD/$PGSLEUTH_VENV ;;
esac

work=$(mktemp -d "${TMPDIR:-/tmp}/pgsleuth-demo.XXXXXX") || exit 1
chmod 0711 "$work"
mkdir -m 0700 "$work/log" "$work/report"
password=$(python3 -c 'import secrets; print(secrets.token_hex(16))')
ports=$(free_ports) || fail setup "no free port"
pgport=${ports%% *}
appport=${ports##* }
proxyport=${ports#* }
proxyport=${proxyport%% *}

echo "demo: Python environment in $PGSLEUTH_VENV"
start venv sh "$ROOT/docker/venv.sh" "$PGSLEUTH_VENV"
finish venv

echo "demo: PostgreSQL on port $pgport, with the bookshop's rows"
make_database

echo "demo: pgsleuth on port $proxyport"
# Its summary, on stdout, is for the user; its log is a part's log like the others. pgsleuth refuses variables of
# its prefix that it does not know, and these two are ours.
# shellcheck disable=SC2016 # that shell expands them
start pgsleuth sh -c 'out=$1; shift; exec "$@" >"$out"' sh "$work/summary" \
    env -u PGSLEUTH_BIN -u PGSLEUTH_VENV "$PGSLEUTH_BIN" run --listen "127.0.0.1:$proxyport" \
    --upstream "postgresql://demo:$password@127.0.0.1:$pgport/bookshop" \
    --report-dir "$work/report" --output "$work/report/report.html" --capture "$work/capture"
await pgsleuth 15 port_open "$proxyport"

echo "demo: application on port $appport"
# In its own folder: tags name files relative to the current one.
start app env -C "$ROOT/docker/app" "DATABASE_URL=postgresql://demo:$password@127.0.0.1:$proxyport/bookshop" \
    PYTHONDONTWRITEBYTECODE=1 "BOOKSHOP_CURED=$CURED" "$PGSLEUTH_VENV/bin/uvicorn" app.main:app \
    --host 127.0.0.1 --port "$appport" --log-level warning
await app 30 http_ok "http://127.0.0.1:$appport/healthz"

echo "demo: $USERS users for $SECONDS_OF_LOAD seconds"
start locust env PYTHONDONTWRITEBYTECODE=1 "$PGSLEUTH_VENV/bin/locust" -f "$ROOT/docker/app/locustfile.py" \
    --headless --only-summary --users "$USERS" --spawn-rate "$USERS" --run-time "${SECONDS_OF_LOAD}s" \
    --host "http://127.0.0.1:$appport"
finish locust

stop app TERM 15
app_status=$?
# Ended by the signal we sent is a good end too.
case $app_status in
0 | 143) ;;
*) fail app "exit code $app_status when it was stopped" ;;
esac
stop pgsleuth TERM 30
proxy_status=$?
[ "$proxy_status" -eq 0 ] || fail pgsleuth "exit code $proxy_status when it was stopped"
[ -s "$work/report/report.yaml" ] || fail pgsleuth "it left no report.yaml"

rm -rf "$REPORT"
cp -R "$work/report" "$REPORT" || fail report "it could not be copied to $REPORT"
chmod 0755 "$REPORT"
grep -v "^report: " "$work/summary" # it names the temporary folder
echo "page: $REPORT/report.html"
echo "report: $REPORT/report.yaml"
