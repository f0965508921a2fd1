"""Searches for crashes with only a configuration, without a command."""

from contextlib import closing

import pytest

from socorro_processor.app.processor_app import ProcessorApp
from socorro_processor.configuration import Configuration, Source, class_name, defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.crashstorage.memory import InMemoryCrashStorage
from socorro_processor.errors import ConfigurationError, SocorroError
from socorro_processor.search.crash_search import CrashSearch
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


def test_without_elasticsearch_there_is_nothing_to_search(searching):
    with searching() as search, pytest.raises(ConfigurationError, match="cannot search for crashes"):
        search.crash_ids(CrashQuery(signature="OOM"))
