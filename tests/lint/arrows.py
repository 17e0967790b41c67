"""The arrows of the architecture, checked in the sources and in the linked archives: arrows.py BUILD_DIR

    proxy -> report -> detectors -> wire -> common        proxy -> config -> common
    proxy -> http -> wire

Names of files come on standard input. #include lines say what a layer means to use, the undefined symbols of
its archive say what it does use; both are held against one table. BUILD_DIR holds a build without sanitizers.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from sources import files_from_stdin, includes


@dataclass(frozen=True)
class Layer:
    """A link target, the layers it may use, and the means it may use."""

    folder: str
    layers: frozenset[str]
    means: frozenset[str]

    @property
    def name(self) -> str:
        return self.folder.rpartition("/")[2]


def _layer(folder: str, layers: str, means: str) -> Layer:
    return Layer(folder, frozenset(layers.split()), frozenset(means.split()))


# uthash is macros: any layer may use it. Threads in common: the ring and the log know of them.
LAYERS = [
    _layer("common", "", "xxhash clock log threads"),
    _layer("wire", "common", "xxhash"),
    _layer("http", "wire common", "llhttp zlib"),
    _layer("detectors", "wire common", "xxhash"),
    _layer("detectors/facts", "wire common", "pg_query jansson"),
    _layer("detectors/advisor", "detectors wire common", "libpq jansson clock log threads sockets"),
    _layer("report", "detectors wire common", "jansson yaml"),
    _layer("config", "common", "yaml"),
    _layer(
        "proxy",
        "report config detectors facts advisor http wire common",
        "libevent openssl libpq jansson yaml xxhash clock log threads sockets stdout",
    ),
]
BY_NAME = {layer.name: layer for layer in LAYERS}

# libpq is for the advisor, the command line and what is checked before the start, URLs among it.
# The relay speaks the protocol itself.
NARROWER = {"proxy/": ("libpq", ("proxy/cli/", "proxy/upstream.c", "proxy/preflight.c"))}

HEADERS = {
    "libevent": re.compile(r"event2/|event\.h$|evhttp\.h$|evutil\.h$"),
    "openssl": re.compile(r"openssl/"),
    "libpq": re.compile(r"libpq|postgres|pg_config"),
    "pg_query": re.compile(r"pg_query"),
    "jansson": re.compile(r"jansson"),
    "yaml": re.compile(r"yaml\.h$"),
    "llhttp": re.compile(r"llhttp"),
    "xxhash": re.compile(r"xxh"),
    "zlib": re.compile(r"zlib\.h$"),
    "cmocka": re.compile(r"cmocka"),
    # <time.h> is no clock: struct tm and strftime are arithmetic. Its clocks are found as symbols.
    "clock": re.compile(r"sys/time\.h$|sys/timerfd\.h$|common/clock\.h$"),
    "log": re.compile(r"syslog\.h$|common/log\.h$"),
    "threads": re.compile(r"pthread\.h$|threads\.h$|semaphore\.h$"),
    # <arpa/inet.h> turns addresses into text and back, which the data source names need.
    "sockets": re.compile(r"sys/(socket|un|epoll|eventfd|select)\.h$|netdb\.h$|poll\.h$"),
}

SYMBOLS = {
    "libevent": re.compile(
        r"(event|evbuffer|evhttp|evtimer|evutil|evdns|evthread|evconnlistener|bufferevent)_"
    ),
    "openssl": re.compile(r"(SSL|TLS|EVP|X509|BIO|ERR|PEM|RAND|CRYPTO|OPENSSL)_"),
    "libpq": re.compile(r"PQ[a-z]"),
    "pg_query": re.compile(r"pg_query_"),
    "jansson": re.compile(r"json_(object|array|string|integer|real|true|null|dump|load|delete|pack|unpack)"),
    "llhttp": re.compile(r"llhttp_"),
    "yaml": re.compile(r"yaml_(parser|emitter|document|event|token|get_version)"),
    "xxhash": re.compile(r"XXH"),
    "zlib": re.compile(r"(deflate|inflate|compress|uncompress)[A-Z0-9_]*"),
    "clock": re.compile(
        r"(clock_gettime|clock_nanosleep|clock_monotonic_us|clock_wall_us|gettimeofday|timespec_get|time|times"
        r"|ftime|localtime|localtime_r|mktime|nanosleep|usleep|sleep)$"
    ),
    "log": re.compile(r"(log_line|log_set_level|log_set_drawn_line|syslog|vsyslog)$"),
    "threads": re.compile(r"(pthread|thrd)_create$"),
    "sockets": re.compile(
        r"(socket|socketpair|connect|bind|listen|accept4?|send|sendto|sendmsg|sendmmsg|recv|recvfrom|recvmsg"
        r"|recvmmsg|getaddrinfo|p?poll|p?select|epoll_\w+|eventfd)$"
    ),
    "stdout": re.compile(r"(v?printf|__v?printf_chk|puts|putchar|perror|stdout|stderr)$"),
}


_NM_LINE = re.compile(r"^(.+\.a):([^:\n]+):[0-9a-f ]* [A-Za-z] (\S+)$", re.MULTILINE)


def layer_of(path: str) -> Layer | None:
    inside = [layer for layer in LAYERS if path.startswith(layer.folder + "/")]
    return max(inside, key=lambda layer: len(layer.folder), default=None)


def means_of(table: dict[str, re.Pattern[str]], name: str) -> list[str]:
    return [means for means, pattern in table.items() if pattern.match(name)]


def may_include(layer: Layer, path: str, means: str) -> bool:
    if means not in layer.means:
        return False
    return not any(
        means == narrow and path.startswith(wide) and not path.startswith(only)
        for wide, (narrow, only) in NARROWER.items()
    )


def include_faults(path: str) -> list[str]:
    layer = layer_of(path)
    if layer is None:
        return []
    faults = []
    for line, mark, name in includes(path):
        where = f"{path}:{line}: "
        target = layer_of(name)
        if target is None and mark == '"':
            faults.append(f'{where}"{name}" is not written from the root of the project')
        elif target is not None and mark == "<":
            faults.append(f'{where}<{name}> is a header of the project: "{name}"')
        elif name.endswith(".c"):
            faults.append(f"{where}{name} is a source, not a header")
        if target is not None and target is not layer and target.name not in layer.layers:
            faults.append(f"{where}{layer.folder} may not use {target.folder} ({name})")
        faults += [
            f"{where}{layer.folder} may not use {means} ({name})"
            for means in means_of(HEADERS, name)
            if not may_include(layer, path, means)
        ]
    return faults


def nm(archives: dict[str, Path], *options: str) -> list[tuple[str, str, str]]:
    """(layer, object, symbol) of all archives."""
    command = ["nm", "-A", *options, *map(str, archives.values())]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    layers = {str(path): name for name, path in archives.items()}
    # Lines of another form are headings between archives.
    return [(layers[m[1]], m[2], m[3].partition("@")[0]) for m in _NM_LINE.finditer(output)]


def archive_faults(build: str) -> list[str]:
    archives = {layer.name: Path(build, f"libpgsleuth_{layer.name}.a") for layer in LAYERS}
    missing = [f"{archive} is not built" for archive in archives.values() if not archive.is_file()]
    if missing:
        return missing
    home = {symbol: name for name, _, symbol in nm(archives, "-g", "--defined-only")}
    faults = []
    for name, member, symbol in nm(archives, "-u"):
        layer = BY_NAME[name]
        where = f"{archives[name].name}({member}): {layer.folder} may not use "
        target = home.get(symbol, name)
        if target != name and target not in layer.layers:
            faults.append(f"{where}{BY_NAME[target].folder} ({symbol})")
        faults += [
            f"{where}{means} ({symbol})"
            for means in means_of(SYMBOLS, symbol)
            # A function of our own may be named like one of a library; the clock and the log are our own.
            if means not in layer.means and (symbol not in home or means in ("clock", "log"))
        ]
    return faults


def main() -> int:
    sources = files_from_stdin(".c", ".h", ".def")
    faults = [fault for path in sources for fault in include_faults(path)] + archive_faults(sys.argv[1])
    for fault in faults:
        print(fault)
    print(f"{len(LAYERS)} layers, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
