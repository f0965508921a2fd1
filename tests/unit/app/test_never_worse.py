"""When a result is worse than the earlier one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socorro_processor.app.never_worse import worse_because
from socorro_processor.crashstorage.base import MAIN_DUMP

OTHER = "upload_file_minidump_browser"


def walk(*, symbols: int = 0, **others: object) -> dict[str, object]:
    modules = [{"filename": f"{number}.so", "loaded_symbols": number < symbols} for number in range(5)]
    return {"json_dump": {"status": "OK", "threads": [{"frames": []}], "modules": modules, **others}}


EMPTY = {"json_dump": {}, "signature": "EMPTY: no crashing thread identified"}
FAILED = {"json_dump": {"status": "ERROR_NO_MINIDUMP_HEADER"}}
OF_2016 = {
    "json_dump": {
        "status": "OK",
        "sensitive": {"exploitability": "none"},
        "crashing_thread": {"frames": [{"frame": 0}]},
        "modules": [{"filename": "a", "missing_symbols": True}, {"filename": "b", "loaded_symbols": True}],
    }
}


@pytest.mark.parametrize(
    ("processed", "earlier", "dumps"),
    [
        (walk(), {}, [MAIN_DUMP]),
        (EMPTY, {}, []),
        (EMPTY, EMPTY, []),
        (EMPTY, FAILED, []),
        (FAILED, FAILED, [MAIN_DUMP]),
        (walk(), FAILED, [MAIN_DUMP]),
        (walk(symbols=2), walk(symbols=2), [MAIN_DUMP]),
        (walk(symbols=3), walk(symbols=2), [MAIN_DUMP]),
        (walk(symbols=1), OF_2016, [MAIN_DUMP]),
        ({"java_stack_trace": "new"}, {"java_stack_trace": "old"}, []),
        (walk() | {OTHER: walk()}, walk(), [MAIN_DUMP, OTHER]),
        (walk() | {OTHER: walk()}, walk() | {OTHER: walk()}, [MAIN_DUMP, OTHER]),
        (walk(), walk() | {OTHER: EMPTY}, [MAIN_DUMP]),
    ],
)
def test_a_result_that_has_as_much_as_the_earlier_one_is_not_worse(processed, earlier, dumps):
    assert worse_because(processed, earlier, dumps) == ""


@pytest.mark.parametrize(
    ("processed", "earlier", "dumps", "because"),
    [
        (EMPTY, walk(), [], "there is no dump any more"),
        (EMPTY, walk(), [OTHER], "there is no dump any more"),
        (EMPTY, OF_2016, [], "there is no dump any more"),
        (EMPTY, {"json_dump": {"system_info": {"os": "Linux"}}}, [], "there is no dump any more"),
        (FAILED, walk(), [MAIN_DUMP], "the stack could not be walked"),
        ({}, OF_2016, [MAIN_DUMP], "the stack could not be walked"),
        (walk(symbols=1), walk(symbols=2), [MAIN_DUMP], "modules with symbols: 1, in the earlier result: 2"),
        (walk(), OF_2016, [MAIN_DUMP], "modules with symbols: 0, in the earlier result: 1"),
        (walk(), walk() | {OTHER: walk()}, [MAIN_DUMP], f"(dump '{OTHER}')"),
        (walk() | {OTHER: FAILED}, walk() | {OTHER: walk()}, [MAIN_DUMP, OTHER], f"(dump '{OTHER}')"),
        (walk() | {OTHER: walk()}, walk() | {OTHER: walk(symbols=1)}, [MAIN_DUMP, OTHER], f"(dump '{OTHER}')"),
    ],
)
def test_a_result_that_has_less_is_worse(processed, earlier, dumps, because):
    assert because in worse_because(processed, earlier, dumps)


@pytest.mark.parametrize(
    "earlier",
    [
        {"json_dump": "text"},
        {"json_dump": ["threads"]},
        {"json_dump": None},
        {"json_dump": {"threads": 5, "modules": "many"}},
        {"json_dump": {"threads": [1], "modules": [None, 1, {"loaded_symbols": "yes"}]}},
        {"json_dump": {"modules": {"loaded_symbols": True}}},
        {MAIN_DUMP: {"json_dump": {"threads": [1]}}},
        {"x" * 1000 + "\n": {"json_dump": {"threads": [1]}}},
    ],
)
@pytest.mark.parametrize("dumps", [[], [MAIN_DUMP]])
def test_an_odd_earlier_result_raises_nothing_and_the_reason_is_one_short_line(earlier, dumps):
    for processed in (walk(), EMPTY, {}):
        because = worse_because(processed, earlier, dumps)
        assert because.isprintable()
        assert len(because) < 200


ODD = st.sampled_from([None, True, 5, "", "text", [], [1], {}, {"loaded_symbols": True}, [{"loaded_symbols": True}]])
DUMPS = st.dictionaries(st.sampled_from(["threads", "modules", "crashing_thread", "system_info"]), ODD)
CRASHES = st.fixed_dictionaries(
    {}, optional={"json_dump": DUMPS | ODD, OTHER: ODD | st.builds(lambda dump: {"json_dump": dump}, DUMPS | ODD)}
)


@given(CRASHES, CRASHES, st.sets(st.sampled_from([MAIN_DUMP, OTHER])))
def test_no_result_raises_and_none_is_worse_than_itself_while_its_dumps_are_there(processed, earlier, dumps):
    worse_because(processed, earlier, dumps)
    assert worse_because(processed, processed, [MAIN_DUMP, OTHER]) == ""
