"""How Sphinx builds the documentation: `sphinx-build -W -E docs site` (see .ci/run)."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "extensions"), str(HERE.parent / "src")]

from maskedskipunet import __version__  # noqa: E402  # the tree beside these pages, not one that is installed

project = "maskedskipunet"
copyright = "the authors of maskedskipunet"
release = version = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "command_pages",
    "plain_docstrings",
    "self_contained",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["extensions", "results"]

myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
myst_links_external_new_tab = False

default_role = "literal"  # docstrings write code in single backticks
napoleon_numpy_docstring = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88

html_theme = "furo"  # its pages load nothing from other hosts, web fonts included
html_title = f"maskedskipunet {__version__}"
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False
