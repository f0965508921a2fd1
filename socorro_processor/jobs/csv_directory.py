"""A directory for the files of jobs, in place of a bucket, for one machine."""

from __future__ import annotations

import shutil
from pathlib import Path

from socorro_processor.configuration import DotDict, Namespace, RequiredConfig
from socorro_processor.errors import TransientStorageError
from socorro_processor.machine.regular_file import replacing


class CSVDirectory(RequiredConfig):
    """A directory with the methods of S3Bucket that jobs use; ``put`` replaces a file atomically."""

    required_config = Namespace()
    required_config.add_option("directory", default="socorro-data", doc="the directory for the files")

    def __init__(self, config: DotDict) -> None:
        self._directory = Path(config.directory)

    def put(self, key: str, content: Path) -> None:
        path = self._directory / key
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as file, content.open("rb") as source:
                shutil.copyfileobj(source, file)
        except OSError as error:
            raise TransientStorageError(f"cannot write {path}: {error.strerror}") from error

    def check(self) -> None:
        """Do nothing: ``put`` creates the directory."""

    def close(self) -> None:
        """Do nothing: nothing is open."""

    def __str__(self) -> str:
        return f"directory {self._directory}"
