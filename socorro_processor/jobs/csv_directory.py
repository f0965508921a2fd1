"""Files of the jobs in a directory, in place of a bucket: for one machine."""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from pathlib import Path

from socorro_processor.configuration import DotDict, Namespace, RequiredConfig
from socorro_processor.errors import TransientStorageError


class CSVDirectory(RequiredConfig):
    """What S3Bucket is to this job: ``put`` writes a file as a whole, in place of the one that may be there."""

    required_config = Namespace()
    required_config.add_option("directory", default="socorro-data", doc="the directory that the files are written in")

    def __init__(self, config: DotDict) -> None:
        self._directory = Path(config.directory)

    def put(self, key: str, content: Path) -> None:
        path = self._directory / key
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with temporary.open("wb") as file, content.open("rb") as source:
                    while chunk := source.read(1 << 20):
                        file.write(chunk)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(path)
            finally:
                with suppress(FileNotFoundError):
                    temporary.unlink()
        except OSError as error:
            raise TransientStorageError(f"cannot write {path}: {error.strerror}") from error

    def check(self) -> None:
        """The first file makes the directory."""

    def close(self) -> None:
        """Nothing is open."""

    def __str__(self) -> str:
        return f"directory {self._directory}"
