"""What `deploy/` has, as far as it can be looked at without an engine that runs it."""

import configparser
import re
import shlex
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import helm_python
import pytest
import yaml

from syncline.server.settings import PREFIX, gather

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"

ALL_VALUES = {
    "grpcPort": 9090,
    "bus": "nats://nats:4222",
    "settings": {"trusted_proxies": "10.0.0.0/8,192.168.0.0/16"},
    "ingress": {"enabled": True, "className": "nginx", "tlsSecret": "tls", "annotations": {"a": "b"}},
}


def settings_of(environment):
    """What a server makes of these variables; a name that is no setting would be passed over there, and fails here."""
    known = {PREFIX + name.upper() for name in gather(file=None, environment={}, flags={})[0].__struct_fields__}
    assert {name for name in environment if name.startswith(PREFIX)} <= known
    return gather(file=None, environment=environment, flags={})[0]


# The chart


@pytest.fixture(scope="module")
def chart():
    return helm_python.Chart.load(str(DEPLOY / "helm"))


def rendered(chart, values):
    """The manifests of a release, by kind."""
    texts = chart.render(values, name="notes", namespace="prod")
    manifests = [yaml.safe_load(text) for name, text in texts.items() if name.endswith(".yaml")]
    return {manifest["kind"]: manifest for manifest in manifests if manifest}


@pytest.mark.parametrize("values", [{}, {"replicas": 1}, ALL_VALUES], ids=["plain", "one", "all"])
def test_the_chart_makes_manifests_that_name_each_other(chart, values):
    manifests = rendered(chart, values)
    pod, service = manifests["Deployment"]["spec"]["template"], manifests["Service"]
    assert service["spec"]["selector"] == pod["metadata"]["labels"]
    ports = {port["name"] for port in pod["spec"]["containers"][0]["ports"]}
    assert {port["targetPort"] for port in service["spec"]["ports"]} == ports
    assert ("Ingress" in manifests) == (values is ALL_VALUES)
    assert ("PodDisruptionBudget" in manifests) == (values != {"replicas": 1})


def test_what_the_chart_sets_are_settings(chart):
    container = rendered(chart, ALL_VALUES)["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    environment = {each["name"]: each.get("value", "postgresql://u:p@db/syncline") for each in container["env"]}
    settings = settings_of(environment)
    assert settings.trusted_proxies == ("10.0.0.0/8", "192.168.0.0/16")
    assert (settings.bus, settings.grpc_port) == ("nats://nats:4222", 9090)


def test_pods_have_no_rights_and_time_to_end(chart):
    pod = rendered(chart, {"drainSeconds": 20, "shutdownSeconds": 30})["Deployment"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["terminationGracePeriodSeconds"] > 20 + 30


@pytest.mark.parametrize("values", [{"replicas": 0}, {"bus": "redis://x"}, {"replica": 3}, {"grpcPort": -1}])
def test_values_that_mean_nothing_are_refused(chart, values):
    with pytest.raises(helm_python.HelmError):
        rendered(chart, values)


# Compose


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def test_what_the_compose_file_sets_are_settings(compose):
    for name in ("server-1", "server-2", "server-3", "init"):
        environment = {name: filled(text) for name, text in compose["services"][name]["environment"].items()}
        assert settings_of(environment).store == "postgresql://syncline:secret@postgres/syncline"


def filled(text):
    """A value with its variables filled in, as the engine does it: what has no default has to be given."""
    given = {"POSTGRES_PASSWORD": "secret"}
    return re.sub(r"\$\{(\w+)(?::-([^}]*)|:\?[^}]*)?\}", lambda found: given.get(found[1]) or found[2], text)


def test_services_name_what_is_there(compose):
    services = compose["services"]
    for service in services.values():
        assert set(service.get("depends_on", ())) <= services.keys()
        assert set(service["networks"]) <= compose["networks"].keys()
        named = {volume.partition(":")[0] for volume in service.get("volumes", ())}
        assert {name for name in named if not name.startswith(".")} <= compose["volumes"].keys()
        assert all((DEPLOY / name).exists() for name in named if name.startswith("."))
    build = services["server-1"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).exists()


def test_the_proxy_asks_the_servers_that_there_are(compose):
    caddyfile = (DEPLOY / "Caddyfile").read_text()
    asked = set(re.findall(r"([a-z0-9-]+):8080", caddyfile))
    assert asked == {name for name in compose["services"] if name.startswith("server-")}
    assert "health_uri /readyz" in caddyfile
    assert "flush_interval" not in caddyfile  # -1 keeps the streams of clients that have gone


def test_the_database_counts_as_there_when_servers_can_reach_it(compose):
    test = compose["services"]["postgres"]["healthcheck"]["test"]
    assert "--host=127.0.0.1" in test  # by its socket it answers while it is still set up
    server = compose["services"]["server-1"]
    assert server["depends_on"]["postgres"] == {"condition": "service_healthy"}
    assert server["restart"] == "unless-stopped"


# The image


def test_the_image_is_made_of_what_is_there():
    lines = (DEPLOY / "Containerfile.dockerignore").read_text().splitlines()
    sent = [line[1:] for line in lines if line.startswith("!")]
    assert all((ROOT / path).exists() for path in sent)
    assert [path for path in needed() if not any(fnmatch(path, each) for each in sent)] == []


def needed():
    """What the image is built of: the locked packages, and what the wheel is made of."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project, wheel = pyproject["project"], pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]
    yield from ("deploy/requirements.lock", "pyproject.toml", project["readme"], *project["license-files"])
    yield from wheel["force-include"]
    assert all(package.startswith("src/") for package in wheel["packages"])
    yield "src"


def test_the_image_runs_without_rights():
    text = (DEPLOY / "Containerfile").read_text()
    last = text.rpartition("FROM ")[2]
    assert re.search(r"^USER 10001", last, re.MULTILINE)
    assert 'ENTRYPOINT ["syncline"]' in last
    assert "/livez" in last


def test_the_image_has_the_versions_that_are_tested():
    pinned = [
        set(re.findall(r"^([\w.-]+==[\w.]+)", path.read_text(), re.MULTILINE))
        for path in (DEPLOY / "requirements.lock", ROOT / "requirements.lock")
    ]
    assert pinned[0] <= pinned[1]
    assert {"psycopg", "nats-py", "grpcio", "lmdb"} <= {pin.partition("==")[0] for pin in pinned[0]}


# The unit


def test_the_unit_serves_from_where_it_may_write():
    unit = configparser.RawConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(DEPLOY / "syncline.service")
    service = unit["Service"]
    assert shlex.split(service["ExecStart"])[1:] == ["serve"]
    data = settings_of(dict([service["Environment"].split("=", 1)])).data
    assert data == f"/var/lib/{service['StateDirectory']}"
    assert service["DynamicUser"] == "yes"
    assert (service["Restart"], unit["Unit"]["StartLimitIntervalSec"]) == ("on-failure", "0")  # until it can
    assert service["RestartPreventExitStatus"] == "2"  # a setting that does not fit will not fit the next time
