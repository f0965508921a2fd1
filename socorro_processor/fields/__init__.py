"""The table of fields of the processed crash, and what follows from it."""

from socorro_processor.fields.field import Access, Field, FieldType, Search
from socorro_processor.fields.field_table import FieldTable, field_options
from socorro_processor.fields.protection import Protection, follows_table
from socorro_processor.fields.searching import is_of_type, searched_fields
from socorro_processor.fields.table import FIELDS, FIELDS_BY_NAME

__all__ = [
    "FIELDS",
    "FIELDS_BY_NAME",
    "Access",
    "Field",
    "FieldTable",
    "FieldType",
    "Protection",
    "Search",
    "field_options",
    "follows_table",
    "is_of_type",
    "searched_fields",
]
