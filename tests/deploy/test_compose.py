"""The compose file: what compose itself makes of it, and that its parts fit together."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.configurations import SECRETS, check_configuration, secret_files
from tests.deploy.machine import REPOSITORY
from tests.deploy.programs import needed_of_group, succeed

COMPOSE = REPOSITORY / "deploy" / "compose"
CONTAINERFILE = REPOSITORY / "deploy" / "container" / "Containerfile"
CONFIG = COMPOSE / "config" / "watcher.toml"
PROMETHEUS = REPOSITORY / "deploy" / "prometheus"
MONITORING = ("prometheus", "alertmanager", "grafana")


def resolved(*options: str) -> dict[str, Any]:
    """Return the project as compose resolves it; it refuses what does not follow its schema."""
    compose = needed_of_group("docker-compose")
    file = COMPOSE / "compose.yaml"
    written = succeed(compose, "--file", file, *options, "config", "--format", "json")
    assert written, f"refused: `docker-compose --file {file} config` says why"  # the packaged one exits 0 even then
    project: dict[str, Any] = json.loads(written)
    return project


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """The project with everything in it."""
    return resolved("--profile", "monitoring")


def mounted(service: dict[str, Any]) -> dict[str, str]:
    """Return which secret or configuration each path in the container shows."""
    return {given["target"]: given["source"] for given in service.get("secrets", []) + service.get("configs", [])}


def test_the_watcher_comes_alone() -> None:
    """Nothing that watches it is started unless its profile is asked for."""
    assert set(resolved()["services"]) == {"watcher"}


def test_the_profile_adds_what_watches_it(project: dict[str, Any]) -> None:
    assert set(project["services"]) == {"watcher", *MONITORING}


@pytest.mark.parametrize("name", ["watcher", *MONITORING])
def test_every_service_has_few_rights(project: dict[str, Any], name: str) -> None:
    """A read-only root, no capability, no way to more rights, and no port that other hosts reach."""
    service = project["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["pids_limit"] > 0
    assert {port["host_ip"] for port in service["ports"]} == {"127.0.0.1"}


@pytest.mark.parametrize("name", MONITORING)
def test_foreign_images_are_of_one_version(project: dict[str, Any], name: str) -> None:
    """An image whose tag moves would be another one after a restart."""
    assert re.search(r":v?\d+\.\d+\.\d+$", project["services"][name]["image"])


def test_the_record_survives_its_container(project: dict[str, Any]) -> None:
    """What the image declares as its volume is a named one."""
    declared = re.findall(r'^VOLUME \["(.+)"\]', CONTAINERFILE.read_text(encoding="utf-8"), re.MULTILINE)
    named = [v["target"] for v in project["services"]["watcher"]["volumes"] if v["type"] == "volume"]
    assert named == declared == ["/var/lib/watcher"]


def test_the_health_check_is_that_of_the_image(project: dict[str, Any]) -> None:
    written = re.search(r"^HEALTHCHECK (.+)\\\n\s+CMD (.+)$", CONTAINERFILE.read_text(encoding="utf-8"), re.MULTILINE)
    assert written
    check = project["services"]["watcher"]["healthcheck"]
    assert check["test"] == ["CMD", *json.loads(written[2])]
    times = dict(re.findall(r"--([\w-]+)=(\S+)", written[1]))
    assert {name.replace("-", "_"): value for name, value in times.items()} == {
        key: str(value) for key, value in check.items() if key != "test"
    }


def test_files_of_the_project_exist(project: dict[str, Any]) -> None:
    """Compose notices a missing file only when it starts the container."""
    context = Path(project["services"]["watcher"]["build"]["context"])
    files = [Path(given["file"]) for given in project["configs"].values()]
    files += [Path(v["source"]) for v in project["services"]["watcher"]["volumes"] if v["type"] == "bind"]
    files += [context / project["services"]["watcher"]["build"]["dockerfile"], context / ".dockerignore"]
    assert files
    assert [str(path) for path in files if not path.exists()] == []


def test_secrets_are_files_beside_it(project: dict[str, Any]) -> None:
    """None is a variable, none stands in the file, and the directory of all of them can be closed to others."""
    assert {Path(secret["file"]).parent for secret in project["secrets"].values()} == {COMPOSE / "secrets"}


def test_the_watcher_accepts_its_configuration(tmp_path: Path) -> None:
    check_configuration(CONFIG, tmp_path)


def test_the_watcher_finds_its_secrets(project: dict[str, Any]) -> None:
    """What the configuration reads is mounted, and nothing else is."""
    assert set(mounted(project["services"]["watcher"])) == {str(SECRETS / name) for name in secret_files(CONFIG)}


def test_prometheus_finds_what_its_configuration_names(project: dict[str, Any]) -> None:
    """Paths beside its own file, the token of the watcher, and the names of the other services."""
    given = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))
    (scrape,) = given["scrape_configs"]
    service = mounted(project["services"]["prometheus"])
    assert [service[f"/etc/prometheus/{name}"] for name in given["rule_files"]] == ["rules"]
    assert service[f"/etc/prometheus/{scrape['authorization']['credentials_file']}"] == "http-token"
    assert mounted(project["services"]["watcher"])[str(SECRETS / "http-token")] == "http-token"
    (alertmanagers,) = given["alerting"]["alertmanagers"]
    targets = [*scrape["static_configs"][0]["targets"], *alertmanagers["static_configs"][0]["targets"]]
    assert targets == ["watcher:8321", "alertmanager:9093"]
    assert [project["services"][target.split(":")[0]]["ports"][0]["target"] for target in targets] == [8321, 9093]


def test_alertmanager_finds_its_secrets(project: dict[str, Any]) -> None:
    text = (PROMETHEUS / "alertmanager.yml").read_text(encoding="utf-8")
    named = re.findall(r"^\s+(?:- )?\w+_file: (\S+)$", text, re.MULTILINE)
    secrets = [given["target"] for given in project["services"]["alertmanager"]["secrets"]]
    assert named
    assert sorted(f"/etc/alertmanager/{name}" for name in named) == sorted(secrets)


def test_grafana_finds_the_dashboard(project: dict[str, Any]) -> None:
    """Its provisioning names a directory that holds the dashboard, and the address of our Prometheus."""
    service = mounted(project["services"]["grafana"])
    (provider,) = yaml.safe_load((COMPOSE / "grafana" / "dashboards.yaml").read_text(encoding="utf-8"))["providers"]
    (source,) = yaml.safe_load((COMPOSE / "grafana" / "datasource.yaml").read_text(encoding="utf-8"))["datasources"]
    assert service[f"{provider['options']['path']}/finetune-watcher.json"] == "dashboard"
    assert source["url"] == "http://prometheus:9090"
