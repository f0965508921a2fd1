"""PostgreSQL from Debian's package, with its own cluster; it is ready once its database exists."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from .process import as_user, run
from .server import Server


class PostgreSQL(Server):
    name = "postgresql"
    version = "15"
    user = "postgres"
    ports = ("postgresql",)
    # With SIGINT it does not wait for its clients to disconnect.
    end_signal = signal.SIGINT

    def packages(self) -> tuple[str, ...]:
        return ("postgresql",)

    def is_installed(self) -> bool:
        return any(self._programs())

    def prepare(self) -> None:
        if (self.directory / "data").exists():
            return
        password = self.write_secret("password", self.settings()["password"])
        new = self.directory / "new"
        shutil.rmtree(new, ignore_errors=True)
        run(
            [
                f"{self._program()}/initdb", "--pgdata", str(new), "--username=socorro", f"--pwfile={password}",
                "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8",
            ],
            cwd=self.directory,
            **as_user(self.user),
        )  # fmt: skip
        new.rename(self.directory / "data")

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port(),
            "unix_socket_directories": str(self.directory),
            # Data is lost only if the machine itself crashes.
            "fsync": "off",
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [f"{self._program()}/postgres", "-D", str(self.directory / "data"), *options]

    def answers(self) -> bool:
        psql = [f"{self._program()}/psql", "-h", "127.0.0.1", "-p", self.port(), "-U", "socorro", "-d", "postgres"]
        environment = {"PGPASSWORD": self.settings()["password"], "PGCONNECT_TIMEOUT": "2"}
        query = "SELECT 1 FROM pg_database WHERE datname = 'socorro'"
        answer = subprocess.run([*psql, "-Atc", query], env=environment, capture_output=True, text=True)
        if answer.returncode:
            return False
        if not answer.stdout.strip():
            subprocess.run([*psql, "-c", "CREATE DATABASE socorro"], env=environment, capture_output=True, check=False)
            return False
        return True

    def options(self) -> dict[str, str]:
        return {
            "resource.postgresql.database_hostname": "127.0.0.1",
            "resource.postgresql.database_port": self.port(),
            "resource.postgresql.database_name": "socorro",
            "secrets.postgresql.database_username": "socorro",
            "secrets.postgresql.database_password": self.settings()["password"],
        }

    def _programs(self) -> Iterator[Path]:
        yield from (path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb"))

    def _program(self) -> Path:
        return max(self._programs(), key=lambda path: int(path.parent.name.split(".")[0]))
