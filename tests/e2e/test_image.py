"""The image of docker/Dockerfile, built for real and without an engine: it relays and checks its health.

Debian's buildah builds it in a chroot, on a base image that debootstrap makes; both want root. Packages come
from the mirror that PGSLEUTH_DEBIAN_MIRROR names, else Debian's own, through the proxy that apt uses.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from proxy import children_of, eventually
from server import Server, free_port
from test_compose import DOCKER, ROOT, stages_of

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(os.getuid() != 0, reason="buildah and debootstrap want root"),
]
MIRROR = os.environ.get("PGSLEUTH_DEBIAN_MIRROR") or "http://deb.debian.org/debian"
BUILD_S = 800
RUN_S = 60
IMAGE = "localhost/pgsleuth-under-test"


def environment() -> dict[str, str]:
    """That of the caller, with apt's proxy where it has one."""
    asked = ["apt-config", "dump", "--format", "%v%n", "Acquire::http::Proxy"]
    proxy = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=RUN_S).stdout.strip()
    given = {"http_proxy": proxy} if proxy and proxy != "DIRECT" else {}
    return {**given, **os.environ, "LC_ALL": "C.UTF-8"}


class Buildah:
    """With a storage of its own, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.words = [
            "buildah",
            f"--root={folder}/storage",
            f"--runroot={folder}/run",
            "--storage-driver=vfs",
        ]

    def __call__(self, *arguments: str, limit_s: float = RUN_S) -> str:
        done = subprocess.run(
            [*self.words, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=limit_s,
            env=environment(),
            cwd=ROOT,
        )
        assert done.returncode == 0, f"buildah {arguments[0]}: {done.stdout[-4000:]}{done.stderr[-4000:]}"
        return done.stdout.strip()

    def running(self, container: str, *words: str, **variables: str) -> list[str]:
        """The command line that runs these words in the container. It shares the network of this machine."""
        given = [f"--env={name}={value}" for name, value in variables.items()]
        return [*self.words, "run", "--isolation=chroot", *given, container, "--", *words]


def make_base(buildah: Buildah, name: str) -> None:
    root = buildah.folder / "base"
    done = subprocess.run(
        # What it mounts goes away with it.
        ["unshare", "--mount", "debootstrap", "--variant=minbase", "bookworm", str(root), MIRROR],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILD_S,
        env=environment(),
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    container = buildah("from", "scratch")
    buildah("add", "--quiet", container, str(root), "/", limit_s=BUILD_S)
    buildah("commit", "--quiet", container, f"docker.io/library/{name}", limit_s=BUILD_S)
    buildah("rm", container)
    shutil.rmtree(root)


@pytest.fixture(scope="module")
def buildah(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Buildah]:
    """With the image in its storage."""
    folder = tmp_path_factory.mktemp("image")
    folder.chmod(0o711)  # for the user of the image
    made = Buildah(folder)
    try:
        bases = {stage.last("FROM").partition(" ")[0] for stage in stages_of(DOCKER / "Dockerfile")}
        assert len(bases) == 1, bases
        make_base(made, bases.pop())
        # The format of Docker's own has the health check; that of OCI, buildah's default, has none.
        made(
            *("bud", "--isolation=chroot", "--pull-never", "--format=docker", "--tag", IMAGE),
            *("--file=docker/Dockerfile", "--ignorefile=docker/Dockerfile.dockerignore", "."),
            limit_s=BUILD_S,
        )
        yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def config(buildah: Buildah) -> dict[str, Any]:
    """What the image says of itself."""
    found = json.loads(buildah("inspect", "--type=image", IMAGE))["Docker"]["config"]
    assert isinstance(found, dict)
    return found


@pytest.fixture
def container(buildah: Buildah) -> Iterator[str]:
    name = buildah("from", "--pull-never", IMAGE)
    try:
        yield name
    finally:
        buildah("rm", name)


def descendants(pid: int) -> Iterator[int]:
    for child in children_of(pid):
        yield child
        yield from descendants(child)


def pgsleuth_below(pid: int) -> list[int]:
    """The relay itself, behind buildah's own processes."""
    found = []
    for child in descendants(pid):
        program, *words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
        found += [child] if program.endswith(b"/pgsleuth") and words[:1] == [b"run"] else []
    return found


@contextmanager
def started(
    buildah: Buildah, container: str, words: list[str], **variables: str
) -> Iterator[subprocess.Popen[bytes]]:
    with (buildah.folder / "log").open("wb") as log:
        process = subprocess.Popen(
            buildah.running(container, *words, **variables),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
        )
    try:
        yield process
    finally:
        for pid in pgsleuth_below(process.pid) if process.poll() is None else ():
            os.kill(pid, signal.SIGKILL)
        process.kill()
        process.wait(RUN_S)


def is_healthy(buildah: Buildah, container: str, check: list[str], **variables: str) -> bool:
    asked = buildah.running(container, *check, **variables)
    return subprocess.run(asked, capture_output=True, check=False, timeout=RUN_S, cwd=ROOT).returncode == 0


def test_image_says_how_it_runs_and_what_its_health_is(config: dict[str, Any]) -> None:
    assert (config["Entrypoint"], config["Cmd"]) == (["pgsleuth"], ["run"])
    assert config["Healthcheck"]["Test"] == ["CMD", "pgsleuth", "health"]
    assert set(config["ExposedPorts"]) == {"6432/tcp"}
    assert set(config["Volumes"]) == {config["WorkingDir"]} == {"/reports"}
    assert (config["User"], config["StopSignal"]) == ("pgsleuth", "SIGTERM")


def test_image_has_no_tools_and_a_folder_for_its_reports(buildah: Buildah, container: str) -> None:
    words = ["run", "--isolation=chroot", container, "--", "sh", "-c"]
    assert buildah(*words, "id -un; stat -c %U /reports; pwd").split() == ["pgsleuth", "pgsleuth", "/reports"]
    assert (
        buildah(*words, "for name in gcc cmake ninja; do command -v $name; done; ls /src 2>/dev/null; true")
        == ""
    )


def test_container_relays_a_query_is_healthy_and_leaves_a_report(
    buildah: Buildah, container: str, config: dict[str, Any], server: Server
) -> None:
    port = free_port()
    variables = {"PGSLEUTH_LISTEN": f"127.0.0.1:{port}", "PGSLEUTH_UPSTREAM": server.app.url()}
    check = config["Healthcheck"]["Test"][1:]
    log = buildah.folder / "log"
    assert not is_healthy(buildah, container, check, **variables), "nobody listens yet"
    with started(buildah, container, config["Entrypoint"] + config["Cmd"], **variables) as process:

        def healthy() -> bool:
            assert process.poll() is None, log.read_text(encoding="utf-8", errors="replace")
            return is_healthy(buildah, container, check, **variables)

        eventually("the container is healthy", healthy)
        target = server.app.at("127.0.0.1", port)
        asked = "SELECT name FROM people WHERE id = 7 /*method='GET',route='/people/{id}'*/"
        done = server.psql(target, "-A", "-t", "-c", asked)
        assert (done.returncode, done.stdout) == (0, "person 7\n"), done.stderr
        with psycopg.connect(**target.libpq()) as connection:
            assert connection.execute("SELECT count(*) FROM people").fetchone() == (100,)
        (pid,) = pgsleuth_below(process.pid)
        assert Path(f"/proc/{pid}/status").read_text("ascii").split("Uid:\t")[1].split("\t")[0] != "0"
        os.kill(pid, signal.Signals[config["StopSignal"]])
        assert process.wait(RUN_S) == 0, log.read_text(encoding="utf-8", errors="replace")
    # The volume stays with the container.
    shown = buildah("run", "--isolation=chroot", container, "--", "cat", "/reports/report.yaml")
    report = yaml.safe_load(shown)
    assert "GET /people/{id}" in {row["name"] for row in report["endpoints"]}
    assert report["coverage"]["opaque_sessions"] == 0
