"""docker/: the compose file, the Dockerfiles and the binary say the same. No container engine is needed."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from proxy import StartProxy, binary, run_command
from server import free_port

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
DEMO_VENV = Path(os.environ.get("PGSLEUTH_VENV") or ROOT / "build/demo-venv")
SERVICES = {"postgres", "pgsleuth", "app", "locust"}
POSTGRES_PORT = 5432  # of the official image, and the one that libpq takes
LOCUST_VARIABLES = (
    "from locust.argument_parser import get_parser;"
    "print(*(a.env_var for a in get_parser()._actions if getattr(a, 'env_var', None)))"
)
NOT_OURS = {".git", "build", "__pycache__", "pgsleuth-report"}
VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


# --- reading ---


@dataclass
class Stage:
    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def all(self, word: str) -> list[str]:
        return [rest for step, rest in self.steps if step == word]

    def last(self, word: str) -> str:
        found = self.all(word)
        assert found, f"{self.name} has no {word}"
        return found[-1]

    def environment(self) -> dict[str, str]:
        pairs = [pair.partition("=") for rest in self.all("ENV") for pair in shlex.split(rest)]
        return {name: value for name, _, value in pairs}

    def packages(self) -> set[str]:
        """What apt-get installs."""
        found = set()
        for rest in self.all("RUN"):
            for command in rest.split("&&"):
                words = command.split()
                if words[:2] == ["apt-get", "install"]:
                    found |= {word for word in words[2:] if not word.startswith("-")}
        return found


def stages_of(dockerfile: Path) -> list[Stage]:
    text = dockerfile.read_text(encoding="utf-8").replace("\\\n", " ")
    stages: list[Stage] = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        word, _, rest = line.partition(" ")
        if word == "FROM":
            stages.append(Stage(rest.partition(" AS ")[2]))
        stages[-1].steps.append((word, " ".join(rest.split())))
    return stages


def interpolate(value: Any, environment: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: interpolate(item, environment) for key, item in value.items()}
    if isinstance(value, list):
        return [interpolate(item, environment) for item in value]
    if isinstance(value, str):
        return VARIABLE.sub(lambda found: environment.get(found[1], found[2] or ""), value)
    return value


def raw_compose() -> dict[str, Any]:
    loaded = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


@pytest.fixture(
    params=[{}, {"DEMO_PASSWORD": "other1", "DEMO_PORT": "7000", "DEMO_APP_PORT": "7001", "DEMO_USERS": "3"}],
    ids=["defaults", "variables"],
)
def services(request: pytest.FixtureRequest) -> dict[str, Any]:
    found = interpolate(raw_compose()["services"], request.param)
    assert isinstance(found, dict)
    return found


def final_stage(service: dict[str, Any]) -> Stage:
    stages = stages_of(ROOT / service["build"]["dockerfile"])
    target = service["build"].get("target")
    return next(stage for stage in stages if stage.name == target) if target else stages[-1]


IMAGE = stages_of(DOCKER / "Dockerfile")


# --- services ---


def test_services_are_the_database_the_proxy_the_application_and_the_load() -> None:
    assert set(raw_compose()["services"]) == SERVICES


def test_each_part_waits_for_the_one_it_talks_to(services: dict[str, Any]) -> None:
    waits = {name: set(service.get("depends_on", ())) for name, service in services.items()}
    assert waits == {"postgres": set(), "pgsleuth": {"postgres"}, "app": {"pgsleuth"}, "locust": {"app"}}


def test_what_is_waited_for_has_a_health_check(services: dict[str, Any]) -> None:
    for service in services.values():
        for name, wait in service.get("depends_on", {}).items():
            assert wait == {"condition": "service_healthy"}
            other = services[name]
            assert "healthcheck" in other or final_stage(other).all("HEALTHCHECK"), name


def test_application_talks_to_the_proxy_and_the_proxy_to_the_database(services: dict[str, Any]) -> None:
    database = services["postgres"]["environment"]
    login = (database["POSTGRES_USER"], database["POSTGRES_PASSWORD"], "/" + database["POSTGRES_DB"])
    upstream = urlsplit(services["pgsleuth"]["environment"]["PGSLEUTH_UPSTREAM"])
    url = urlsplit(services["app"]["environment"]["DATABASE_URL"])
    assert (upstream.hostname, upstream.port) == ("postgres", POSTGRES_PORT)
    assert (url.hostname, url.port) == ("pgsleuth", listen_port())
    for address in (upstream, url):
        assert (address.username, address.password, address.path) == login
    assert services["locust"]["environment"]["LOCUST_HOST"] == f"http://app:{app_port(services)}"


def test_health_check_of_the_database_asks_by_tcp_as_the_role(services: dict[str, Any]) -> None:
    """While the seed runs the server listens on its socket only."""
    kind, *command = services["postgres"]["healthcheck"]["test"]
    assert (kind, command[0]) == ("CMD", "pg_isready")
    database = services["postgres"]["environment"]
    for option, value in (
        ("-h", "127.0.0.1"),
        ("-U", database["POSTGRES_USER"]),
        ("-d", database["POSTGRES_DB"]),
    ):
        assert command[command.index(option) + 1] == value


# --- ports ---


def listen_port() -> int:
    return int(IMAGE[-1].environment()["PGSLEUTH_LISTEN"].rpartition(":")[2])


def app_port(services: dict[str, Any]) -> int:
    return int(final_stage(services["app"]).last("EXPOSE"))


def test_published_ports_are_the_exposed_ones_on_loopback(services: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert set(published) == {"pgsleuth", "app"}
    for name, ports in published.items():
        for port in ports:
            address, outside, inside = port.split(":")
            assert address == "127.0.0.1", name
            assert outside.isdigit(), port
            assert inside == final_stage(services[name]).last("EXPOSE"), name


def test_image_exposes_what_it_listens_on_beyond_loopback() -> None:
    listen = IMAGE[-1].environment()["PGSLEUTH_LISTEN"]
    assert listen == f"0.0.0.0:{IMAGE[-1].last('EXPOSE')}"


def test_application_listens_where_its_image_exposes(services: dict[str, Any]) -> None:
    command = json.loads(final_stage(services["app"]).last("CMD"))
    assert command[command.index("--port") + 1] == str(app_port(services))
    assert command[command.index("--host") + 1] == "0.0.0.0"  # noqa: S104 # inside of its container
    assert f"127.0.0.1:{app_port(services)}/healthz" in final_stage(services["app"]).last("HEALTHCHECK")


# --- mounts ---


def mounts(services: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    for name, service in services.items():
        for mount in service.get("volumes", ()):
            source, target, *mode = mount.split(":")
            yield name, source, target, mode[0] if mode else ""


def test_mounted_files_exist_and_are_not_written(services: dict[str, Any]) -> None:
    bound = [mount for mount in mounts(services) if mount[1].startswith(".")]
    assert [(name, target) for name, _, target, _ in bound] == [
        ("postgres", "/docker-entrypoint-initdb.d/seed.sql")
    ]
    for _, source, _, mode in bound:
        assert (DOCKER / source).is_file(), source
        assert mode == "ro"


def test_volumes_are_declared_and_hold_the_reports(services: dict[str, Any]) -> None:
    named = [mount for mount in mounts(services) if not mount[1].startswith(".")]
    assert [name for name, *_ in named] == ["pgsleuth"]
    assert {source for _, source, _, _ in named} == set(raw_compose()["volumes"])
    image = IMAGE[-1]
    assert {target for _, _, target, _ in named} == {image.last("VOLUME")}
    assert image.environment()["PGSLEUTH_REPORT_DIR"] == image.last("VOLUME") == image.last("WORKDIR")
    # A volume takes the owner of the folder it covers for the first time.
    owner = re.search(r"install -d -o (\w+) -g (\w+) (\S+)", " ".join(image.all("RUN")))
    assert owner is not None
    assert owner.groups() == (image.last("USER"), image.last("USER"), image.last("VOLUME"))


# --- against the binary ---


def variables_of(command: str) -> set[str]:
    return set(re.findall(r"\bPGSLEUTH_[A-Z0-9_]+\b", run_command(command, "--help").stdout))


def test_variables_of_image_and_service_are_options(services: dict[str, Any]) -> None:
    ours = {*IMAGE[-1].environment(), *services["pgsleuth"]["environment"]}
    assert ours == {"PGSLEUTH_LISTEN", "PGSLEUTH_REPORT_DIR", "PGSLEUTH_UPSTREAM"}
    assert ours <= variables_of("run")


def test_image_runs_and_checks_by_commands_of_the_binary() -> None:
    image = IMAGE[-1]
    (program,) = json.loads(image.last("ENTRYPOINT"))
    (default,) = json.loads(image.last("CMD"))
    check = json.loads(image.last("HEALTHCHECK").partition("CMD ")[2])
    assert check == [program, "health"]
    assert any(rest.endswith(f"/usr/local/bin/{program}") for rest in image.all("COPY"))
    for command in (default, check[1]):
        assert run_command(command, "--help").returncode == 0
    assert "PGSLEUTH_LISTEN" in variables_of("health"), "the check has no arguments"
    assert image.last("STOPSIGNAL") == "SIGTERM"
    assert image.last("USER") not in ("root", "0")


def test_health_check_knows_by_the_environment_alone_where_to_ask(pgsleuth: StartProxy) -> None:
    listen = IMAGE[-1].environment()["PGSLEUTH_LISTEN"]
    port = free_port()
    proxy = pgsleuth(listen=listen.replace(str(listen_port()), str(port)))
    asked = {"PGSLEUTH_LISTEN": proxy.listen}
    assert run_command("health", env=asked).returncode == 0
    proxy.stop()
    assert run_command("health", env=asked).returncode != 0


@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="the image is Debian's")
def test_image_has_the_libraries_of_the_binary() -> None:
    """All that the binary is linked with, but for what every Debian has and the sanitizers."""
    shown = subprocess.run(
        ["ldd", str(binary())], capture_output=True, text=True, check=True, env={"PATH": "/usr/bin:/bin"}
    ).stdout
    needed = subprocess.run(
        ["readelf", "-d", str(binary())], capture_output=True, text=True, check=True
    ).stdout
    wanted = set()
    for name in re.findall(r"Shared library: \[(.*?)\]", needed):
        path = re.search(rf"{re.escape(name)} => (\S+)", shown)
        assert path is not None, name
        wanted |= owners_of(Path(path[1]))
    wanted -= {"libc6", "libasan8", "libubsan1", "libtsan2", "libgcc-s1"}
    assert wanted == IMAGE[-1].packages() - {"ca-certificates"}


def owners_of(library: Path) -> set[str]:
    for path in (library, library.resolve(), Path("/usr") / library.relative_to("/")):
        done = subprocess.run(
            ["dpkg-query", "-S", str(path)], capture_output=True, text=True, check=False, timeout=60
        )
        if done.returncode == 0:
            return {line.partition(":")[0] for line in done.stdout.splitlines()}
    raise AssertionError(f"no package has {library}")


# --- what the builder is sent ---


def is_sent(path: str, rules: list[str]) -> bool:
    """As Docker reads an ignore file: the last rule that matches the path, or a folder it is in, wins."""
    sent = True
    parts = path.split("/")
    heads = ["/".join(parts[: n + 1]) for n in range(len(parts))]
    for rule in rules:
        pattern = rule.lstrip("!").removeprefix("**/")
        names = parts if rule.lstrip("!").startswith("**/") else heads
        if any(fnmatch.fnmatchcase(name, pattern) for name in names):
            sent = rule.startswith("!")
    return sent


def rules_beside(dockerfile: Path) -> list[str]:
    text = dockerfile.with_name(dockerfile.name + ".dockerignore").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def sent_files(dockerfile: Path) -> set[str]:
    rules = rules_beside(dockerfile)
    found = set()
    for folder, inner, names in os.walk(ROOT):
        inner[:] = [name for name in inner if name not in NOT_OURS and not name.endswith("_cache")]
        found |= {str((Path(folder) / name).relative_to(ROOT)) for name in names}
    return {path for path in found if is_sent(path, rules)}


@pytest.mark.parametrize("dockerfile", [DOCKER / "Dockerfile", DOCKER / "app/Dockerfile"], ids=str)
def test_what_is_copied_into_an_image_is_there_and_sent(dockerfile: Path) -> None:
    sent = sent_files(dockerfile)
    for stage in stages_of(dockerfile):
        for rest in stage.all("COPY"):
            if rest.startswith("--from="):
                continue
            *sources, _ = rest.split()
            for source in sources:
                assert any(source in (path, ".") or path.startswith(source + "/") for path in sent), source


def test_every_layer_of_the_build_is_sent() -> None:
    """Each folder that CMakeLists.txt makes a layer of, and nothing of the tests."""
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    folders = {
        found[2] or found[1] for found in re.finditer(r"^pgsleuth_layer\((\w+)(?: IN (\S+))?", text, re.M)
    }
    assert folders
    sent = sent_files(DOCKER / "Dockerfile")
    for folder in folders:
        sources = {str(path.relative_to(ROOT)) for path in (ROOT / folder).rglob("*.[ch]")}
        assert sources, folder
        assert sources <= sent, folder
    assert {"CMakeLists.txt", "CMakePresets.json", "LICENSE"} <= sent
    assert not any(path.startswith(("tests/", "build/", "docker/", "python/")) for path in sent)


def test_build_stage_has_the_packages_of_the_build() -> None:
    """Those that ./dev installs, but for what only tests and the demo want; and none of them is forgotten."""
    found = re.search(r'^BUILD_PACKAGES="(.*?)"', (ROOT / "dev").read_text(encoding="utf-8"), re.M | re.S)
    assert found is not None
    ours = set(found[1].split())
    tests = {"postgresql-15", "postgresql-client-15", "python3", "python3-venv", "libcmocka-dev"}
    assert tests <= ours
    assert IMAGE[0].packages() == ours - tests
    assert "-DPGSLEUTH_TESTS=OFF" in " ".join(IMAGE[0].all("RUN"))


# --- what people may set ---


def test_readme_has_each_variable_with_its_default() -> None:
    text = (DOCKER / "compose.yaml").read_text(encoding="utf-8")
    ours = dict(VARIABLE.findall(text))
    told = {}
    for row in re.findall(
        r"^\| (`DEMO_.*?) \|.*\| (.*?) \|$", (DOCKER / "README.md").read_text("utf-8"), re.M
    ):
        told.update(zip(re.findall(r"`(\w+)`", row[0]), re.findall(r"`(\w+)`", row[1])))
    assert told == ours


def test_variables_of_the_load_are_options_of_locust(services: dict[str, Any]) -> None:
    done = subprocess.run(
        [str(DEMO_VENV / "bin/python"), "-c", LOCUST_VARIABLES],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert set(services["locust"]["environment"]) <= set(done.stdout.split())
