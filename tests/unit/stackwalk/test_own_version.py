"""The version that socorro-stackwalk prints."""

import tomllib

from tests.own_stackwalker import CRATE, run


def test_the_version_names_the_versions_of_its_crates() -> None:
    locked = tomllib.loads((CRATE / "Cargo.lock").read_text())["package"]
    versions = {package["name"]: package["version"] for package in locked}
    crates = ("minidump", "minidump-processor", "minidump-unwind", "breakpad-symbols")
    of_crates = ", ".join(f"{name} {versions[name]}" for name in crates)
    assert run("--version").stdout == f"socorro-stackwalk {versions['socorro-stackwalk']} ({of_crates})\n"
