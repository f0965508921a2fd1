"""The examples for containers, which nothing here can build or run, agree with the rest of the project."""

import json
import re
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
import yaml

from bin.servers import command
from bin.servers.elasticsearch import Elasticsearch, Elasticsearch9
from bin.servers.seaweedfs import SeaweedFS
from bin.servers.server import Server
from socorro_processor.app.processor_app import ProcessorApp
from socorro_processor.configuration import Configuration, Source, split_command_line
from tests.services import options_of
from tests.shared import REPOSITORY

DEPLOY = REPOSITORY / "deploy"
SERVERS = pytest.mark.parametrize("server", command.ALL, ids=lambda server: f"{server.name}-{server.version}")


def pod() -> dict:
    return yaml.safe_load((DEPLOY / "kubernetes.yaml").read_text())["spec"]["template"]["spec"]


def test_the_pod_starts_the_processor_with_known_options():
    (container,) = pod()["containers"]
    options, rest = split_command_line(container["args"])
    assert rest == ["processor"]
    options = Source({key: value for key, value in options.items() if key != "admin.conf"})
    values = Configuration(ProcessorApp.get_required_config(), [options]).values
    assert values.health.port == container["ports"][0]["containerPort"]
    assert values.health.host == "0.0.0.0"
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert values.app.temporary_directory in mounts
    assert any(str(values.resource.symbols.symbol_cache_path).startswith(mount) for mount in mounts)


def test_the_pod_is_given_more_time_to_end_than_the_processor_takes():
    values = Configuration(ProcessorApp.get_required_config(), []).values
    assert pod()["terminationGracePeriodSeconds"] > values.producer_consumer.shutdown_timeout


def test_every_mount_of_the_pod_has_its_volume():
    volumes = {volume["name"] for volume in pod()["volumes"]}
    assert {mount["name"] for mount in pod()["containers"][0]["volumeMounts"]} == volumes


def test_the_image_copies_existing_files_and_all_that_the_package_is_built_from():
    copied = re.findall(r"^COPY ((?:[\w./-]+ )+)\S+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    names = {name for line in copied for name in line.split()}
    assert all((REPOSITORY / name).exists() for name in names)
    assert names >= {"socorro_processor", "siglists", "config", "setup.py", "pyproject.toml", "requirements.txt"}


def compose() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def container(server: type[Server]) -> dict[str, Any]:
    """Return the service of the compose file that corresponds to a server of ``bin/services``."""
    return compose()["services"][server.name + server.suffix]


def published_port(server: type[Server]) -> str:
    (port,) = container(server)["ports"]
    return port.removeprefix("127.0.0.1:").partition(":")[0]


def faults_of_compose(content: dict[str, Any]) -> list[str]:
    """Return the errors by the published schema for compose files."""
    schema = files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    validator = jsonschema.Draft202012Validator(json.loads(schema.read_text()))
    return [error.message for error in validator.iter_errors(content)]


def test_the_compose_file_is_valid_by_its_published_schema():
    content = compose()
    assert faults_of_compose(content) == []
    content["services"]["s3"]["healthchecks"] = {}
    assert len(faults_of_compose(content)) == 1


def test_the_compose_file_has_the_servers_of_bin_services_and_no_other():
    assert set(compose()["services"]) == {server.name + server.suffix for server in command.ALL}


@SERVERS
def test_a_container_has_the_tested_version(server):
    assert container(server)["image"].rpartition(":")[2] == server.version


@SERVERS
def test_a_container_listens_on_loopback_is_asked_whether_it_answers_and_keeps_its_data_in_a_volume(server):
    service = container(server)
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert service["healthcheck"]["test"]
    (volume,) = service["volumes"]
    assert volume.partition(":")[0] in compose()["volumes"]


def test_no_two_containers_publish_one_port_or_share_a_volume():
    services = compose()["services"].values()
    for key in ("ports", "volumes"):
        named = [each.rpartition(":")[0] for service in services for each in service[key]]
        assert len(set(named)) == len(named)


@SERVERS
def test_the_options_for_containers_are_those_that_bin_services_prints(server, tmp_path):
    """The options of bin/services if its ports and password were those of the compose file."""
    there = server(tmp_path, tmp_path)
    there.state.write_text(json.dumps({"password": "socorro", server.ports[0]: published_port(server)}))
    given = options_of((DEPLOY / "compose.env").read_text())
    if server is Elasticsearch9:
        assert there.options().keys() <= given.keys()
        assert published_port(server) != published_port(Elasticsearch)
    else:
        assert there.options().items() <= given.items()


def test_there_are_no_other_options_for_containers(tmp_path):
    given = options_of((DEPLOY / "compose.env").read_text())
    assert given.keys() == {option for server in command.ALL for option in server(tmp_path, tmp_path).options()}


def test_the_secrets_that_containers_are_given_are_those_of_the_options():
    given = options_of((DEPLOY / "compose.env").read_text())
    content = compose()
    rabbitmq, postgresql = (content["services"][name]["environment"] for name in ("rabbitmq", "postgresql"))
    assert rabbitmq == {
        "RABBITMQ_DEFAULT_USER": given["secrets.rabbitmq.rabbitmq_user"],
        "RABBITMQ_DEFAULT_PASS": given["secrets.rabbitmq.rabbitmq_password"],
    }
    assert postgresql["POSTGRES_USER"] == given["secrets.postgresql.database_username"]
    assert postgresql["POSTGRES_PASSWORD"] == given["secrets.postgresql.database_password"]
    assert postgresql["POSTGRES_DB"] == given["resource.postgresql.database_name"]
    ((identity,),) = json.loads(content["configs"]["s3"]["content"]).values()
    for store in ("boto", "symbols"):
        key = given["resource.boto.access_key" if store == "boto" else "resource.symbols.s3.access_key"]
        assert identity["credentials"] == [{"accessKey": key, "secretKey": given[f"secrets.{store}.secret_access_key"]}]


def test_seaweedfs_and_elasticsearch_are_configured_alike_in_containers(tmp_path):
    own_to_a_host = ("-dir", "-s3.config", "-ip.bind", "-s3.ip.bind", "-s3.localSocket", "-filer.localSocket")
    seaweedfs = SeaweedFS(tmp_path, tmp_path)
    ports = {f"={seaweedfs.port(what)}" for what in seaweedfs.ports}
    here, there = (
        {each for each in switches if not each.startswith(own_to_a_host) and not each.endswith(tuple(ports))}
        for switches in (seaweedfs.command()[2:], container(SeaweedFS)["command"][1:])
    )
    assert here == there
    for server in (Elasticsearch, Elasticsearch9):
        limit = container(server)["environment"]["indexing_pressure.memory.limit"]
        assert limit == server.memory_for_indexing
