"""What stands in deploy/ for many nodes: Compose, nginx, the Helm chart as Helm renders it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import helm_python as helm
import kubernetes_validate
import pytest
import yaml

from cutting_proxy import CuttingProxy
from kept_receipts import query
from lab.balancer import configuration
from nginx import listening, nginx, port_of
from program import http, running
from switchhook.config import load_config

ROOT = Path(__file__).parent.parent
CLUSTER = ROOT / "deploy/cluster"
CHART = ROOT / "deploy/helm/switchhook"
COMPOSE = yaml.safe_load((CLUSTER / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
NODES = ("node1", "node2", "node3")
SECRET = b"PCntvkl7vg4qRbyxkDcM3T_yJy6jLd5I\n"
URL = b"postgresql://switchhook:secret@database/switchhook\n"
USER = 10001


def config_of(text: str, address: str):
    """The configuration that a manifest comes with, and the files that it asks for."""
    asked: list[str] = []

    def read_file(path: str) -> bytes:
        asked.append(path)
        return URL if "database" in path else SECRET

    environ = {"SWITCHHOOK_ADDRESS": address}
    config = load_config(text, file="switchhook.toml", environ=environ, read_file=read_file)
    assert all("plain HTTP" in each for each in config.warnings)
    return config, asked


# Docker Compose.


@pytest.mark.process
def test_compose_takes_the_file(tmp_path):
    """Where there is Docker Compose; it needs no daemon to say how it read the file."""
    if docker := shutil.which("docker"):
        words = [docker, "compose"]
        known = subprocess.run([*words, "version"], capture_output=True, check=False)
        if known.returncode == 0:
            words += ["-f", str(CLUSTER / "compose.yaml"), "config", "--quiet"]
            done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
            assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", SERVICES)
def test_no_container_is_root_or_writes_its_root(name):
    service = SERVICES[name]
    assert int(service["user"].partition(":")[0]) > 0
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not {"privileged", "pid", "network_mode", "devices", "cap_add"} & service.keys()


def test_each_node_has_a_volume_a_name_and_an_address_of_its_own():
    assert {*SERVICES} == {*NODES, "database", "nginx"}
    volumes, published = set(), set()
    for name in NODES:
        service = SERVICES[name]
        assert service["hostname"] == name
        assert service["environment"]["SWITCHHOOK_ADDRESS"] == f"http://{name}:8081"
        volumes.add(service["volumes"][0].partition(":")[0])
        published.update(service["ports"])
        assert (CLUSTER / service["volumes"][1]["source"] / "switchhook.toml").is_file()
    assert volumes | {"database"} == COMPOSE["volumes"].keys()
    assert len(volumes) == len(published) == len(NODES)
    assert all(each.startswith("127.0.0.1:") for each in published)


def test_the_nodes_configuration_fits_network_and_secrets():
    text = (CLUSTER / "config/switchhook.toml").read_text()
    config, asked = config_of(text, SERVICES["node2"]["environment"]["SWITCHHOOK_ADDRESS"])
    assert config.cluster.address == "http://node2:8081"
    assert config.cluster.database == URL.decode().strip()
    assert {*asked} == {f"/run/secrets/{each}" for each in SERVICES["node1"]["secrets"]}
    (subnet,) = COMPOSE["networks"]["inside"]["ipam"]["config"]
    assert [str(each) for each in config.answer.trusted_proxies] == [subnet["subnet"]]
    for each in COMPOSE["secrets"].values():
        assert each["file"].startswith("../secrets/")
    database = SERVICES["database"]["environment"]
    assert f"//{database['POSTGRES_USER']}:" in URL.decode()
    assert SERVICES["node1"]["build"]["args"] == {"POSTGRES": "1"}


def test_composes_nginx_changes_what_is_there_to_change():
    told = re.findall(r"'s\|([^|]+)\|([^|]+)\|'", SERVICES["nginx"]["command"][0])
    text = (CLUSTER / "nginx.conf").read_text()
    for old, new in told:
        assert old in text
        text = text.replace(old, new)
    named = re.findall(r"^ +server (\S+):8080 ", text, re.MULTILINE)
    assert named == [SERVICES[each]["networks"]["inside"]["ipv4_address"] for each in NODES] * 2
    assert not re.search(r"^[^#]*/(var/log|etc/letsencrypt)/", text, re.MULTILINE)


# nginx.


@pytest.mark.process
def test_a_call_stays_with_its_node_and_goes_to_another_when_that_one_is_gone(tmp_path):
    """By the real nginx before two programs, and an address at which nobody listens."""
    config = tmp_path / "c.toml"
    secret = SECRET.decode().strip()
    config.write_text(
        f'[answer]\ntrusted_proxies = ["127.0.0.1"]\n[endpoints.sales]\nsecrets = ["{secret}"]\n'
    )
    sock, gone = listening(), listening()
    port, nobody = port_of(sock), ("127.0.0.1", port_of(gone))
    gone.close()
    with (
        running(tmp_path / "a", "--config", str(config)) as one,
        running(tmp_path / "b", "--config", str(config)) as other,
    ):
        addresses = [one.address("answer"), other.address("answer"), nobody]
        nodes = [f"{host}:{to}" for host, to in addresses]
        folder = tmp_path / "nginx"
        with nginx(folder, configuration(nodes, f"127.0.0.1:{port}", folder), sock):
            for call in [f"c{number}" for number in range(30)] * 2:
                target = f"/passthru/sales/{secret}?".encode() + query(call, DisconnectedBy="bot")
                assert http(("127.0.0.1", port), target).status == 200
            assert http(("127.0.0.1", port), b"/healthz").status == 404
        kept = [{each["call_sid"] for each in program.receipts()} for program in (one, other)]
    assert kept[0]
    assert kept[1]
    assert not kept[0] & kept[1]
    assert len(kept[0] | kept[1]) == 30
    logged = (folder / "switchhook.log").read_text()
    assert secret not in logged
    assert "CallSid" not in logged


@pytest.mark.process
def test_who_comes_just_after_all_have_failed_is_answered(tmp_path):
    """Each is left out for two seconds then, and nginx by itself would ask none of them."""
    secret, sock = SECRET.decode().strip(), listening()
    config = tmp_path / "c.toml"
    config.write_text(f'[endpoints.sales]\nsecrets = ["{secret}"]\n')
    with running(tmp_path / "a", "--config", str(config)) as program:
        ways = [CuttingProxy(*program.address("answer")) for _ in NODES]
        nodes, port = [f"127.0.0.1:{each.port}" for each in ways], port_of(sock)
        target = f"/passthru/sales/{secret}?".encode() + query("c1", DisconnectedBy="bot")
        folder = tmp_path / "nginx"
        with nginx(folder, configuration(nodes, f"127.0.0.1:{port}", folder), sock):
            for away, status in ((True, 502), (False, 200)):
                for each in ways:
                    each.away = away
                assert http(("127.0.0.1", port), target).status == status
        for each in ways:
            each.close()


# The chart.


def rendered(**values: Any) -> list[dict[str, Any]]:
    """What Helm makes of it, checked against Kubernetes' own schemas."""
    with helm.Chart.load(str(CHART)) as chart:
        texts = chart.render(values, name="sw", namespace="prod")
    found = []
    for name, text in texts.items():
        for each in yaml.safe_load_all(text) if name.endswith(".yaml") else ():
            if each is not None:
                found.append(each)
                if each["kind"] != "ServiceMonitor":  # of an operator, not of Kubernetes
                    kubernetes_validate.validate(each, "1.31", strict=True)
    return found


def kind(name: str, found: list[dict[str, Any]]) -> dict[str, Any]:
    (only,) = (each for each in found if each["kind"] == name)
    return only


def nodes_service(found: list[dict[str, Any]]) -> dict[str, Any]:
    services = (each for each in found if each["kind"] == "Service")
    return next(each for each in services if each["spec"].get("clusterIP") == "None")


def test_helm_finds_nothing_wrong_with_the_chart():
    said = helm.lint(str(CHART))
    assert said["errors"] == []
    assert [each["error"] for each in said["messages"]] == ["icon is recommended"]


def test_the_chart_runs_nodes_with_a_volume_each_and_no_database():
    found = rendered()
    assert sorted(each["kind"] for each in found) == [
        "ConfigMap",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Service",
        "Service",
        "StatefulSet",
    ]
    spec = kind("StatefulSet", found)["spec"]
    assert spec["replicas"] == 3
    (claim,) = spec["volumeClaimTemplates"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]
    budget = kind("PodDisruptionBudget", found)["spec"]
    assert budget["maxUnavailable"] == 1
    labels = spec["template"]["metadata"]["labels"]
    for selector in (spec["selector"]["matchLabels"], budget["selector"]["matchLabels"]):
        assert selector.items() <= labels.items()
    spread = spec["template"]["spec"]["topologySpreadConstraints"]
    assert [each["topologyKey"] for each in spread] == [
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    ]


def test_the_charts_pods_pass_the_restricted_standard():
    pod = kind("StatefulSet", rendered())["spec"]["template"]["spec"]
    (only,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["fsGroup"] == USER
    assert pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
    assert only["securityContext"]["allowPrivilegeEscalation"] is False
    assert only["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert only["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["automountServiceAccountToken"] is False
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert only[name]["httpGet"] == {"path": "/healthz", "port": "answer"}
    drain = int(only["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] >= drain + 15
    assert "cpu" not in only["resources"]["limits"]


def test_the_charts_configuration_reads_what_the_pods_mount():
    found = rendered(console={"url": "https://switchhook.example.com"}, files={"r.toml": "a\nb\n"})
    data = kind("ConfigMap", found)["data"]
    assert data["r.toml"] == "a\nb\n"
    pod = kind("StatefulSet", found)["spec"]["template"]["spec"]
    (only,) = pod["containers"]
    (address,) = (each["value"] for each in only["env"] if each["name"] == "SWITCHHOOK_ADDRESS")
    nodes = nodes_service(found)
    assert address == f"http://$(POD).{nodes['metadata']['name']}.$(NAMESPACE).svc:8081"
    assert kind("StatefulSet", found)["spec"]["serviceName"] == nodes["metadata"]["name"]
    config, asked = config_of(data["switchhook.toml"], "http://sw-0.sw-nodes.prod.svc:8081")
    assert config.cluster.address == "http://sw-0.sw-nodes.prod.svc:8081"
    mounts = {each["name"]: each["mountPath"] for each in only["volumeMounts"]}
    assert {Path(each).parent.as_posix() for each in asked} == {
        mounts["endpoints"],
        mounts["database"],
    }


def test_the_charts_network_lets_in_the_ingress_and_the_nodes():
    found = rendered(networkPolicy={"databaseCidrs": ["10.9.0.0/16"]})
    spec = kind("NetworkPolicy", found)["spec"]
    assert [[port["port"] for port in rule["ports"]] for rule in spec["ingress"]] == [
        ["answer"],
        ["console"],
    ]
    out = [(port["port"], rule["to"]) for rule in spec["egress"] for port in rule["ports"]]
    assert (5432, [{"ipBlock": {"cidr": "10.9.0.0/16"}}]) in out
    anywhere = kind("NetworkPolicy", rendered())["spec"]["egress"]
    assert [each["ports"] for each in anywhere if "to" not in each] == [
        [{"port": 5432, "protocol": "TCP"}]
    ]


def test_what_the_chart_has_only_when_asked():
    found = rendered(ingress={"enabled": True}, serviceMonitor={"enabled": True})
    (rule,) = kind("Ingress", found)["spec"]["rules"]
    assert [each["path"] for each in rule["http"]["paths"]] == ["/passthru/"]
    notes = kind("Ingress", found)["metadata"]["annotations"]
    assert notes["nginx.org/lb-method"] == "hash $arg_callsid consistent"
    monitor = kind("ServiceMonitor", found)["spec"]
    nodes = nodes_service(found)
    assert monitor["selector"]["matchLabels"].items() <= nodes["metadata"]["labels"].items()
    (endpoint,) = monitor["endpoints"]
    assert endpoint["port"] in {each["name"] for each in nodes["spec"]["ports"]}


@pytest.mark.parametrize(
    "values",
    [
        {"replicas": 0},
        {"image": {"repository": "switchhook", "tag": "latest"}},
        {"config": "[journal]\nceiling_gb = 8\n"},
        {"persistence": {"accessMode": "ReadWriteMany"}},
        {"postgresql": {"enabled": True}},
    ],
)
def test_the_charts_schema_refuses_what_would_not_run(values):
    with helm.Chart.load(str(CHART)) as chart, pytest.raises(helm.HelmError):
        chart.validate_schema(values)
