"""The objects for Kubernetes: valid by its schemas, with few rights, and fitting together."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped] # ships no types
import pytest
import yaml

from tests.deploy.configurations import SECRETS, check_configuration, secret_files
from tests.deploy.machine import REPOSITORY
from tests.deploy.programs import needed_of_group, succeed

KUBERNETES = REPOSITORY / "deploy" / "kubernetes"
BASE = KUBERNETES / "base"
POSTGRESQL = KUBERNETES / "overlays" / "postgresql"
COMPONENT = KUBERNETES / "components" / "prometheus-operator"
BUILT = (BASE, POSTGRESQL)
VERSIONS = ("1.29", "1.37")
"""Of Kubernetes: from the oldest to the newest that the objects are for."""
OF_OPERATOR = {"ServiceMonitor"}
"""Kinds that Kubernetes has no schema of."""

Object = dict[str, Any]

built = pytest.mark.parametrize("directory", BUILT, ids=lambda path: path.name)


def objects(directory: Path) -> dict[str, Object]:
    """Return what kustomize makes of the directory, by kind."""
    command = ["kustomize", "build"] if shutil.which("kustomize") else [needed_of_group("kubectl"), "kustomize"]
    made = list(yaml.safe_load_all(succeed(*command, directory)))
    by_kind = {given["kind"]: given for given in made}
    assert len(by_kind) == len(made)
    return by_kind


def pod(made: dict[str, Object]) -> Object:
    spec: Object = made["Deployment"]["spec"]["template"]["spec"]
    return spec


def container(made: dict[str, Object]) -> Object:
    (only,) = pod(made)["containers"]
    assert isinstance(only, dict)
    return only


def volume(made: dict[str, Object], name: str) -> Object:
    return next(given for given in pod(made)["volumes"] if given["name"] == name)


def kustomization(directory: Path) -> Object:
    given: Object = yaml.safe_load((directory / "kustomization.yaml").read_text(encoding="utf-8"))
    return given


@built
@pytest.mark.parametrize("version", VERSIONS)
def test_objects_follow_the_schemas(directory: Path, version: str) -> None:
    """Strictly: an unknown key is a mistake too."""
    for kind, made in objects(directory).items():
        if kind not in OF_OPERATOR:
            kubernetes_validate.validate(made, version, strict=True)


@pytest.mark.parametrize("name", ["deployment", "network-policy", "persistent-volume-claim", "pod-disruption-budget"])
def test_each_file_is_valid_by_itself(name: str) -> None:
    """Needs no kustomize."""
    (given,) = yaml.safe_load_all((BASE / f"{name}.yaml").read_text(encoding="utf-8"))
    kubernetes_validate.validate(given, VERSIONS[-1], strict=True)


@pytest.mark.parametrize("directory", [BASE, POSTGRESQL, COMPONENT], ids=lambda path: path.name)
def test_every_file_is_used(directory: Path) -> None:
    """A kustomization names each file beside it, and no other."""
    given = kustomization(directory)
    named = {name for name in given["resources"] if not name.startswith("..")}
    named |= {name for made in given.get("configMapGenerator", []) for name in made["files"]}
    named |= {patch["path"] for patch in given.get("patches", []) if "path" in patch}
    assert named == {path.name for path in directory.iterdir()} - {"kustomization.yaml"}


@built
def test_the_pod_is_restricted(directory: Path) -> None:
    """What the `restricted` pod security standard asks for, and a read-only root besides."""
    made = objects(directory)
    spec = pod(made)
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 10001
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container(made)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & set(spec)
    allowed = {"configMap", "emptyDir", "persistentVolumeClaim", "secret"}
    assert {kind for given in spec["volumes"] for kind in given if kind != "name"} <= allowed


@built
def test_the_pod_knows_nothing_of_the_cluster(directory: Path) -> None:
    """No token of an account, and no variables of services, which could look like settings."""
    spec = pod(objects(directory))
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False


@built
def test_probes_ask_what_they_should(directory: Path) -> None:
    """Only a loop that hangs restarts the watcher: a source that does not answer makes it unready."""
    made = objects(directory)
    paths = {
        probe: container(made)[probe]["httpGet"]["path"]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert paths == {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
    assert {container(made)[probe]["httpGet"]["port"] for probe in paths} == {"http"}
    assert container(made)["ports"] == [{"name": "http", "containerPort": 8321}]


@built
def test_memory_is_bounded(directory: Path) -> None:
    resources = container(objects(directory))["resources"]
    assert set(resources["requests"]) == {"cpu", "memory"}
    assert set(resources["limits"]) == {"memory"}


@built
def test_selectors_find_the_pod(directory: Path) -> None:
    """Those of the deployment, the service, the budget and the policy; and the service's own by the monitor."""
    made = objects(directory)
    labels = made["Deployment"]["spec"]["template"]["metadata"]["labels"]
    selectors = [
        made["Deployment"]["spec"]["selector"]["matchLabels"],
        made["Service"]["spec"]["selector"],
        made["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        made["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ]
    assert all(selector and selector.items() <= labels.items() for selector in selectors)


@built
def test_the_policy_lets_names_be_resolved(directory: Path) -> None:
    """Kustomize must not add our label to the selector of the cluster's name servers."""
    first = objects(directory)["NetworkPolicy"]["spec"]["egress"][0]
    assert [peer["podSelector"] for peer in first["to"]] == [{"matchLabels": {"k8s-app": "kube-dns"}}]
    assert {(port["port"], port["protocol"]) for port in first["ports"]} == {(53, "UDP"), (53, "TCP")}


def test_prometheus_reads_the_metrics_under_their_job_name() -> None:
    """The monitor finds the service, its port and the token; the value of its job label is that of the rules."""
    made = objects(POSTGRESQL)
    monitor, service = made["ServiceMonitor"]["spec"], made["Service"]
    (endpoint,) = monitor["endpoints"]
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
    assert service["metadata"]["labels"][monitor["jobLabel"]] == "finetune-watcher"
    token = endpoint["authorization"]["credentials"]
    assert token["name"] == volume(made, "secrets")["secret"]["secretName"]
    assert SECRETS / "watcher" / token["key"] in {SECRETS / name for name in secret_files(BASE / "watcher.toml")}


@built
def test_the_configuration_is_mounted_where_the_image_reads_it(directory: Path) -> None:
    made = objects(directory)
    mounts = {mount["name"]: mount["mountPath"] for mount in container(made)["volumeMounts"]}
    assert volume(made, "config")["configMap"]["name"] == made["ConfigMap"]["metadata"]["name"]
    assert made["ConfigMap"]["data"] == {"watcher.toml": (directory / "watcher.toml").read_text(encoding="utf-8")}
    assert mounts["config"] == "/etc/watcher"
    assert {Path(name).parts[0] for name in secret_files(directory / "watcher.toml")} == {Path(mounts["secrets"]).name}


@built
def test_the_watcher_accepts_its_configuration(directory: Path, tmp_path: Path) -> None:
    check_configuration(directory / "watcher.toml", tmp_path)


def test_the_secret_that_is_told_to_be_made_has_the_keys() -> None:
    told = re.findall(r"--from-file=([\w-]+)=", (BASE / "kustomization.yaml").read_text(encoding="utf-8"))
    assert {f"watcher/{key}" for key in told} == secret_files(BASE / "watcher.toml")


def test_sqlite_has_one_watcher_at_a_time() -> None:
    """With its store on a volume that outlives it."""
    made = objects(BASE)
    assert made["Deployment"]["spec"]["replicas"] == 1
    assert made["Deployment"]["spec"]["strategy"] == {"type": "Recreate"}
    claim = volume(made, "state")["persistentVolumeClaim"]["claimName"]
    assert claim == made["PersistentVolumeClaim"]["metadata"]["name"]
    assert {"name": "state", "mountPath": "/var/lib/watcher"} in container(made)["volumeMounts"]


def test_postgresql_has_two_watchers_and_no_volume() -> None:
    """One of them is always there, and both reach the database by its file."""
    made = objects(POSTGRESQL)
    assert made["Deployment"]["spec"]["replicas"] == 2
    assert made["Deployment"]["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert made["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1
    assert "PersistentVolumeClaim" not in made
    assert "state" not in {given["name"] for given in pod(made)["volumes"]}
    assert "watcher/database-url" in secret_files(POSTGRESQL / "watcher.toml")
    assert [{"port": 5432}] in [rule["ports"] for rule in made["NetworkPolicy"]["spec"]["egress"]]
