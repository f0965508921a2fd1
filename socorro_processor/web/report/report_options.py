"""The options of the page of a crash, in the section ``web``."""

from __future__ import annotations

from socorro_processor.configuration import Namespace
from socorro_processor.fields import field_options
from socorro_processor.report.source_links import SourceLinks

required_config = Namespace()
required_config.add_option(
    "source_links",
    default="",
    doc="where the source of a frame can be read: a JSON list of objects with file, a name with the parts that vary "
    'in braces, and link: [{"file": "/build/{path}", "link": "https://git.example.com/v{version}/{path}#L{line}"}]',
    from_string_converter=SourceLinks,
)
required_config.update(field_options())
