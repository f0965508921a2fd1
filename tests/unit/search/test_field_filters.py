"""A search by fields asks for what the table says, and for nothing that is protected."""

from __future__ import annotations

import pytest

from socorro_processor.errors import ConfigurationError
from socorro_processor.fields import Field, FieldTable
from socorro_processor.search.field_filters import field_filter

TABLE = FieldTable(
    [
        Field("albums", "integer", "public", "number", "albums", annotations=("AlbumCount",)),
        Field("camera", "string", "protected", "keyword", "a camera", annotations=("Camera",)),
    ]
)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("process_type", "gpu", {"term": {"processed_crash.process_type": "gpu"}}),
        ("addons", "a:1", {"term": {"processed_crash.addons": "a:1"}}),
        ("albums", "3", {"term": {"processed_crash.albums": 3}}),
        ("startup_crash", "TRUE", {"term": {"processed_crash.startup_crash": True}}),
        ("app_notes", "out of", {"match": {"processed_crash.app_notes": {"query": "out of", "operator": "and"}}}),
        (
            "classifications.support.classification",
            "x",
            {"term": {"processed_crash.classifications.support.classification": "x"}},
        ),
    ],
)
def test_a_field_is_searched_by_its_kind(name, text, expected):
    assert field_filter(TABLE, name, text) == expected


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("email", "ann@example.com", "email: it is protected"),
        ("camera", "x", "camera: it is protected"),
        ("mdsw_stderr", "x", "it is kept, but not searched"),
        ("nothing", "x", "there is no such field"),
        ("product.x", "x", "there is nothing inside it"),
        ("classifications", "x", "name what is in it, with a dot"),
        ("uptime", "soon", 'uptime for "soon": it is not a whole number'),
        ("startup_crash", "perhaps", "it is not a boolean"),
    ],
)
def test_what_cannot_be_searched_is_refused_with_the_reason(name, text, why):
    with pytest.raises(ConfigurationError, match=why):
        field_filter(TABLE, name, text)
