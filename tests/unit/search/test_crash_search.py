"""Searches for crashes with only a configuration, without a command."""

from contextlib import closing

import pytest

from socorro_processor.app.processor_app import ProcessorApp
from socorro_processor.configuration import Configuration, Source, class_name, defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.crashstorage.memory import InMemoryCrashStorage
from socorro_processor.crashstorage.newest import CrashSummary
from socorro_processor.errors import ConfigurationError, SocorroError
from socorro_processor.search.crash_search import CrashSearch
from socorro_processor.search.indexed_filesystem import IndexedFileSystemCrashStorage
from socorro_processor.search.query import CrashQuery


@pytest.fixture
def searching(tmp_path):
    """A search of stores in this directory; further options override."""

    def searching(**options: str):
        given = {"resource.filesystem.root": str(tmp_path)} | {
            f"{name}.crashstorage_class": value for name, value in options.items()
        }
        return closing(CrashSearch(Configuration(ProcessorApp.get_required_config(), [Source(given)]).values))

    return searching


@pytest.fixture
def store(tmp_path):
    with closing(FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=str(tmp_path)))) as store:
        store.setup()
        yield store


def test_the_newest_crashes_come_with_the_name_of_their_store(store, searching):
    crash_ids = {new_crash_id() for _ in range(3)}
    for crash_id in crash_ids:
        store.save_processed({"uuid": crash_id, "signature": "OOM"})
    with searching() as search:
        name, crashes = search.newest(2, "OOM")
        found = {crash.crash_id for crash in crashes}
        assert (name, len(found), found < crash_ids) == (str(store), 2, True)
        assert list(search.newest(2, "OOM", "Lightbox")[1]) == []


def test_a_destination_that_cannot_list_its_crashes_gives_way_to_the_source(store, searching):
    store.save_raw_crash({}, {}, new_crash_id())
    memory = class_name(InMemoryCrashStorage)
    with searching(destination=memory) as search:
        assert len(list(search.newest(5)[1])) == 1
    with searching(destination=memory, source=memory) as search, pytest.raises(SocorroError, match="cannot list"):
        search.newest(5)


def test_without_elasticsearch_and_index_there_is_nothing_to_search(searching):
    files = class_name(FileSystemCrashStorage)
    with searching(destination=files) as search, pytest.raises(ConfigurationError, match="cannot search for crashes"):
        search.crash_ids(CrashQuery(signature="OOM"))
    with searching(destination=files) as search, pytest.raises(ConfigurationError, match="is a search index"):
        search.index()


def test_an_index_with_all_crashes_lists_those_of_a_signature_or_product(searching, tmp_path):
    config = defaults(IndexedFileSystemCrashStorage, root=str(tmp_path))
    crash_ids = [new_crash_id() for _ in range(3)]
    with closing(IndexedFileSystemCrashStorage(config)) as store:
        for hour, crash_id in enumerate(crash_ids):
            moment = f"2016-11-23T0{hour}:00:00.264722+00:00"
            store.save_processed(
                {
                    "uuid": crash_id,
                    "product": "Lightbox",
                    "version": "1",
                    "date_processed": moment,
                    "submitted_timestamp": moment,
                    "signature": f"{hour % 2}",
                }
            )
    with searching() as search:
        place, crashes = search.newest(2, None, "Lightbox")
        assert place == f"search index {tmp_path}/search"
        newest = next(crashes)
        assert newest == CrashSummary(crash_ids[2], "2016-11-23T02:00:00.264000+00:00", "Lightbox", "1", "0")
        assert [crash.crash_id for crash in crashes] == [crash_ids[1]]
        assert [crash.crash_id for crash in search.newest(5, "0", "Lightbox")[1]] == [crash_ids[2], crash_ids[0]]
        assert list(search.newest(5, "0", "Frame")[1]) == []
    (tmp_path / "search" / "complete").unlink()
    with searching() as search:
        place, crashes = search.newest(5, "0")
        assert (place, len(list(crashes))) == (f"FileSystemCrashStorage in {tmp_path}", 2)
