"""``make check`` runs every check of the Makefile."""

import re

from tests.shared import REPOSITORY


def test_make_check_runs_every_check():
    makefile = (REPOSITORY / "Makefile").read_text()
    checks = set(re.findall(r"^(check-[a-z-]+):(?!.* ## )", makefile, re.MULTILINE))
    assert len(checks) >= 6
    (recipe,) = re.findall(r"^check:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert set(re.findall(r"(?<=\s)(?:check-[a-z-]+|docs)(?=\s)", recipe)) == checks | {"docs"}
