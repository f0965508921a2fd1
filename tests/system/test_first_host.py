"""`docs/production.rst`, *The first host*, followed to the letter on a machine without any trace of this project.

The machine is this one in a mount namespace: files that the page writes below /etc, /opt, /usr/local and /var/lib
vanish with it. In place of systemd, a script runs the unit's command, as its user and with its environment.
"""

import os
import re
import signal
import subprocess
import tarfile
import textwrap
from pathlib import Path

import pytest

from socorro_processor.cli.all_options import all_options
from socorro_processor.configuration import Configuration, read_ini
from tests.shared import REPOSITORY
from tests.system.daemon import variables
from tests.system.production import CONFIGURATION, production

_BLOCK = re.compile(r"^\.\. code-block:: \w+\n    :caption: (.+)\n\n((?:    .*\n|\n)+)", re.MULTILINE)


def page() -> dict[str, str]:
    """The blocks of the section, by their captions."""
    text = (REPOSITORY / "docs" / "production.rst").read_text()
    section = text.partition("The first host\n")[2].partition("TLS and logins\n")[0]
    return {caption: textwrap.dedent(block) for caption, block in _BLOCK.findall(section)}


def checkout(archive: Path) -> None:
    """Copy the tracked files, in their current state."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True, text=True).stdout
    with tarfile.open(archive, "w") as tar:
        for name in filter(None, names.split("\0")):
            tar.add(REPOSITORY / name, name)


SYSTEMCTL = """\
#!/bin/bash -eu
case "$*" in
    daemon-reload) ;;
    "enable --now socorro-processor")
        units=/usr/local/lib/systemd/system
        . <(sed -n 's/^User=/user=/p; s/^Environment=/export /p' $units/socorro-processor.service.d/10-common.conf)
        set -a; . /etc/socorro/processor.env; set +a
        install -d -o "$user" -g "$user" /var/lib/socorro
        cd /var/lib/socorro
        setpriv --reuid="$user" --regid="$user" --clear-groups --no-new-privs \\
            $(sed -n 's/^ExecStart=//p' $units/socorro-processor.service) &> "$WORK/log" &
        echo $! > "$WORK/pid"
        ;;
    *) exit 2 ;;
esac
"""

MACHINE = """\
for directory in /etc /usr/local /var/lib; do
    mkdir -p "$WORK/upper$directory" "$WORK/work$directory"
    upper=$WORK/upper$directory,workdir=$WORK/work$directory
    mount -t overlay -o "lowerdir=$directory,upperdir=$upper" none $directory
done
mount -t tmpfs none /opt
mkdir /opt/socorro-processor
cd /opt/socorro-processor
tar --extract --no-same-owner --file "$WORK/checkout.tar"
"""


@pytest.mark.timeout(600)
def test_the_page_leads_from_a_bare_machine_to_a_crash_that_elasticsearch_finds(tmp_path: Path):
    blocks = page()
    for directory in ("bin", "installation"):
        (tmp_path / directory).mkdir()
    (tmp_path / "bin" / "systemctl").write_text(SYSTEMCTL)
    (tmp_path / "bin" / "systemctl").chmod(0o755)
    checkout(tmp_path / "checkout.tar")
    with production(tmp_path / "installation") as installation:
        addresses = variables(installation.options)
        secrets = "".join(f"{name}='{value}'\n" for name, value in addresses.items())
        steps = [
            MACHINE,
            blocks["install"],
            f"cat > /etc/socorro/processor.env <<'END'\n{secrets}END\n",
            *(blocks[caption] for caption in ("environment", "set up", "start", "first crash")),
        ]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SOCORRO_")}
        environment |= {"PATH": f"{tmp_path}/bin:/usr/sbin:/usr/bin:/sbin:/bin", "WORK": str(tmp_path)}
        # Python compiles what is imported, which is not half of it.
        environment["PIP_COMPILE"] = "0"
        try:
            done = subprocess.run(
                ["unshare", "--mount", "bash", "-eux", "-c", "\n".join(steps)],
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=500,
            )
            log = (tmp_path / "log").read_text() if (tmp_path / "log").exists() else ""
        finally:
            if (tmp_path / "pid").exists():
                os.kill(int((tmp_path / "pid").read_text()), signal.SIGTERM)
    assert done.returncode == 0, f"{done.stderr}\n{done.stdout}\n{log}"
    assert "Crashing thread 3, Thumbnailer #2" in done.stdout
    assert done.stdout.splitlines()[-1] == "1 would be queued as reprocessing"


def test_the_page_names_only_existing_secrets():
    named = {line.partition("=")[0] for line in page()["/etc/socorro/processor.env"].split()}
    options = Configuration(all_options(), [read_ini(CONFIGURATION)]).options()
    assert named <= set(variables({key: "" for key, _ in options}))
    assert len(named) == 7
