"""The content of a crash's page, in its order; the template only lays it out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import NamedTuple

from socorro_processor.layout import counted
from socorro_processor.report import sentences
from socorro_processor.report.crash_report import CrashReport, Fact, ReportedDump
from socorro_processor.report.source_links import SourceLinks
from socorro_processor.report.symbol_places import Advice
from socorro_processor.report.walked_dump import Frame, Module
from socorro_processor.search.results import Neighbours
from socorro_processor.untrusted import text_of
from socorro_processor.web.pages.moments import with_moments
from socorro_processor.web.pages.report_address import report_path
from socorro_processor.web.pages.symbols_address import symbols_address
from socorro_processor.web.report.fact_links import LinkedFact, linked_fact, module_search, modules_in_stack
from socorro_processor.web.report.stack_view import FrameName, OtherThreads, StackViewer, ThreadView
from socorro_processor.web.report.values_view import Attachment, ValuesView
from socorro_processor.web.report.why_view import WhyView

_MAXIMUM_MODULES = 1000
_MAXIMUM_DUMPS = 5
_MAXIMUM_JAVA_LINES = 500
_LONGEST_LINE = 1000  # characters
_LONGEST_FACT = 2000  # characters

_JAVA_LINES_AT_FIRST = 100
_NO_SIGNATURE = "Crash without a signature"

_TIMES = ("crashed", "submitted", "processed")
_GROUPS = (
    ("What", ("reason", "address", "instruction", "assertion", "abort message", "crash reason", "classified")),
    ("Where", ("product", "process", "system", "CPU", "app notes")),
    ("When (UTC)", (*_TIMES, "result")),
)
"""The groups of facts, and the labels of those in each; the others stand first, in the order of the report."""
_MEANING = "meaning"
"""The label of what a signature means, which has none in a terminal."""
_IN_TITLE = ("crash", "signature", "changed from")
"""The facts that the head of the page says in its own way."""


class DumpView(NamedTuple):
    title: str
    """Empty for the main dump."""
    prefix: str
    """The beginning of all its anchors."""
    problem: str
    """Why there is no stack; empty if there is one."""
    crashing: ThreadView | None
    hung: ThreadView | None
    """The thread that makes the signature of a hang."""
    others: OtherThreads
    lacking: str
    lacking_modules: list[tuple[str, str]]
    """Each with the address of the page of its symbols; empty if there is none."""
    registers: tuple[tuple[str, str], ...]
    modules: list[tuple[Module, str]]
    """Each with the address of the crashes that have it in their stacks; empty if this stack has not."""
    modules_left_out: str
    modules_in_short: str


@dataclass(frozen=True)
class ReportView:
    crash_id: str
    title: str
    """The title of the page, for a browser's tab."""
    heading: str
    """The signature, or that there is none."""
    signature_path: str
    changed_from: str
    warnings: list[str]
    facts: list[tuple[str, list[LinkedFact]]]
    neighbours: Neighbours
    java: list[str]
    java_folded: list[str]
    """The lines that are folded away."""
    java_left_out: str
    dumps: list[DumpView]
    has_main_dump: bool
    """False for a crash of Java only."""
    dumps_left_out: str
    advice: Advice | None
    why: WhyView | None
    annotations: ValuesView
    annotations_problem: str
    """Why the annotations cannot be shown; empty if they can."""
    fields: ValuesView
    attachments: list[Attachment]
    dumps_removed: str
    """Says that the dumps were removed, and why; empty if they were not."""
    others: list[str]
    notes: list[str]
    forms: dict[str, str] = field(default_factory=dict)
    """The addresses of other forms of the report."""


class Surroundings(NamedTuple):
    """All that the page says beside the report."""

    links: SourceLinks
    neighbours: Neighbours
    signature_path: str
    has_search: bool
    warnings: list[str]
    why: WhyView | None
    annotations: ValuesView
    annotations_problem: str
    fields: ValuesView
    attachments: list[Attachment]
    dumps_removed: str


def report_view(report: CrashReport, crash_id: str, around: Surroundings) -> ReportView:
    facts = list(report.facts())
    heading = report.signature or _NO_SIGNATURE
    dumps = list(report.dumps())
    java = report.java_stack()
    return ReportView(
        crash_id=crash_id,
        title=f"{_cut(heading, 100)} - {text_of(report.crash, 'product') or 'crash'} {crash_id[:8]}",
        heading=_cut(heading, _LONGEST_FACT),
        signature_path=around.signature_path,
        changed_from=_cut(next((fact.value for fact in facts if fact.label == "changed from"), ""), _LONGEST_FACT),
        warnings=[*around.warnings, *_warnings(report)],
        facts=[
            (title, [linked_fact(fact, report.crash, has_search=around.has_search) for fact in group])
            for title, group in _groups(facts)
        ],
        neighbours=around.neighbours,
        java=[_cut(line, _LONGEST_LINE) for line in java[:_JAVA_LINES_AT_FIRST]],
        java_folded=[_cut(line, _LONGEST_LINE) for line in java[_JAVA_LINES_AT_FIRST:_MAXIMUM_JAVA_LINES]],
        java_left_out=_more(len(java) - _MAXIMUM_JAVA_LINES, "more line"),
        dumps=[_dump(number, dump, report, around) for number, dump in enumerate(dumps[:_MAXIMUM_DUMPS])],
        has_main_dump=any(dump.name is None for dump in dumps),
        dumps_left_out=_more(len(dumps) - _MAXIMUM_DUMPS, "more dump"),
        advice=None if around.dumps_removed else report.advice,
        why=around.why,
        annotations=around.annotations,
        annotations_problem=around.annotations_problem,
        fields=around.fields,
        attachments=around.attachments,
        dumps_removed=around.dumps_removed,
        others=list(sentences.other_fields(report)),
        notes=[_cut(note, _LONGEST_LINE) for note in report.notes()],
        forms={form: report_path(crash_id, form) for form in (".txt", ".md", ".json", "/raw.json")},
    )


def _warnings(report: CrashReport) -> Iterator[str]:
    """Yield what a reader should know before the stack; a fact says it, too."""
    for fact in report.facts():
        if fact.kind == "failure":
            yield f"Processing {fact.value}"


def _groups(facts: list[Fact]) -> Iterator[tuple[str, list[Fact]]]:
    named = {label for _, labels in _GROUPS for label in labels}.union(_IN_TITLE)
    shown = [fact._replace(value=_shown(fact)) for fact in facts]
    others = tuple({fact.label for fact in shown}.difference(named))
    for title, labels in (("Signature", others), *_GROUPS):
        if group := [fact._replace(label=fact.label or _MEANING) for fact in shown if fact.label in labels]:
            yield title, group


def _shown(fact: Fact) -> str:
    value = _cut(fact.value, _LONGEST_FACT)
    return with_moments(value) if fact.label in _TIMES else value


def _dump(number: int, dump: ReportedDump, report: CrashReport, around: Surroundings) -> DumpView:
    prefix = f"dump-{number}-" if dump.name is not None else ""
    title = f"Dump {dump.name}" if dump.name is not None else ""
    if dump.walked is None:
        nothing = OtherThreads([], "")
        return DumpView(title, prefix, sentences.no_stack(dump), None, None, nothing, "", [], (), [], "", "")
    walked = dump.walked
    is_signed = around.why is not None and dump.name is None
    anchors: Mapping[FrameName, str] = around.why.anchors if around.why and is_signed else {}
    signed = around.why.signed if around.why and is_signed else frozenset()
    crash = {key: text_of(report.crash, key) for key in ("product", "version", "build")}

    def link(frame: Frame) -> str:
        return around.links.link(frame, crash)

    searched = modules_in_stack(report.crash) if around.has_search else frozenset()
    viewer = StackViewer(link, anchors, signed, prefix)
    thread = walked.crashing_thread
    hung = next(walked.other_threads(1), None) if dump.is_hang else None
    lacking, names = sentences.modules_without_symbols(walked)
    without_symbols = walked.modules_without_symbols()[0][: sentences.NAMED_MODULES]
    addresses = [symbols_address(each.debug_file, each.debug_id) for each in without_symbols]
    return DumpView(
        title,
        prefix,
        "" if thread else sentences.no_crashing_thread(walked),
        viewer.crashing(thread) if thread else None,
        viewer.hung(hung) if hung else None,
        viewer.others(walked, [hung.number] if hung else []),
        lacking,
        [(_cut(name, _LONGEST_LINE), address) for name, address in zip_longest(names, addresses, fillvalue="")],
        thread.registers if thread else (),
        [
            (
                Module(*(_cut(text, 200) for text in module)),
                module_search(module.name) if module.name in searched else "",
            )
            for module in walked.modules[:_MAXIMUM_MODULES]
        ],
        _more(len(walked.modules) - _MAXIMUM_MODULES, "more module"),
        sentences.modules_in_short(walked) if walked.modules else "",
    )


def _more(number: int, what: str) -> str:
    return counted(number, what) if number > 0 else ""


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text) - longest:,} more characters)"
