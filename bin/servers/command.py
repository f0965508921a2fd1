"""The services that the processor uses in production, on this machine: for tests, and to look at production at home.

    bin/services start              RabbitMQ, PostgreSQL, an S3 server (SeaweedFS) and Elasticsearch
    bin/services start rabbitmq     one of them; every command accepts names
    bin/services status
    bin/services env                the processor's options for them, as shell variables
    bin/services kill postgresql    end it at once, as a crash would
    bin/services stop
    bin/services install            only install missing programs, tools of the tests too; `start` does so for a service
    bin/services remove             stop them, and remove their data and the downloaded programs
    bin/services --set=NAME start   a second set of servers, with its own ports and data
    bin/services --elasticsearch=9 start elasticsearch
                                    Elasticsearch 9 in place of 8, or beside it, with its own port and data

SOCORRO_ELASTICSEARCH=9 in the environment means --elasticsearch=9, for tests too: SOCORRO_ELASTICSEARCH=9 make test.
Elasticsearch 9 needs Java 21 or newer, in JAVA_HOME, the PATH or /usr/lib/jvm, which Debian 12 does not have.
Without a SERVICE, stop, kill and remove mean both versions. ES_JAVA_OPTS in the environment sets options of its Java.

All listen on 127.0.0.1, each on a port that was free at its first start. Everything is in one directory
below /var/tmp (SOCORRO_SERVICES_DIRECTORY names another). Started by root, they run as unprivileged users.
Exit codes: 0 done; 1 not done, or (status) not all of them run; 2 the command line is wrong.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys

from .debian import install_missing
from .directories import base_directory, locked, set_directory
from .elasticsearch import Elasticsearch, Elasticsearch9
from .postgresql import PostgreSQL
from .process import Failed
from .rabbitmq import RabbitMQ
from .seaweedfs import SeaweedFS
from .server import Server

USUAL: tuple[type[Server], ...] = (RabbitMQ, PostgreSQL, SeaweedFS, Elasticsearch)
ELASTICSEARCHES: dict[str, type[Server]] = {"8": Elasticsearch, "9": Elasticsearch9}
"""The servers by the value of ``--elasticsearch``."""
ALL: tuple[type[Server], ...] = (*USUAL, Elasticsearch9)
NAMES = [server.name for server in USUAL]
TOOLS = (
    "faketime",
    "bubblewrap",
    "zsh",
    "fish",
    "prometheus",
    "binutils",
    "libc6-dbg",
    "chromium",
    "curl",
    "nginx-light",
)
"""Debian packages that tests need besides the servers.

They provide a clock that jumps, the sandbox of docs/security.rst, shells, Prometheus, readelf, symbols of the C
library, a browser that looks at the pages and brings a handler of Crashpad along, curl, and a proxy before the server.
"""
COMPILERS = {"g++": "g++", "cargo": "cargo-web|cargo"}
"""Compilers of the tests, and the packages of each, the newer first: the first that Debian has is installed."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=tuple(COMMANDS))
    parser.add_argument("names", metavar="SERVICE", nargs="*", help=f"one of {', '.join(NAMES)}; default: all")
    parser.add_argument("--set", metavar="NAME", type=_set_name, help="a second set of servers; default: the usual set")
    parser.add_argument(
        "--elasticsearch",
        metavar="VERSION",
        default=os.environ.get("SOCORRO_ELASTICSEARCH") or "8",
        help=f"{' or '.join(ELASTICSEARCHES)}; default: SOCORRO_ELASTICSEARCH, or 8",
    )
    arguments = parser.parse_args()
    if arguments.elasticsearch not in ELASTICSEARCHES:
        parser.error(
            f"there is no Elasticsearch {arguments.elasticsearch} here; there are {', '.join(ELASTICSEARCHES)} "
            "(--elasticsearch, SOCORRO_ELASTICSEARCH)"
        )
    if unknown := set(arguments.names) - set(NAMES):
        parser.error(f"there is no service {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    try:
        base = base_directory()
        place = set_directory(base, arguments.set) if arguments.set else base
        chosen = choose(arguments.command, arguments.names, arguments.elasticsearch)
        servers = [server(base, place) for server in chosen]
        if arguments.set and arguments.command == "start":
            # All sets share the programs, and no two sets share a port.
            with locked(base):
                for server in servers:
                    server.install()
                    server.settings()
        with locked(place):
            return COMMANDS[arguments.command](servers)
    except (Failed, OSError) as error:
        print(f"services: {error}", file=sys.stderr)
    return 1


def choose(command: str, names: list[str], elasticsearch: str) -> tuple[type[Server], ...]:
    """Return the servers of a command; ``names`` are its arguments."""
    everything = not names or set(NAMES) <= set(names)
    if everything and command in ("stop", "kill", "remove"):
        return ALL
    wanted = (server for server in USUAL if everything or server.name in names)
    return tuple(ELASTICSEARCHES[elasticsearch] if server.name == Elasticsearch.name else server for server in wanted)


def start(servers: list[Server]) -> int:
    # Each needs a while, so all start at once.
    for server in servers:
        server.start()
    for server in servers:
        server.wait_until_ready()
        print(f"{server.title} answers on 127.0.0.1:{server.port()}")
    return 0


def stop(servers: list[Server]) -> int:
    for server in servers:
        server.ask_to_end()
    for server in servers:
        server.wait_for_end(server.ends_within)
    return 0


def kill(servers: list[Server]) -> int:
    for server in servers:
        server.wait_for_end(0.0)
    return 0


def status(servers: list[Server]) -> int:
    running = [server.is_running() for server in servers]
    for server, runs in zip(servers, running, strict=True):
        print(f"{server.title:<16}{f'runs on 127.0.0.1:{server.port()}' if runs else 'does not run'}")
    return 0 if all(running) else 1


def env(servers: list[Server]) -> int:
    for server in servers:
        for option, value in server.options().items():
            print(f"export SOCORRO__{option.replace('.', '__').upper()}={shlex.quote(value)}")
    return 0


def install(servers: list[Server]) -> int:
    for server in servers:
        server.install()
    if len(servers) == len(USUAL):
        install_missing([*TOOLS, *(packages for program, packages in COMPILERS.items() if not shutil.which(program))])
    return 0


def remove(servers: list[Server]) -> int:
    stop(servers)
    for server in servers:
        server.remove_data()
    if len(servers) == len(ALL):
        place = servers[0].place
        for other in place.glob("sets/*"):
            stop([server(other, other) for server in ALL])
        shutil.rmtree(place)
    return 0


COMMANDS = {
    "start": start,
    "stop": stop,
    "kill": kill,
    "status": status,
    "env": env,
    "install": install,
    "remove": remove,
}


def _set_name(text: str) -> str:
    if not text.isalnum():
        raise argparse.ArgumentTypeError(f"{text!r} has other characters than letters and digits")
    return text
