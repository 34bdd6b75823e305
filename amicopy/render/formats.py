"""The names of the output formats; `exports` has what writes the exports."""

EXPORT_FORMATS = ("tfvars", "cfn", "env", "markdown")
"""Maps of regions to image ids, for other tools; `markdown` is a table for people, of a plan too."""
ID_FORMATS = ("tfvars", "cfn", "env")
"""The exports that are nothing without ids."""

FILE_FORMATS = ("text", "table", "json", *EXPORT_FORMATS)
RUN_FORMATS = ("text", "table", "json", "jsonl", *EXPORT_FORMATS)
