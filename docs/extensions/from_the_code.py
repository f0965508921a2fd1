"""Directives that write the reference from the code, so that it cannot say anything else.

``.. commands::`` is every command with its ``--help``, ``.. options:: FILE`` every option of the
configuration in FILE, a path beside the page, section by section, ``.. fields::`` the table of fields.
"""

from __future__ import annotations

from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from sphinx.application import Sphinx

from socorro_processor.cli.all_options import all_options
from socorro_processor.cli.commands import all_commands
from socorro_processor.configuration import Configuration, read_ini
from socorro_processor.fields import FIELDS, Field


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
        for key, option in Configuration(all_options(), sources).options():
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


class FieldsDirective(Directive):
    """``.. fields::``"""

    def run(self) -> list[nodes.Node]:
        lines = [".. list-table::", "   :header-rows: 1", "   :widths: 22 8 32 10 8 20", "   :class: fields", ""]
        rows = [["field", "type", "from", "access", "search", "what it holds"], *map(_row, FIELDS)]
        for first, *others in rows:
            lines += [f"   * - {first}", *(f"     - {cell}" for cell in others)]
        parsed = nodes.Element()
        self.state.nested_parse(StringList(lines, "the table of fields"), self.content_offset, parsed)
        return parsed.children


def _row(field: Field) -> list[str]:
    """Return the cells of a field, in reStructuredText."""
    sources = [f"``json_dump.{field.json_dump}``"] if field.json_dump else []
    sources += [f"``{name}``" for name in field.annotations]
    origin = f"{', '.join(sources)}{'; computed: ' if sources else 'computed: '}{field.computed}"
    said = field.doc
    if field.default is not None:
        said += f"; default ``{field.default!r}``"
    if field.name_of_2016:
        said += f"; ``{field.name_of_2016}`` in 2016"
    return [
        f"``{field.name}``",
        field.type,
        origin if field.computed else ", ".join(sources),
        field.access,
        field.search,
        said,
    ]


def _section(title: str, content: nodes.Node) -> nodes.section:
    identifier = nodes.make_id(title)
    return nodes.section(
        "", nodes.title(text=title), content, ids=[identifier], names=[nodes.fully_normalize_name(title)]
    )


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_directive("commands", CommandsDirective)
    app.add_directive("options", OptionsDirective)
    app.add_directive("fields", FieldsDirective)
    return {"parallel_read_safe": True}
