"""Configuration by configman, behind one module: everything else imports its names from here.

A component declares its options beside itself and is given their values:

    class MyStore(CrashStorageBase):
        required_config = Namespace()
        required_config.add_option("root", default="crashes", doc="directory of the crashes")
"""

from __future__ import annotations

import collections
import collections.abc

# configman 1.3.0, the newest there is, was written before Python 3.10 moved the abstract base
# classes out of `collections`; it finds them there again.
for _name in ("Mapping", "MutableMapping", "MutableSet", "Sequence"):
    setattr(collections, _name, getattr(collections.abc, _name))

from configman import ConfigurationManager, Namespace, RequiredConfig  # noqa: E402
from configman.dotdict import DotDict  # noqa: E402

__all__ = ["DotDict", "Namespace", "RequiredConfig", "defaults"]


def defaults(component: type[RequiredConfig], **values: object) -> DotDict:
    """What ``component`` is configured with where nothing is said but ``values``."""
    manager = ConfigurationManager(
        [component.get_required_config()],
        [dict(values)],
        argv_source=[],
        use_admin_controls=False,
        use_auto_help=False,
        config_optional=True,
    )
    return manager.get_config(mapping_class=DotDict)
