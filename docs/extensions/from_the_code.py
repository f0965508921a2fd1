"""Directives that write the reference from the code, so that it cannot say anything else.

``.. commands::`` is every command with its ``--help``, ``.. options:: FILE`` every option of the
configuration in FILE, a path beside the page, section by section.
"""

from __future__ import annotations

from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

from socorro_processor.app.processor_app import ProcessorApp
from socorro_processor.cli.commands import all_commands
from socorro_processor.configuration import Configuration, read_ini


class CommandsDirective(Directive):
    """``.. commands::``"""

    def run(self) -> list[nodes.Node]:
        return [_section(f"socorro {each.name}", nodes.literal_block(text=each.help())) for each in all_commands()]


class OptionsDirective(Directive):
    """``.. options:: FILE``"""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        page = Path(self.state.document.current_source or "")
        sources = [read_ini((page.parent / self.arguments[0]).resolve())]
        sections: dict[str, nodes.definition_list] = {}
        for key, option in Configuration(ProcessorApp.get_required_config(), sources).options():
            section, _, name = key.rpartition(".")
            if section == "admin":
                continue
            term = nodes.term("", "", nodes.literal(text=name))
            if option.default not in ("", None):
                term += [nodes.Text(" = "), nodes.literal(text=" ".join(str(option.default).split()))]
            described = nodes.definition("", nodes.paragraph(text=option.doc or ""))
            sections.setdefault(section, nodes.definition_list()).append(
                nodes.definition_list_item("", term, described)
            )
        return [_section(name, options) for name, options in sections.items()]


def _section(title: str, content: nodes.Node) -> nodes.section:
    identifier = nodes.make_id(title)
    return nodes.section(
        "", nodes.title(text=title), content, ids=[identifier], names=[nodes.fully_normalize_name(title)]
    )


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_directive("commands", CommandsDirective)
    app.add_directive("options", OptionsDirective)
    return {"parallel_read_safe": True}
