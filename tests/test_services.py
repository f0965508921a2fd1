"""A run ends every service that it started, however it ends; ``bin/services`` finds its Elasticsearch and its Java."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bin.servers import command, java
from bin.servers.elasticsearch import Elasticsearch, Elasticsearch9
from bin.servers.postgresql import PostgreSQL
from bin.servers.process import Failed
from bin.servers.rabbitmq import RabbitMQ
from bin.servers.seaweedfs import SeaweedFS
from tests import services
from tests.shared import REPOSITORY
from tests.system.daemon import eventually

RUN = """
import os, sys
from tests import services

services._COMMAND = sys.argv[1]
with services.services_of_a_run():
    services.service("s3")
    with services.own_servers():
        services.service("rabbitmq")
        {then}
"""
SERVICES = """#!/bin/sh
echo "$@" >> {said}
case $* in *status*) exit {runs} ;; esac
"""


class Services:
    """A program in place of ``bin/services``, which records its arguments."""

    def __init__(self, directory: Path, runs: bool) -> None:
        self.said = directory / "said"
        self.command = directory / "services"
        self.command.write_text(SERVICES.format(said=self.said, runs=int(not runs)))
        self.command.chmod(0o755)

    def told(self) -> list[str]:
        """Return the calls so far; ``own`` stands for the option of a set, whose name differs each time."""
        said = [line.split() for line in self.said.read_text().splitlines()]
        return [" ".join("own" if word.startswith("--set=") else word for word in words) for words in said]


def run(services: Services, then: str) -> int:
    return subprocess.run([sys.executable, "-c", RUN.format(then=then), services.command], cwd=REPOSITORY).returncode


@pytest.mark.parametrize(("then", "code"), [("pass", 0), ("sys.exit(3)", 3)])
def test_servers_that_a_run_starts_are_stopped_at_its_end_and_its_own_are_removed(tmp_path: Path, then, code):
    services = Services(tmp_path, runs=False)
    assert run(services, then) == code
    told = services.told()
    assert told[:6] == [
        "status s3",
        "start s3",
        "env s3",
        "own status rabbitmq",
        "own start rabbitmq",
        "own env rabbitmq",
    ]
    assert told[6] == "own remove"
    # Call it again, as somebody who makes sure would.
    assert sorted(told[7:]) == ["own remove", "stop s3"]


def test_servers_that_ran_before_keep_running(tmp_path: Path):
    services = Services(tmp_path, runs=True)
    run(services, "pass")
    assert not any("stop" in each for each in services.told())


def test_servers_of_a_killed_run_are_ended_too(tmp_path: Path):
    services = Services(tmp_path, runs=False)
    assert run(services, "os.kill(os.getpid(), 9)") == -signal.SIGKILL
    eventually(lambda: {"own remove", "stop s3"} <= set(services.told()))


def test_servers_that_are_there_already_are_used_and_none_is_started(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("SOCORRO_SERVICES_DIRECTORY", str(tmp_path / "services"))
    monkeypatch.setenv("SOCORRO_TEST_SERVICES", str(REPOSITORY / "deploy" / "compose.env"))
    assert services.service("postgresql") == {
        "resource.postgresql.database_hostname": "127.0.0.1",
        "resource.postgresql.database_port": "5432",
        "resource.postgresql.database_name": "socorro",
        "secrets.postgresql.database_username": "socorro",
        "secrets.postgresql.database_password": "socorro",
    }
    assert list((tmp_path / "services").glob("*.process")) == []


def bin_services(directory: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``bin/services`` with a directory of its own, in which nothing runs."""
    usual = {name: value for name, value in os.environ.items() if name != "SOCORRO_ELASTICSEARCH"}
    return subprocess.run(
        [REPOSITORY / "bin" / "services", *arguments],
        env={**usual, "SOCORRO_SERVICES_DIRECTORY": str(directory), **environment},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("option", "variable", "meant"),
    [
        ((), {}, "elasticsearch"),
        ((), {"SOCORRO_ELASTICSEARCH": ""}, "elasticsearch"),
        ((), {"SOCORRO_ELASTICSEARCH": "9"}, "elasticsearch-9"),
        (("--elasticsearch=9",), {}, "elasticsearch-9"),
        (("--elasticsearch=8",), {"SOCORRO_ELASTICSEARCH": "9"}, "elasticsearch"),
    ],
)
def test_the_option_or_else_the_variable_says_which_elasticsearch_is_meant(tmp_path: Path, option, variable, meant):
    asked = bin_services(tmp_path, *option, "status", "elasticsearch", **variable)
    assert asked.stdout.split() == [meant, "does", "not", "run"]


@pytest.mark.parametrize(("option", "variable"), [(("--elasticsearch=7",), {}), ((), {"SOCORRO_ELASTICSEARCH": "7"})])
def test_an_unknown_elasticsearch_version_is_refused_with_the_known_ones(tmp_path: Path, option, variable):
    asked = bin_services(tmp_path, *option, "status", **variable)
    assert asked.returncode == 2
    assert "there is no Elasticsearch 7 here; there are 8, 9" in asked.stderr


def test_stopping_everything_stops_both_elasticsearches_and_other_commands_act_on_one():
    for name in ("stop", "kill", "remove"):
        assert {Elasticsearch, Elasticsearch9} < set(command.choose(name, [], "8"))
        assert command.choose(name, ["elasticsearch"], "8") == (Elasticsearch,)
    for name in ("start", "status", "env", "install"):
        chosen = command.choose(name, [], "9")
        assert Elasticsearch9 in chosen
        assert Elasticsearch not in chosen


def test_two_elasticsearches_have_nothing_in_common(tmp_path: Path):
    two = [kind(tmp_path, tmp_path) for kind in (Elasticsearch, Elasticsearch9)]
    for what in ("directory", "process_file", "log", "state", "_home"):
        assert len({getattr(each, what) for each in two}) == 2
    assert len({port for each in two for port in (each.port("http"), each.port("transport"))}) == 4


def make_java(home: Path, version: str) -> Path:
    """Make a stand-in for an installed Java, which accepts any command."""
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "java").write_text("#!/bin/sh\n")
    (home / "bin" / "java").chmod(0o755)
    (home / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    return home


@pytest.fixture
def javas(tmp_path, monkeypatch):
    """An empty directory in place of /usr/lib/jvm; neither JAVA_HOME nor the PATH has a Java."""
    directory = tmp_path / "jvm"
    directory.mkdir()
    monkeypatch.setattr(java, "INSTALLATIONS", directory)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("SOCORRO_SERVICES_DIRECTORY", str(tmp_path / "services"))
    return directory


def home_for(kind, directory):
    return Path(kind(directory, directory).environment()["ES_JAVA_HOME"])


def test_each_elasticsearch_is_run_by_the_oldest_java_that_is_new_enough(javas, tmp_path):
    for version in ("1.8.0_452", "11.0.27", "17.0.15", "21.0.7", "25.0.3"):
        make_java(javas / version, version)
    assert home_for(Elasticsearch, tmp_path) == javas / "17.0.15"
    assert home_for(Elasticsearch9, tmp_path) == javas / "21.0.7"


def test_the_java_of_java_home_is_preferred_then_that_of_the_path_unless_it_is_too_old(javas, tmp_path, monkeypatch):
    make_java(javas / "21", "21.0.7")
    make_java(tmp_path / "path", "25.0.3")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").symlink_to(tmp_path / "path" / "bin" / "java")
    assert home_for(Elasticsearch9, tmp_path) == tmp_path / "path"
    monkeypatch.setenv("JAVA_HOME", str(make_java(tmp_path / "named", "26")))
    assert home_for(Elasticsearch9, tmp_path) == tmp_path / "named"
    monkeypatch.setenv("JAVA_HOME", str(make_java(tmp_path / "old", "17.0.15")))
    assert home_for(Elasticsearch, tmp_path) == tmp_path / "old"
    assert home_for(Elasticsearch9, tmp_path) == tmp_path / "path"


def test_elasticsearchs_java_gets_the_options_of_the_environment_too(javas, tmp_path, monkeypatch):
    make_java(javas / "17", "17.0.15")
    monkeypatch.setenv("ES_JAVA_OPTS", "-Xmx256m -XX:TieredStopAtLevel=1")
    options = Elasticsearch(tmp_path, tmp_path).environment()["ES_JAVA_OPTS"]
    # If two options contradict each other, Java takes the last.
    assert options.split() == ["-Xms512m", "-Xmx512m", "-Xmx256m", "-XX:TieredStopAtLevel=1"]


@pytest.mark.parametrize("installed", [[], ["17.0.15"]])
def test_without_a_new_enough_java_elasticsearch_9_says_so_in_one_line_and_downloads_nothing(
    javas, monkeypatch, capsys, installed
):
    for version in installed:
        make_java(javas / "old", version)
    monkeypatch.setattr(sys, "argv", ["services", "--elasticsearch=9", "start", "elasticsearch"])
    assert command.main() == 1
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("services: elasticsearch-9 needs Java 21 or newer, and this machine has ")
    assert (f"has Java 17 ({javas}/old);" if installed else "has no Java;") in line
    assert "JAVA_HOME" in line


@pytest.mark.usefixtures("javas")
@pytest.mark.parametrize("kind", [Elasticsearch, Elasticsearch9])
def test_a_download_with_another_sha256_is_not_installed(tmp_path, kind):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "mvn").write_text(
        '#!/bin/sh\nfor each; do case $each in -DoutputDirectory=*) echo x > "${each#*=}/other.zip" ;; esac; done\n'
    )
    (tmp_path / "bin" / "mvn").chmod(0o755)
    elasticsearch = kind(tmp_path, tmp_path)
    with pytest.raises(Failed, match=rf"{elasticsearch.version}:zip does not have the expected sha256"):
        elasticsearch.download()
    assert not elasticsearch._home.exists()
    assert not (tmp_path / "downloading").exists()


def test_a_directory_without_a_program_or_a_version_is_not_a_java(javas, tmp_path):
    (make_java(javas / "sources", "21") / "bin" / "java").unlink()
    (make_java(javas / "odd", "21") / "release").write_text("JAVA_VERSION=unknown\n")
    (javas / "file").touch()
    assert java.installed() == []


def test_the_page_on_production_names_the_tested_versions():
    page = (REPOSITORY / "docs" / "production.rst").read_text()
    (client,) = re.findall(r"^elasticsearch==(\S+)", (REPOSITORY / "requirements.txt").read_text(), re.MULTILINE)
    for name, server in (("RabbitMQ", RabbitMQ), ("PostgreSQL", PostgreSQL)):
        assert re.search(rf"^{name} +{re.escape(server.version)}, of Debian 12 ", page, re.MULTILINE)
    assert f"SeaweedFS {SeaweedFS.version}\n" in page
    servers = f"{Elasticsearch.version} and {Elasticsearch9.version}"
    assert f"{servers}, with version {client} of the Python client" in page
