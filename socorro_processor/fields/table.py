"""The table of fields: all that the rules of ``ProcessorAlgorithm2026`` write.

It drives what is copied from annotations and from the stackwalker's JSON, what a redactor takes out, and how stores
search a field. A configuration can add rows (``own_fields``).
"""

from __future__ import annotations

from collections.abc import Mapping

from socorro_processor.fields.cause import CAUSE
from socorro_processor.fields.field import Field
from socorro_processor.fields.machine import MACHINE
from socorro_processor.fields.processed_crash import RUN
from socorro_processor.fields.program import PROGRAM

FIELDS: tuple[Field, ...] = (*RUN, *PROGRAM, *CAUSE, *MACHINE)

FIELDS_BY_NAME: Mapping[str, Field] = {field.name: field for field in FIELDS}
