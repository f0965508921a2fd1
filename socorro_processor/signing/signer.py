"""Sign a crash again, by the rules of a configuration, with its signature lists or with others; explain why."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from socorro_processor.configuration import DotDict, defaults
from socorro_processor.errors import SocorroError
from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.rules import signature, signature_2026, signature_rewriting, signature_rewriting_2026
from socorro_processor.rules.json_dump import crashing_thread, objects_in, thread_frames
from socorro_processor.rules.signature import SignatureRule, StackSignatureRule, hang_type
from socorro_processor.signature.c_signature import CSignatureTool
from socorro_processor.signature.c_signature_2026 import CSignatureTool2026
from socorro_processor.signature.dead_entries import DeadEntry, dead_entries
from socorro_processor.signature.explain import Explanation, JavaExplanation, explain
from socorro_processor.untrusted import list_of

_MODULES = frozenset(
    module.__name__ for module in (signature, signature_rewriting, signature_2026, signature_rewriting_2026)
)


class FramePlace(NamedTuple):
    """The place of a frame, or of a function inlined into it, in the stackwalker's JSON."""

    thread: int
    frame: int
    """The position of the frame in its thread, from the top."""
    inlined: int | None
    """The position of the function among those inlined into the frame; None for the frame itself."""


@dataclass(frozen=True)
class Rewriting:
    """The signature that a rule made of the one before it."""

    rule: str
    reason: str
    """The fact for which the rule did it; empty if the rule does not tell."""
    signature: str


@dataclass
class SignedCrash:
    """The reasons for the signature of a crash."""

    has_steps: bool = False
    """True if the names of the frames are explained step by step, and a Java stack by its exceptions."""
    stack: Explanation | None = None
    """None for a Java stack."""
    java: JavaExplanation | None = None
    thread: str = ""
    """The thread of ``stack``, for people."""
    places: tuple[FramePlace, ...] = ()
    """The place of each frame of ``stack``."""
    rewritings: tuple[Rewriting, ...] = ()
    """The rules that made and changed the signature, in their order."""
    made_by: int = 0
    """The index in ``rewritings`` of the rule that signed this stack; those before signed another one."""


class Signer:
    """The rules that make signatures, in their order."""

    def __init__(self, processor: DotDict, lists: Path | None = None) -> None:
        """``processor`` is the section of that name, ``lists`` a directory of lists to use instead of the configured.

        Raises SocorroError if no rule makes a signature, ConfigurationError if lists have mistakes.
        """
        self._rules = [
            rule(_with_lists(config, lists) if lists else config) for rule, config in signature_rules(processor)
        ]
        if not any(isinstance(rule, StackSignatureRule) for rule in self._rules):
            raise SocorroError("no rule set of this configuration has a SignatureGenerationRule")

    def dead_entries(self) -> Iterator[DeadEntry]:
        """Yield the entries of the lists that can match no frame."""
        tool = next(rule.c_signature for rule in self._rules if isinstance(rule, StackSignatureRule))
        return dead_entries(tool, tool.lists.current)

    def sign(self, crash: Crash) -> None:
        """Sign ``crash`` again."""
        for rule in self._rules:
            rule.act(crash)

    def explain(self, crash: Crash) -> SignedCrash:
        """Sign ``crash`` again, and return why it has its signature."""
        explained = SignedCrash()
        for rule in self._rules:
            if isinstance(rule, StackSignatureRule) and rule.predicate(crash):
                explained = _explain_stack(rule, crash, explained.rewritings)
            before = crash.processed["signature"]
            reason = rule.reason(crash) if isinstance(rule, SignatureRule) else ""
            rule.act(crash)
            after = crash.processed["signature"]
            if after != before or len(explained.rewritings) == explained.made_by:
                explained.rewritings += (Rewriting(rule.name, reason, after),)
        return explained


def signature_rules(processor: DotDict) -> Iterator[tuple[type[Rule], DotDict]]:
    """Yield the rules that make signatures, in their order, each with its options."""
    for rule_set in processor.rule_sets.rule_sets:
        for rule in rule_set.rule_classes:
            if rule.__module__ in _MODULES:
                yield rule, processor.get(f"{rule_set.name}.{rule.__name__}", DotDict())


def tool_for(processor: DotDict, directory: Path) -> CSignatureTool:
    """Return the tool that makes signatures with the lists in ``directory``.

    It is the one whose own lists these are, else that of the configuration. Raises SocorroError if no rule makes a
    signature, ConfigurationError if lists have mistakes.
    """
    tools = [
        (rule.tool_class, config.c_signature)
        for rule, config in signature_rules(processor)
        if issubclass(rule, StackSignatureRule)
    ]
    if not tools:
        raise SocorroError("no rule set of this configuration has a SignatureGenerationRule")
    tool, config = tools[0]
    owners = [
        each for each in (CSignatureTool, CSignatureTool2026) if each.own_lists().resolve() == directory.resolve()
    ]
    if owners and owners[0] is not tool:
        tool, config = owners[0], defaults(owners[0])
    config = copy.copy(config)
    config.siglists_directory = str(directory)
    return tool(config)


def lists_in_use(processor: DotDict) -> list[Path]:
    """Return the directories of the signature lists of a configuration."""
    directories = [
        Path(config.c_signature.siglists_directory or rule.tool_class.own_lists())
        for rule, config in signature_rules(processor)
        if issubclass(rule, StackSignatureRule)
    ]
    return list(dict.fromkeys(directories))


def _explain_stack(rule: StackSignatureRule, crash: Crash, rewritings: tuple[Rewriting, ...]) -> SignedCrash:
    """Return why the stack of a crash gives its signature, before ``rule`` signs it."""
    explained = SignedCrash(rule.c_signature.has_steps, rewritings=rewritings, made_by=len(rewritings))
    if rule.java_signature_of(crash)[0]:
        return replace(explained, java=rule.explain_java(crash))
    thread = rule.thread_to_sign(crash)
    lists = rule.c_signature.lists.current
    walked = rule.walked_frames(crash, thread)
    names = rule.name_frames(crash, thread, lists)
    stack = explain(rule.c_signature, walked, names, lists, hang_type(crash), thread)
    places = tuple(_places(crash, rule.frames_to_sign(crash, thread)))[: len(stack.frames)]
    return replace(explained, stack=stack, thread=_describe(thread, crashing_thread(crash)), places=places)


def _places(crash: Crash, frames: Sequence[dict[str, Any]]) -> Iterator[FramePlace]:
    """Yield the places of frames, all of one thread, which are objects of the crash itself."""
    places = {id(each): place for each, place in _objects(crash, frames[0])} if frames else {}
    yield from (places[id(frame)] for frame in frames)


def _objects(crash: Crash, first: dict[str, Any]) -> Iterator[tuple[dict[str, Any], FramePlace]]:
    """Yield all frames and inlined functions of the thread that ``first`` is in, with their places."""
    for thread in range(len(list_of(crash.processed, "json_dump", "threads"))):
        found = []
        for number, frame in enumerate(thread_frames(crash, thread)):
            inlines = objects_in(frame.get("inlines"))
            found += [(each, FramePlace(thread, number, inlined)) for inlined, each in enumerate(inlines)]
            found.append((frame, FramePlace(thread, number, None)))
        if any(each is first for each, _ in found):
            yield from found
            return


def _describe(thread: int | None, crashed: int | None) -> str:
    if thread is None:
        return "thread 0, because it is not known which one crashed"
    return (
        f"thread {thread}, which crashed"
        if thread == crashed
        else f"thread {thread}, which is not the one that crashed"
    )


def _with_lists(config: DotDict, directory: Path) -> DotDict:
    """Return a rule's options with other lists."""
    if "c_signature" not in config:
        return config
    changed: DotDict = copy.copy(config)
    changed.c_signature = copy.copy(config.c_signature)
    changed.c_signature.siglists_directory = str(directory)
    return changed
