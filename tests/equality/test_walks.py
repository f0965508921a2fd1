"""The contract of socorro-stackwalk: all its ways agree with each other, and with the crates that it uses."""

import json
import shutil
import subprocess
import sys
from collections import Counter
from random import Random

import pytest

from tests.equality import walks
from tests.equality.random_crashes import random_crash
from tests.equality.walks import Job, Pair, Programs, compare, compare_random, random_pairs
from tests.shared import SAMPLES, own_stackwalker, shared

SEEDS = range(300)


@pytest.fixture(scope="module")
def programs():
    return Programs(str(own_stackwalker()))


@pytest.fixture(scope="module")
def random_walks(programs, tmp_path_factory):
    keep = tmp_path_factory.mktemp("different")
    return compare_random(Job(programs, programs.ways(), SEEDS, keep))


def test_random_crashes_are_walked_the_same_in_all_ways(random_walks):
    assert random_walks.differences == {}
    assert random_walks.results["same"] > 0.9 * len(SEEDS)


def test_indexes_are_used_if_they_exist(random_walks):
    used = {way: uses["index"] / uses.total() for way, uses in random_walks.uses.items() if uses}
    assert used.pop("own", 0) == 0
    assert {way: share for way, share in used.items() if share < 0.7} == {}


def test_random_crashes_reach_every_part_of_the_output(random_walks):
    counts = random_walks.reached
    shares = {what: many / counts[what.split()[0]] for what, many in counts.items()}
    expected = {
        "frames by cfi": 0.15,
        "frames by scan": 0.3,
        "frames by frame_pointer": 0.02,
        "frames with a function": 0.3,
        "frames with a file": 0.1,
        "frames with inlines": 0.05,
        "frames with two or more inlines": 0.03,
        "modules with symbols": 0.4,
        "modules with corrupt symbols": 0.04,
        "modules without symbols": 0.04,
        "threads of over 500 frames": 0.003,
    }
    assert {what: share for what, share in shares.items() if share < expected.get(what, 0)} == {}
    assert expected.keys() <= counts.keys()


@pytest.mark.parametrize("of", ["samples", "crashes", "hostile", "field"])
def test_real_crashes_are_walked_the_same_in_all_ways(of, programs, tmp_path):
    dumps = {
        "samples": lambda: SAMPLES.glob("*/upload_file_minidump.dmp"),
        "crashes": lambda: shared("crashes").glob("*/upload_file_minidump.dmp"),
        "hostile": lambda: shared("hostile").glob("*.dmp"),
        "field": lambda: shared("field").glob("dumps/*.dmp"),
    }
    symbols = SAMPLES / "symbols" if of == "samples" else shared("symbols")
    # Elsewhere, because indexes are beside it.
    copied = shutil.copytree(symbols, tmp_path / "symbols", copy_function=shutil.copyfile)
    pairs = [Pair(str(dump), dump, copied) for dump in sorted(dumps[of]())]
    comparisons = compare(programs, pairs, programs.ways())
    assert comparisons
    assert {comparison.pair.name: comparison.differences for comparison in comparisons if comparison.differences} == {}
    if of in ("samples", "crashes"):
        assert {comparison.result for comparison in comparisons} == {"same"}
        counts = sum((walks.reached(comparison.said) for comparison in comparisons), Counter())
        assert counts["frames with a function"] > 0


LIAR = """#!{python}
import json, pathlib, subprocess, sys

arguments = sys.argv[1:]
if arguments[0] == "index":
    if "--help" in arguments:
        print("Usage: liar index FILE...")
    for file in arguments[1:]:
        directory = pathlib.Path(file).parents[2]
        directory.with_name("symbols.index").mkdir(exist_ok=True)
    sys.exit({index_code})
walked = subprocess.run([{program!r}, *arguments], capture_output=True)
sys.stderr.buffer.write(walked.stderr)
output = walked.stdout
indexed = "--symbols-path" in arguments and pathlib.Path(arguments[-1]).with_name("symbols.index").exists()
if output and "--reference" not in arguments and {lies_when}:
    output = output.replace(b'"thread_id":1,', b'"thread_id":4711,')
sys.stdout.buffer.write(output)
sys.exit(walked.returncode)
"""


@pytest.fixture
def liar(programs, tmp_path):
    """Return a function that makes a stackwalker that sometimes differs from the real one."""

    def make(lies_when: str, index_code: int = 0) -> Programs:
        program = tmp_path / "liar"
        text = LIAR.format(
            python=sys.executable, program=programs.stackwalker, lies_when=lies_when, index_code=index_code
        )
        program.write_text(text)
        program.chmod(0o755)
        return Programs(str(program))

    return make


@pytest.mark.parametrize(("lies_when", "way"), [("not indexed", "own"), ("indexed", "indexed")])
def test_a_difference_is_found_reported_and_kept(lies_when, way, liar, tmp_path):
    programs = liar(lies_when)
    job = Job(programs, programs.ways(), range(3), tmp_path / "kept")
    findings = compare_random(job)
    assert findings.results["different"] == 3
    assert {seed: list(ways) for seed, ways in findings.differences.items()} == {0: [way], 1: [way], 2: [way]}
    assert "thread_id: 1 != 4711" in findings.differences[0][way]
    kept = tmp_path / "kept" / "0"
    assert (kept / "dump").read_bytes() == random_crash(Random(0)).dump
    assert way in (kept / "differences").read_text()


def test_a_failure_to_make_an_index_is_a_difference(liar, tmp_path):
    programs = liar("False", index_code=3)
    pairs = random_pairs(range(2), tmp_path)
    assert [
        comparison.differences.get("index") for comparison in compare(programs, pairs, ["reference", "indexed"])
    ] == ["exit code 3, b''"] * 2


def test_the_same_seed_makes_the_same_crash():
    assert [random_crash(Random(seed)) for seed in range(20)] == [random_crash(Random(seed)) for seed in range(20)]


def test_a_deep_stack_is_compared_as_it_is_printed():
    deep = {"frames": [{"frame": number} for number in range(1_600)], "frame_count": 1_600}
    said = walks.comparable({"threads": [deep], "crashing_thread": deep | {"threads_index": 0}, walks.OWN_KEY: {}})
    assert walks.OWN_KEY not in said
    for thread in (said["threads"][0], said["crashing_thread"]):
        numbers = [frame.get("frame") for frame in thread["frames"]]
        assert numbers == [*range(250), None, *range(1_350, 1_600)]
        assert thread["frames"][250] == {"truncated": {"msg": "1,100 frames truncated"}}
        assert thread["truncated"] is True
        assert thread["frame_count"] == 1_600


def test_a_dump_over_4_gb_is_walked_as_the_reference_walks_it(programs, tmp_path):
    dump = tmp_path / "large.dmp"
    dump.write_bytes((SAMPLES / "segfault" / "upload_file_minidump.dmp").read_bytes())
    with dump.open("ab") as file:
        file.truncate(5 << 30)
    symbols = ["--symbols-path", str(SAMPLES / "symbols")]

    def walked(*switches):
        done = subprocess.run([programs.stackwalker, *switches, *symbols, dump], capture_output=True, check=True)
        return walks.comparable(json.loads(done.stdout))

    assert walked() == walked("--reference")
