"""How Sphinx builds these pages into a site: ``make docs``.

Refuses to fetch anything: what the site needs comes with it.
"""

import amicopy

project = "amicopy"
author = "The amicopy maintainers"
version = release = amicopy.__version__

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns: list[str] = []

# A link to a heading is checked as one to a page is.
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]

html_theme = "furo"
html_title = "amicopy"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
# Commands and outputs are read as they stand; a guess at their language would colour them wrongly.
highlight_language = "none"
