"""What stands in deploy/ is what its pages say, and what the program takes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path

import pytest
import yaml

from switchhook.config import load_config

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
SECRET = b"PCntvkl7vg4qRbyxkDcM3T_yJy6jLd5I\n"
USER = 10001
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]


def config_of(text: str):
    """The configuration that a manifest comes with, with a secret in each of its files."""
    asked: list[str] = []

    def read_file(path: str) -> bytes:
        asked.append(path)
        return SECRET

    config = load_config(text, file="switchhook.toml", environ={}, read_file=read_file)
    assert config.warnings == () or all("plain HTTP" in each for each in config.warnings)
    return config, asked


# Docker Compose.


@pytest.mark.process
def test_compose_takes_the_file(tmp_path):
    """Where there is Docker Compose; it needs no daemon to say how it read the file."""
    if docker := shutil.which("docker"):
        words = [docker, "compose"]
        known = subprocess.run([*words, "version"], capture_output=True, check=False)
        if known.returncode == 0:
            words += ["-f", str(DEPLOY / "compose.yaml"), "--profile", "*", "config", "--quiet"]
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


def test_a_plain_up_starts_the_server_alone():
    assert [name for name, each in SERVICES.items() if "profiles" not in each] == ["switchhook"]
    assert {*SERVICES["nginx"]["profiles"], *SERVICES["emulator"]["profiles"]} == {
        "nginx",
        "emulator",
    }


def test_the_server_has_one_volume_and_is_looked_at():
    service = SERVICES["switchhook"]
    assert service["user"] == f"{USER}:{USER}"
    assert service["volumes"][0] == "data:/var/lib/switchhook"
    assert "data" in COMPOSE["volumes"]
    bound = service["volumes"][1]
    assert (bound["target"], bound["read_only"]) == ("/etc/switchhook", True)
    assert (DEPLOY / bound["source"] / "switchhook.toml").is_file()
    assert "/healthz" in service["healthcheck"]["test"][-1]
    # Not beyond this machine: TLS is a proxy's business.
    assert all(each.startswith("127.0.0.1:") for each in service["ports"])
    assert service["stop_grace_period"] == "15s"
    assert "cpus" not in service


def test_its_configuration_fits_its_network_and_its_secrets():
    config, asked = config_of((DEPLOY / "compose/switchhook.toml").read_text())
    (subnet,) = COMPOSE["networks"]["inside"]["ipam"]["config"]
    assert [str(each) for each in config.answer.trusted_proxies] == [subnet["subnet"]]
    assert asked == [f"/run/secrets/{each}" for each in SERVICES["switchhook"]["secrets"]]
    inside = {each.rpartition(":")[2] for each in SERVICES["switchhook"]["ports"]}
    text = (DEPLOY / "compose/switchhook.toml").read_text()
    assert set(re.findall(r'listen = "0\.0\.0\.0:(\d+)"', text)) == inside
    for name in SERVICES["nginx"]["secrets"]:
        assert COMPOSE["secrets"][name]["file"].startswith("./secrets/")
    ignored = (ROOT / ".gitignore").read_text().split()
    assert "/deploy/secrets/" in ignored


def test_nginx_changes_what_is_there_to_change():
    """Each place that its container differs in stands in nginx.conf, and leads to the server."""
    command = SERVICES["nginx"]["command"][0]
    told = re.findall(r"'s\|([^|]+)\|([^|]+)\|'", command)
    text = (DEPLOY / "nginx.conf").read_text()
    for old, new in told:
        assert old in text
        text = text.replace(old, new)
    address = SERVICES["switchhook"]["networks"]["inside"]["ipv4_address"]
    assert f"server {address}:8080 max_fails=0;" in text
    assert not re.search(r"^[^#]*/(var/log|etc/letsencrypt)/", text, re.MULTILINE)
    certificates = set(re.findall(r"ssl_certificate(?:_key)? +/run/secrets/(\S+);", text))
    assert certificates == set(SERVICES["nginx"]["secrets"])


# The images.


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.parametrize("name", ["Dockerfile", "emulator.Dockerfile"])
def test_what_is_copied_into_the_image_can_be_built(name, tmp_path):
    """From the files that the Dockerfile and .dockerignore let in, and nothing else."""
    let_in = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    text = (DEPLOY / name).read_text()
    for words in re.findall(r"^COPY (?!--)(.+)$", text, re.MULTILINE):
        *sources, target = words.split()
        for each in sources:
            assert each in let_in
            place = tmp_path / target / (Path(each).name if target.endswith("/") else "")
            if (ROOT / each).is_dir():
                shutil.copytree(ROOT / each, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / each, place)
    words = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run(words, cwd=tmp_path, check=True, capture_output=True)
    assert list(tmp_path.glob("dist/switchhook-*.whl"))


def test_the_images_run_as_a_number_that_is_not_root():
    for name in ("Dockerfile", "emulator.Dockerfile"):
        text = (DEPLOY / name).read_text()
        assert re.findall(r"^USER (.+)$", text, re.MULTILINE) == [f"{USER}:{USER}"]
        assert 'ENTRYPOINT ["switchhook"]' in text
        assert ":latest" not in text
    assert "HEALTHCHECK" in (DEPLOY / "Dockerfile").read_text()


# systemd.


def unit(name: str) -> RawConfigParser:
    parser = RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment]
    parser.read(DEPLOY / "systemd" / name)
    return parser


@pytest.mark.process
def test_systemd_takes_the_units(tmp_path):
    """Where there is systemd; the program itself is not at its place here."""
    for path in (DEPLOY / "systemd").iterdir():
        text = path.read_text()
        (tmp_path / path.name).write_text(
            re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", text)
        )
    if analyze := shutil.which("systemd-analyze"):
        units = [str(path) for path in sorted(tmp_path.glob("switchhook*"))]
        assert len(units) == 3
        done = subprocess.run(
            [analyze, "verify", *units], capture_output=True, text=True, check=False
        )
        about_ours = [line for line in done.stderr.splitlines() if "switchhook" in line]
        assert (done.returncode, about_ours) == (0, [])


def test_the_unit_takes_variables_from_a_file_that_may_be_missing():
    service = unit("switchhook.service")["Service"]
    assert service["EnvironmentFile"] == "-/etc/switchhook/environment"
    text = (DEPLOY / "systemd/environment.example").read_text()
    # Nothing is set until somebody sets it.
    assert all(line.startswith("#") or not line for line in text.splitlines())
    variables = re.findall(r"^#([A-Z_]+)=$", text, re.MULTILINE)
    keys = re.findall(r"\b(?:accounts|alerts|console|endpoints)\.[\w.]+_env\b", text)
    assert len(variables) == len(keys) > 5
    page = (ROOT / "docs/configuration.md").read_text()
    for key in keys:
        named = re.sub(r"^(accounts|endpoints|alerts\.send)\.\w+", r"\1.NAME", key)
        assert f"### `{named}`" in page


# Kubernetes.

KUBERNETES = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))


def kind(name: str):
    (found,) = (each for each in KUBERNETES if each["kind"] == name)
    return found


def container():
    pod = kind("StatefulSet")["spec"]["template"]["spec"]
    (only,) = pod["containers"]
    return pod, only


def test_there_is_one_writer_to_a_volume():
    spec = kind("StatefulSet")["spec"]
    assert spec["replicas"] == 1
    (claim,) = spec["volumeClaimTemplates"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]
    assert kind("PodDisruptionBudget")["spec"]["maxUnavailable"] == 0
    assert "HorizontalPodAutoscaler" not in {each["kind"] for each in KUBERNETES}


def test_all_of_it_means_the_same_pod():
    labels = kind("StatefulSet")["spec"]["template"]["metadata"]["labels"]
    ports = {each["name"] for each in container()[1]["ports"]}
    for name in ("StatefulSet", "PodDisruptionBudget"):
        assert kind(name)["spec"]["selector"]["matchLabels"] == labels
    assert kind("NetworkPolicy")["spec"]["podSelector"]["matchLabels"] == labels
    service = kind("Service")["spec"]
    assert service["selector"] == labels
    assert {each["targetPort"] for each in service["ports"]} <= ports == {"answer"}
    (rule,) = kind("Ingress")["spec"]["rules"]
    assert [each["path"] for each in rule["http"]["paths"]] == ["/passthru/"]


def test_the_pod_passes_the_restricted_standard():
    """The parts of the Pod Security Standard `restricted` that a pod has to say."""
    pod, only = container()
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["fsGroup"] == USER
    assert pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
    assert only["securityContext"]["allowPrivilegeEscalation"] is False
    assert only["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert only["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert all({"configMap", "secret"} & each.keys() for each in pod["volumes"])


def test_probes_leave_a_hanging_process_to_the_supervisor():
    """It replaces one within seconds; a restart of the pod closes the port for all callers."""
    pod, only = container()
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert only[name]["httpGet"] == {"path": "/healthz", "port": "answer"}
    alive = only["livenessProbe"]
    assert alive["periodSeconds"] * alive["failureThreshold"] >= 30
    assert pod["terminationGracePeriodSeconds"] >= 10
    assert "lifecycle" not in only
    assert "cpu" not in only["resources"]["limits"]
    assert {"cpu", "memory"} <= only["resources"]["requests"].keys()


def test_secrets_are_files_that_the_configuration_reads():
    pod, only = container()
    config, asked = config_of(kind("ConfigMap")["data"]["switchhook.toml"])
    mounts = {each["name"]: each for each in only["volumeMounts"]}
    assert mounts["secrets"]["readOnly"] is True
    assert mounts["config"]["readOnly"] is True
    assert asked == [
        f"{mounts['secrets']['mountPath']}/{name}" for name in kind("Secret")["stringData"]
    ]
    assert "env" not in only
    assert "envFrom" not in only
    assert config.answer.trusted_proxies
    (secret,) = (each["secret"] for each in pod["volumes"] if each["name"] == "secrets")
    assert secret["defaultMode"] == 0o440


def test_the_secret_of_a_public_file_is_not_taken():
    text = kind("ConfigMap")["data"]["switchhook.toml"]
    public = kind("Secret")["stringData"]["sales.txt"].encode()
    with pytest.raises(Exception, match="a secret of 9 characters"):
        load_config(text, file="switchhook.toml", environ={}, read_file=lambda _: public)


def test_the_network_lets_in_the_ingress_and_out_what_is_needed():
    spec = kind("NetworkPolicy")["spec"]
    assert set(spec["policyTypes"]) == {"Ingress", "Egress"}
    (way_in,) = spec["ingress"]
    assert [each["port"] for each in way_in["ports"]] == ["answer"]
    assert way_in["from"]
    out = {(port["port"], port["protocol"]) for rule in spec["egress"] for port in rule["ports"]}
    assert out == {(53, "UDP"), (53, "TCP"), (443, "TCP")}
