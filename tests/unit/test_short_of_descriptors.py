"""A file that cannot be read for want of descriptors is no wrong configuration."""

import resource

import pytest

from socorro_processor.configuration.sources import read_ini
from socorro_processor.crashstorage.reduction import read_schema
from socorro_processor.errors import ConfigurationError, is_of_this_machine
from socorro_processor.reference.file import default_file, read_tables
from socorro_processor.signature.siglists import SigLists, default_directory_of_2026
from tests.shared import REPOSITORY

READERS = {
    "signature lists": lambda: SigLists.load(default_directory_of_2026()),
    "reference data": lambda: read_tables(default_file()),
    "schema": lambda: read_schema(REPOSITORY / "config" / "crash_report_schema.json"),
    "ini": lambda: read_ini(REPOSITORY / "config" / "processor.ini"),
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_the_machine_is_at_fault_and_not_the_file(read):
    read()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(ConfigurationError, match="Too many open files") as caught:
            read()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert is_of_this_machine(caught.value)


def test_a_missing_file_is_the_configurations_fault(tmp_path):
    with pytest.raises(ConfigurationError) as caught:
        read_tables(tmp_path / "missing.json")
    assert not is_of_this_machine(caught.value)
