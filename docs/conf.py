"""How the docs are built: ``make docs``."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "extensions"))

import socorro_processor  # noqa: E402  the extension's directory has to be on the path first

project = "socorro-processor"
release = version = socorro_processor.__version__
extensions = ["checkout_links", "from_the_code"]
exclude_patterns = ["extensions"]
html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["tables.css"]
html_title = f"socorro-processor {version}"
html_show_sourcelink = False
html_show_copyright = False
nitpicky = True
