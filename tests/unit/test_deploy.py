"""The examples for containers, which nothing here can build, agree with the rest of the project."""

import re

import yaml

from socorro_processor.app.processor_app import ProcessorApp
from socorro_processor.configuration import Configuration, Source, split_command_line
from tests.shared import REPOSITORY

DEPLOY = REPOSITORY / "deploy"


def pod() -> dict:
    return yaml.safe_load((DEPLOY / "kubernetes.yaml").read_text())["spec"]["template"]["spec"]


def test_the_pod_starts_the_processor_with_options_that_there_are():
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


def test_the_image_copies_files_that_there_are_and_all_that_the_package_is_made_of():
    copied = re.findall(r"^COPY ((?:[\w./-]+ )+)\S+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    names = {name for line in copied for name in line.split()}
    assert all((REPOSITORY / name).exists() for name in names)
    assert names >= {"socorro_processor", "siglists", "config", "setup.py", "pyproject.toml", "requirements.txt"}
