"""What a run starts ends with it, however it ends; which Elasticsearch ``bin/services`` means, and its Java."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services import module_of_services
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
    """What stands for ``bin/services``, and remembers what it was told."""

    def __init__(self, directory: Path, runs: bool) -> None:
        self.said = directory / "said"
        self.command = directory / "services"
        self.command.write_text(SERVICES.format(said=self.said, runs=int(not runs)))
        self.command.chmod(0o755)

    def told(self) -> list[str]:
        """By its set, where it has one, which has another name each time."""
        said = [line.split() for line in self.said.read_text().splitlines()]
        return [" ".join("own" if word.startswith("--set=") else word for word in words) for words in said]


def run(services: Services, then: str) -> int:
    return subprocess.run([sys.executable, "-c", RUN.format(then=then), services.command], cwd=REPOSITORY).returncode


@pytest.mark.parametrize(("then", "code"), [("pass", 0), ("sys.exit(3)", 3)])
def test_what_a_run_starts_is_stopped_at_its_end_and_servers_of_its_own_are_removed(tmp_path: Path, then, code):
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
    # Once more, by whoever makes sure of it.
    assert sorted(told[7:]) == ["own remove", "stop s3"]


def test_what_ran_before_goes_on(tmp_path: Path):
    services = Services(tmp_path, runs=True)
    run(services, "pass")
    assert not any("stop" in each for each in services.told())


def test_what_a_killed_run_has_started_is_ended_as_well(tmp_path: Path):
    services = Services(tmp_path, runs=False)
    assert run(services, "os.kill(os.getpid(), 9)") == -signal.SIGKILL
    eventually(lambda: {"own remove", "stop s3"} <= set(services.told()))


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
def test_of_an_elasticsearch_that_it_does_not_know_it_says_which_there_are(tmp_path: Path, option, variable):
    asked = bin_services(tmp_path, *option, "status", **variable)
    assert asked.returncode == 2
    assert "there is no Elasticsearch 7 here; there are 8, 9" in asked.stderr


def test_what_ends_all_services_ends_both_elasticsearches_and_other_commands_are_for_one():
    program = module_of_services()
    for command in ("stop", "kill", "remove"):
        assert {program.Elasticsearch, program.Elasticsearch9} < set(program.choose(command, [], "8"))
        assert program.choose(command, ["elasticsearch"], "8") == (program.Elasticsearch,)
    for command in ("start", "status", "env", "install"):
        chosen = program.choose(command, [], "9")
        assert program.Elasticsearch9 in chosen
        assert program.Elasticsearch not in chosen


def test_two_elasticsearches_have_nothing_in_common(tmp_path: Path):
    program = module_of_services()
    two = [kind(tmp_path, tmp_path) for kind in (program.Elasticsearch, program.Elasticsearch9)]
    for what in ("directory", "process_file", "log", "state", "_home"):
        assert len({getattr(each, what) for each in two}) == 2
    assert len({port for each in two for port in (each.port("http"), each.port("transport"))}) == 4


def java(home: Path, version: str) -> Path:
    """Make what stands for an installed Java, which takes any command."""
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "java").write_text("#!/bin/sh\n")
    (home / "bin" / "java").chmod(0o755)
    (home / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    return home


@pytest.fixture
def javas(tmp_path, monkeypatch):
    """The program where /usr/lib/jvm is an empty directory, and neither JAVA_HOME nor the PATH have a Java."""
    program = module_of_services()
    program.JAVAS = tmp_path / "jvm"
    program.JAVAS.mkdir()
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("SOCORRO_SERVICES_DIRECTORY", str(tmp_path / "services"))
    return program


def home_for(kind, directory):
    return Path(kind(directory, directory).environment()["ES_JAVA_HOME"])


def test_each_elasticsearch_is_run_by_the_oldest_java_that_is_new_enough(javas, tmp_path):
    for version in ("1.8.0_452", "11.0.27", "17.0.15", "21.0.7", "25.0.3"):
        java(javas.JAVAS / version, version)
    assert home_for(javas.Elasticsearch, tmp_path) == javas.JAVAS / "17.0.15"
    assert home_for(javas.Elasticsearch9, tmp_path) == javas.JAVAS / "21.0.7"


def test_the_java_of_java_home_is_preferred_then_that_of_the_path_unless_it_is_too_old(javas, tmp_path, monkeypatch):
    java(javas.JAVAS / "21", "21.0.7")
    java(tmp_path / "path", "25.0.3")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").symlink_to(tmp_path / "path" / "bin" / "java")
    assert home_for(javas.Elasticsearch9, tmp_path) == tmp_path / "path"
    monkeypatch.setenv("JAVA_HOME", str(java(tmp_path / "named", "26")))
    assert home_for(javas.Elasticsearch9, tmp_path) == tmp_path / "named"
    monkeypatch.setenv("JAVA_HOME", str(java(tmp_path / "old", "17.0.15")))
    assert home_for(javas.Elasticsearch, tmp_path) == tmp_path / "old"
    assert home_for(javas.Elasticsearch9, tmp_path) == tmp_path / "path"


@pytest.mark.parametrize("installed", [[], ["17.0.15"]])
def test_without_a_java_that_is_new_enough_elasticsearch_9_says_so_in_a_line_and_gets_nothing(
    javas, monkeypatch, capsys, installed
):
    for version in installed:
        java(javas.JAVAS / "old", version)
    monkeypatch.setattr(sys, "argv", ["services", "--elasticsearch=9", "start", "elasticsearch"])
    assert javas.main() == 1
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("services: elasticsearch-9 needs Java 21 or newer, and this machine has ")
    assert (f"has Java 17 ({javas.JAVAS}/old);" if installed else "has no Java;") in line
    assert "JAVA_HOME" in line


@pytest.mark.parametrize("kind", ["Elasticsearch", "Elasticsearch9"])
def test_a_download_with_another_sha256_is_not_put_in(javas, tmp_path, kind):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "mvn").write_text(
        '#!/bin/sh\nfor each; do case $each in -DoutputDirectory=*) echo x > "${each#*=}/other.zip" ;; esac; done\n'
    )
    (tmp_path / "bin" / "mvn").chmod(0o755)
    elasticsearch = getattr(javas, kind)(tmp_path, tmp_path)
    with pytest.raises(javas.Failed, match=rf"{elasticsearch.version}:zip does not have the expected sha256"):
        elasticsearch.download()
    assert not elasticsearch._home.exists()
    assert not (tmp_path / "downloading").exists()


def test_a_directory_without_a_program_or_a_version_is_no_java(javas, tmp_path):
    (java(javas.JAVAS / "sources", "21") / "bin" / "java").unlink()
    (java(javas.JAVAS / "odd", "21") / "release").write_text("JAVA_VERSION=unknown\n")
    (javas.JAVAS / "file").touch()
    assert javas.javas() == []


def test_the_page_of_production_names_the_versions_that_are_tried():
    program = module_of_services()
    page = (REPOSITORY / "docs" / "production.rst").read_text()
    (client,) = re.findall(r"^elasticsearch==(\S+)", (REPOSITORY / "requirements.txt").read_text(), re.MULTILINE)
    assert f"SeaweedFS {program.SEAWEEDFS.partition('==')[2]}\n" in page
    servers = f"{program.Elasticsearch.version} and {program.Elasticsearch9.version}"
    assert f"{servers}, with version {client} of the Python client" in page
