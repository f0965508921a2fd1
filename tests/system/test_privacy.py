"""Logs, metrics, health and messages disclose no personal data of strangers, and no secret."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from socorro_processor.crash_id import new_crash_id
from tests.integration.s3_bucket import put_object
from tests.ports import free_port
from tests.shared import SAMPLES
from tests.statsd_server import StatsdServer
from tests.system.production import Production
from tests.system.production import production as set_up

ANNOTATIONS = {
    "URL": "https://marker.example/a/path",
    "Email": "marker@example.com",
    "Comments": "marker\n2016-11-23T12:34:56.789Z INFO a forged line",
    "PluginContentURL": "https://marker.example",
    "PluginUserComment": "marker",
    "UserID": "marker",
    "SecondsSinceLastCrash": "marker",
    "InstallTime": "marker",
    "StartupTime": "marker",
    "Add-ons": "marker%40example.com:1,marker",
    "marker": "marker",
    "ProductName": "marker\nx:1|c",
    "ReleaseChannel": "marker",
    "ProcessType": "plugin",
    "PluginFilename": "marker",
    "Winsock_LSP": {"marker": ["marker"]},
}
"""Every word that a stranger may choose is a marker, or contains one."""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """Return the log at DEBUG of a crash that is saved, one that is damaged, and one that a store refuses."""
    directory = tmp_path_factory.mktemp("production")
    with StatsdServer() as statsd:
        options = {"metrics.statsd_host": statsd.host, "metrics.statsd_port": str(statsd.port)}
        with set_up(directory, **options) as installation:
            yield _seen(installation, directory, statsd)


def _seen(installation: Production, directory: Path, statsd: StatsdServer) -> SimpleNamespace:
    (directory / "annotations.json").write_text(json.dumps(ANNOTATIONS))
    port = free_port()
    daemon = installation.start("--logging.level=DEBUG", f"--health.port={port}")
    dump = SAMPLES / "segfault" / "upload_file_minidump.dmp"
    saved = installation.submit(dump, "--raw-crash", directory / "annotations.json")
    daemon.wait_for_log(f"{saved} saved")

    damaged = new_crash_id()
    put_object(installation.bucket, f"v2/raw_crash/{damaged[:3]}/20{damaged[-6:]}/{damaged}", b'{"URL": "marker"')
    assert installation.socorro("reprocess", damaged).returncode == 0
    daemon.wait_for_log(f"{damaged} is parked")

    # PostgreSQL's message about a row that it refuses quotes the row.
    installation.database.execute("ALTER TABLE raw_crashes ADD CHECK (raw_crash::text NOT LIKE '%marker%') NOT VALID")
    assert installation.socorro("reprocess", saved).returncode == 0
    daemon.wait_for_log(f"{saved} will be tried again")
    with pytest.raises(urllib.error.HTTPError) as not_ready:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5)
    told = {
        "health": not_ready.value.read().decode(),
        "metrics": "\n".join(statsd.lines()),
        **{
            " ".join(arguments): (done := installation.socorro(*arguments)).stdout + done.stderr
            for arguments in (
                ("queue", "parked"),
                ("queue", "status"),
                ("doctor",),
                ("processor", "--admin.print_conf=ini"),
                ("processor", "--help-config", "--all"),
                ("processor", "--secrets.boto.secret_acces_key=marker"),
            )
        },
    }
    assert daemon.stop() == 0
    return SimpleNamespace(installation=installation, told={"log": daemon.log, **told})


def test_nothing_personal_is_disclosed(seen):
    assert "raw_crashes" in seen.told["health"]
    assert "processor.crash.saved" in seen.told["metrics"]
    assert {part for part, text in seen.told.items() if "marker" in text} == set()


def test_no_secret_is_disclosed(seen):
    secrets = {
        value
        for option, value in seen.installation.options.items()
        if option.startswith("secrets.") and ("password" in option or "key" in option)
    }
    assert len(secrets) >= 1
    # S3 accepts it as proof of the secret.
    secrets.add("AWS4-HMAC-SHA256")
    assert {part for part, text in seen.told.items() if any(secret in text for secret in secrets)} == set()


def test_a_stranger_cannot_forge_a_log_line(seen):
    assert "forged" not in seen.told["log"]
