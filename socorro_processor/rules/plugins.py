"""Rules about plugins: the plugin that hung or crashed, and the version of Flash that was loaded."""

from __future__ import annotations

import json
import re

from socorro_processor.configuration import Namespace
from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.rules.annotations import carry_over, integer, text
from socorro_processor.rules.json_dump import has_modules, modules

BROWSER_HANG, NO_HANG, PLUGIN_HANG = 1, 0, -1


class PluginRule(Rule):
    """Say what hung, if anything did, and which plugin crashed.

    Reads the annotations ``PluginHang``, ``HangID``, ``Hang``, ``ProcessType``, ``PluginFilename``,
    ``PluginName``, ``PluginVersion``; writes ``hangid``, ``hang_type``, ``process_type``, and, for a plugin's
    process, ``PluginFilename``, ``PluginName``, ``PluginVersion``; notes an annotation that is not a string.
    """

    def action(self, crash: Crash) -> bool:
        plugin_hangs = bool(integer(crash.raw.get("PluginHang")))
        # A hang id links to the browser's own crash, the other half of a hang. With PluginHang there is no other half.
        hang_id = f"fake-{crash.id}" if plugin_hangs else text(crash, "HangID")
        crash.processed["hangid"] = hang_id
        if integer(crash.raw.get("Hang")):
            crash.processed["hang_type"] = BROWSER_HANG
        else:
            crash.processed["hang_type"] = PLUGIN_HANG if plugin_hangs or hang_id else NO_HANG
        carry_over(crash, {"process_type": ("ProcessType", None)})
        if crash.processed["process_type"] == "plugin":
            carry_over(crash, {name: (name, "") for name in ("PluginFilename", "PluginName", "PluginVersion")})
        return True


FLASH_DEBUG_IDS = {
    "83CF4DC03621B778E931FC713889E8F10": "9.0.16.0",
    "C5B5651B46B7612E118339D19A6E66360": "9.0.45.0",
}
"""Versions of builds of Flash that do not name their version, by debug id."""

_LONGEST_FILE_NAME = 255
"""Characters. No system allows longer names, and to match one of 5,000 characters would take time."""

_FLASH = re.compile(
    r"NPSWF32_?(?P<windows>.*)\.dll"
    r"|FlashPlayerPlugin_?(?P<sandboxed>.*)\.exe"
    r"|libflashplayer(?P<linux>.*)\.[^.]*"
    r"|Flash Player-(?P<mac>.*)",
    re.DOTALL,
)
_BEGINNINGS = ("NPSWF32", "FlashPlayerPlugin", "libflashplayer", "Flash Player-")


def _parse_versions(value: str) -> dict[str, str]:
    versions = json.loads(value)
    if not isinstance(versions, dict) or not all(isinstance(version, str) for version in versions.values()):
        raise ValueError("a JSON object of debug ids, each with a version")
    return versions


class FlashVersionRule(Rule):
    """Find the version of the loaded Flash plugin, from its module, file name or debug id.

    Reads ``json_dump.modules``; writes ``flash_version``: ``[blank]`` if there is no Flash, or its version is not
    known; empty, with a note, if there is no list of modules.
    """

    required_config = Namespace()
    required_config.add_option(
        "known_flash_identifiers",
        default=json.dumps(FLASH_DEBUG_IDS),
        doc="versions of Flash that are known only by debug id, as a JSON object",
        from_string_converter=_parse_versions,
    )

    def action(self, crash: Crash) -> bool:
        if not has_modules(crash):
            crash.processed["flash_version"] = ""
            crash.note("no Flash version: there is no list of modules")
            return False
        # There are hundreds of modules, and hardly any of them is Flash.
        named = ((module, module.get("filename")) for module in modules(crash))
        versions = (
            self._version(module, name)
            for module, name in named
            if isinstance(name, str) and name.startswith(_BEGINNINGS)
        )
        crash.processed["flash_version"] = next(filter(None, versions), "[blank]")
        return True

    def _version(self, module: dict[str, object], filename: str) -> str | None:
        if len(filename) > _LONGEST_FILE_NAME or not (match := _FLASH.fullmatch(filename)):
            return None
        version, debug_id = module.get("version"), module.get("debug_id")
        if isinstance(version, str) and version:
            return version
        version_in_name = next(filter(None, match.groups()), "")
        if version_in_name:
            return version_in_name.replace("_", ".")
        known: dict[str, str] = self.config.known_flash_identifiers
        return known.get(debug_id) if isinstance(debug_id, str) else None
