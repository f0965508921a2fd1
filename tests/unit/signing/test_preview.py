"""The changes that other lists would make, without a command: crashes and a configuration are enough."""

import copy
import shutil
from contextlib import closing
from datetime import date

import pytest

from socorro_processor.app.processor_app import ProcessorApp
from socorro_processor.configuration import Configuration, Source, defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.errors import SocorroError
from socorro_processor.signature.siglists import FILES, PREFIX
from socorro_processor.signing.preview import Preview
from socorro_processor.signing.signer import Signer
from socorro_processor.signing.stored_crashes import StoredCrashes, crash_to_sign

DAY = date(2016, 11, 23)
OF_2015 = "socorro_processor.pipeline.mozilla_2015.MozillaProcessorAlgorithm2015"
OF_2026 = "socorro_processor.pipeline.algorithm_2026.ProcessorAlgorithm2026"


@pytest.fixture
def values(tmp_path):
    for name in FILES:
        (tmp_path / "today").mkdir(exist_ok=True)
        (tmp_path / "today" / name).write_text("")
    shutil.copytree(tmp_path / "today", tmp_path / "tried")
    (tmp_path / "tried" / PREFIX).write_text("raise\n")
    options = {
        "resource.signature.siglists_directory": str(tmp_path / "today"),
        "resource.filesystem.root": str(tmp_path / "crashes"),
    }
    return Configuration(ProcessorApp.get_required_config(), [Source(options)]).values


def processed(signature: str, *functions: str) -> dict[str, object]:
    frames = [{"function": function, "normalized": "of then"} for function in functions]
    json_dump = {"threads": [{"frames": frames}], "crash_info": {"crashing_thread": 0}}
    return {"uuid": new_crash_id(DAY), "signature": signature, "json_dump": json_dump}


def test_signatures_before_and_after_come_with_the_crashes_that_they_change(values, tmp_path):
    preview = Preview(values.processor, tmp_path / "tried")
    crashes = [processed("raise", "raise", name) for name in ("load", "save", "load")] + [processed("then", "main")]
    untouched = copy.deepcopy(crashes)
    for crash in crashes:
        preview.add(crash_to_sign(crash["uuid"], {}, crash))
    first, second, third, _ = (crash["uuid"] for crash in crashes)
    assert preview.by_count() == [(("raise", "raise | load"), [first, third]), (("raise", "raise | save"), [second])]
    assert (preview.looked_at, preview.changed, preview.outdated) == (4, 3, 1)
    assert crashes == untouched


def test_a_signer_signs_by_the_lists_that_it_is_given(values, tmp_path):
    for lists, signature in ((None, "raise"), (tmp_path / "tried", "raise | load")):
        crash = crash_to_sign("id", {}, processed("", "raise", "load"))
        Signer(values.processor, lists).sign(crash)
        assert crash.processed["signature"] == signature


def test_stored_crashes_are_sampled_and_read_with_their_annotations_where_there_are_any(values):
    notes: list[str] = []
    with closing(FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=values.source.root))) as store:
        store.setup()
        whole, without_raw, unprocessed = processed("a", "f"), processed("b", "g"), new_crash_id(DAY)
        for crash in (whole, without_raw):
            store.save_processed(crash)
        for crash_id in (whole["uuid"], unprocessed):
            store.save_raw_crash({"ProductName": "Lightbox"}, {}, crash_id)
    with closing(StoredCrashes(values, notes.append)) as crashes:
        assert list(crashes.sample([DAY], 10)) == [whole["uuid"]]
        assert crashes.crash(whole["uuid"]).raw["ProductName"] == "Lightbox"
        assert notes == []
        assert crashes.crash(without_raw["uuid"]).raw == {}
        assert "signed without annotations" in notes[0]
        with pytest.raises(SocorroError, match="no processed crash of 2016-11-21 to 2016-11-22"):
            list(crashes.sample([date(2016, 11, 22), date(2016, 11, 21)], 10))


def test_another_algorithm_is_tried_with_its_own_lists_if_none_are_named(tmp_path):
    options = {"resource.filesystem.root": str(tmp_path / "crashes"), "processor.processor_class": OF_2015}
    configuration = Configuration(ProcessorApp.get_required_config(), [Source(options)])
    crash = processed("then", "<alloc::Vec<T> as core::Drop>::drop", "lightbox::Album::open(int)")
    preview = Preview(configuration.values.processor, None, configuration.with_algorithm(OF_2026).values.processor)
    preview.add(crash_to_sign(crash["uuid"], {}, crash))
    (((before, after), _),) = preview.by_count()
    assert "core::Drop" not in before
    # In the lists of 2026 this is a prefix.
    assert after == "<alloc::Vec<T> as core::Drop>::drop | lightbox::Album::open"


def test_another_algorithm_is_tried_with_the_lists_in_use(values, tmp_path):
    options = {
        "resource.signature.siglists_directory": str(tmp_path / "tried"),
        "resource.signature.signature_max_len": "80",
        "processor.processed_transform.SignatureGenerationRule.c_signature.collapse_arguments": "true",
    }
    configuration = Configuration(ProcessorApp.get_required_config(), [Source(options)])
    other = configuration.with_algorithm(OF_2026)
    assert [warning.partition(": left out")[0] for warning in other.warnings] == [
        "processor.processed_transform.SignatureGenerationRule.c_signature.collapse_arguments",
        "resource.signature.signature_max_len",
    ]
    crash = processed("then", "raise", "void load(int)")
    preview = Preview(configuration.values.processor, None, other.values.processor)
    preview.add(crash_to_sign(crash["uuid"], {}, crash))
    assert preview.by_count() == [(("raise | void load", "raise | load"), [crash["uuid"]])]
