"""RabbitMQ from Debian's package, with its own Erlang node and epmd; it is ready once it speaks AMQP."""

from __future__ import annotations

import socket
from pathlib import Path

from .server import Server


class RabbitMQ(Server):
    name = "rabbitmq"
    version = "3.10.8"
    user = "rabbitmq"
    ports = ("amqp", "distribution", "epmd")
    home = Path("/usr/lib/rabbitmq/bin")

    def packages(self) -> tuple[str, ...]:
        return ("rabbitmq-server",)

    def is_installed(self) -> bool:
        return (self.home / "rabbitmq-server").exists()

    def prepare(self) -> None:
        settings = self.settings()
        self.write_secret(
            "rabbitmq.conf",
            f"listeners.tcp.1 = 127.0.0.1:{settings['amqp']}\n"
            f"default_user = socorro\ndefault_pass = {settings['password']}\n"
            # Tests also run on a small disk.
            "disk_free_limit.absolute = 50MB\n",
        )
        (self.directory / "enabled_plugins").write_text("[].\n")

    def command(self) -> list[str]:
        # It would start an epmd that stays behind as a daemon, so this one is started, which ends with it.
        epmd = f"epmd -address 127.0.0.1 -port {self.port('epmd')} & exec {self.home}/rabbitmq-server"
        return ["/bin/sh", "-c", epmd]

    def environment(self) -> dict[str, str]:
        directory = self.directory
        return {
            # Runs Erlang in this very process, instead of a shell in front of it.
            "detached": "true",
            "ERL_EPMD_PORT": self.port("epmd"),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": "socorro@localhost",
            "RABBITMQ_DIST_PORT": self.port("distribution"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none",
            "RABBITMQ_CONFIG_FILE": f"{directory}/rabbitmq.conf",
            "RABBITMQ_CONF_ENV_FILE": f"{directory}/rabbitmq-env.conf",
            "RABBITMQ_MNESIA_BASE": f"{directory}/data",
            "RABBITMQ_LOG_BASE": f"{directory}/log",
            "RABBITMQ_PID_FILE": f"{directory}/pid",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{directory}/enabled_plugins",
        }

    def answers(self) -> bool:
        with socket.create_connection(("127.0.0.1", int(self.port())), timeout=2) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            return connection.recv(1) == b"\x01"

    def options(self) -> dict[str, str]:
        return {
            "resource.rabbitmq.host": "127.0.0.1",
            "resource.rabbitmq.port": self.port(),
            "resource.rabbitmq.virtual_host": "/",
            "secrets.rabbitmq.rabbitmq_user": "socorro",
            "secrets.rabbitmq.rabbitmq_password": self.settings()["password"],
        }
