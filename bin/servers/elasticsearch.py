"""Elasticsearch 8 and 9, from Maven Central, verified by hash; it is ready once its cluster is healthy."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

from . import java
from .directories import download_directory, python_with_pip
from .process import Failed, run
from .server import Server, get

ARTIFACT = "org.elasticsearch.distribution.integ-test-zip:elasticsearch:{}:zip"


class Elasticsearch(Server):
    name = "elasticsearch"
    user = "nobody"
    ports = ("http", "transport")
    version = "8.19.21"
    sha256 = "215d5f3dbf0609a149f6218a9e47b6ae2df34ebbff3c5754e35f15a5e5393c8a"
    size = "107 MB"
    oldest_java = 17
    """The oldest version of Java that runs it."""
    memory_for_indexing = "15%"
    """A share of the heap, above the default: several tests may save crashes of 20 MB at the same time."""

    def packages(self) -> tuple[str, ...]:
        return ("maven",) if self._java_home() else ("openjdk-17-jre-headless", "maven")

    def is_installed(self) -> bool:
        return self._java_home() is not None and self._home.exists()

    @property
    def _home(self) -> Path:
        return self.base / f"elasticsearch-{self.version}"

    def _java_home(self) -> Path | None:
        return next((home for version, home in java.installed() if version >= self.oldest_java), None)

    def download(self) -> None:
        artifact = ARTIFACT.format(self.version)
        print(f"getting {artifact} from Maven Central for {self.title} ({self.size})", flush=True)
        with download_directory(self.base) as directory:
            copy = [f"-Dartifact={artifact}", f"-DoutputDirectory={directory}"]
            run(["mvn", "--quiet", "--batch-mode", "dependency:copy", *copy], cwd=directory)
            (archive,) = directory.glob("*.zip")
            if hashlib.sha256(archive.read_bytes()).hexdigest() != self.sha256:
                raise Failed(f"the file from Maven Central for {artifact} does not have the expected sha256")
            # Python's zipfile does not restore which files are executable.
            run([python_with_pip(), "-m", "zipfile", "-e", str(archive), str(directory)])
            (home,) = (path for path in directory.iterdir() if path.is_dir())
            for program in (*(home / "bin").iterdir(), *home.glob("modules/*/platform/*/bin/*")):
                program.chmod(0o755)
            home.rename(self._home)

    def prepare(self) -> None:
        configuration = self.directory / "config"
        if not configuration.exists():
            shutil.copytree(self._home / "config", configuration)
        (configuration / "elasticsearch.yml").write_text(
            f"cluster.name: socorro\nnode.name: socorro\ndiscovery.type: single-node\nnetwork.host: 127.0.0.1\n"
            f"http.port: {self.port()}\ntransport.port: {self.port('transport')}\n"
            f"path.data: {self.directory}/data\npath.logs: {self.directory}/log\n"
            "xpack.security.enabled: false\n"
            # Tests also run on a small disk.
            "cluster.routing.allocation.disk.threshold_enabled: false\n"
            f"indexing_pressure.memory.limit: {self.memory_for_indexing}\n"
        )
        # It refuses a temporary directory that has the configuration in it.
        temporary = self.directory / "temporary"
        temporary.mkdir(exist_ok=True)
        self.give(configuration, *configuration.rglob("*"), temporary)

    def command(self) -> list[str]:
        return [str(self._home / "bin" / "elasticsearch")]

    def environment(self) -> dict[str, str]:
        return {
            "ES_JAVA_HOME": str(self._java_home()),
            # Its launcher has a Java of its own, which lives too shortly for the thorough compiler.
            "CLI_JAVA_OPTS": "-XX:TieredStopAtLevel=1",
            "ES_JAVA_OPTS": f"-Xms512m -Xmx512m {os.environ.get('ES_JAVA_OPTS', '')}",
            "ES_PATH_CONF": str(self.directory / "config"),
            "ES_TMPDIR": str(self.directory / "temporary"),
        }

    def answers(self) -> bool:
        health = json.loads(get(f"http://127.0.0.1:{self.port()}/_cluster/health"))
        return health["status"] in ("green", "yellow")

    def options(self) -> dict[str, str]:
        return {"resource.elasticsearch.elasticsearch_urls": f"http://127.0.0.1:{self.port()}"}


class Elasticsearch9(Elasticsearch):
    suffix = "-9"
    version = "9.2.0"
    sha256 = "bf44938a0490ba2a303d39c9cb64b38963dd08c812ce93e10816e878585bcb6b"
    size = "99 MB"
    oldest_java = 21
    # It needs five times the memory for a document, and the tests' documents are as large as for 8.
    memory_for_indexing = "60%"

    def install(self) -> None:
        if self._java_home() is None:
            installed = ", ".join(f"Java {version} ({home})" for version, home in java.installed()) or "no Java"
            raise Failed(
                f"{self.title} needs Java {self.oldest_java} or newer, and this machine has {installed}; install one "
                f"below {java.INSTALLATIONS}, as `apt-get install openjdk-21-jre-headless` does on Debian 13, or set "
                "JAVA_HOME"
            )
        super().install()
