"""The server can die after each step that an upload takes to its store and queue."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import socorro_processor.collector
from socorro_processor.collector.handover import HANDOVER_STEPS
from socorro_processor.collector.spool import SPOOL_STEPS
from tests.chaos.dying_server import fatal_step
from tests.chaos.served import STEPS, ServedSite, ServerDies
from tests.collector_site import Site

(SOURCES,) = map(Path, socorro_processor.collector.__path__)


def steps_in(source: str) -> Iterator[str]:
    """Yield the steps that a module tells, in its order."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            if name in ("step", "_step"):
                (argument,) = node.args
                assert isinstance(argument, ast.Constant), ast.unparse(node)
                yield str(argument.value)


def test_an_upload_takes_the_steps_of_the_table_in_their_order(tmp_path):
    steps: list[str] = []
    with Site(tmp_path, step=steps.append) as site:
        site.send()
        assert tuple(steps) == SPOOL_STEPS
        site.hand_over()

    assert tuple(steps) == (*SPOOL_STEPS, *HANDOVER_STEPS)


def test_each_step_in_the_source_is_in_the_table_once():
    told = [step for path in sorted(SOURCES.glob("*.py")) for step in steps_in(path.read_text())]

    assert sorted(told) == sorted(STEPS)


def test_a_run_has_a_death_after_each_step_of_the_table():
    (lane,) = (lane for lane in ServedSite.own_lanes if lane.name == "server's steps")

    assert [fault.step for fault in lane.faults if isinstance(fault, ServerDies)] == [*SPOOL_STEPS, *HANDOVER_STEPS]


@pytest.mark.parametrize("fatal", STEPS)
def test_it_dies_once_after_the_step_that_the_file_names_and_no_other(fatal, tmp_path):
    file = tmp_path / "dies-after"
    died: list[str] = []
    step = fatal_step(file, lambda: died.append(f"{file.exists()}"))
    for name in STEPS:
        step(name)
    assert died == []

    file.write_text(fatal)
    for name in STEPS:
        if name == fatal:
            assert died == []
        step(name)
        if name == fatal:
            # The next one must live, so that the file was removed before.
            assert died == ["False"]
    for name in STEPS:
        step(name)
    assert died == ["False"]
