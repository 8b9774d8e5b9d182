"""Write the reference of all settings: `python -m tools.configuration_page > docs/reference/configuration.md`."""

from __future__ import annotations

from pydantic.fields import FieldInfo

from pin_pipeline.settings import (
    DatabricksSettings,
    EmulatedKinesisSettings,
    LocalSettings,
    Settings,
    aws_defaults,
    local_defaults,
)

HEADER = """\
# Configuration

Every setting is an environment variable. `PIN_ENVIRONMENT` selects the services: `local` (default) or `aws`. A variable
that is set to an empty text counts as not set. An invalid value stops the program with one sentence that names the
variable and what was expected. `pin-pipeline env` prints the settings in force as shell commands.

`pin-pipeline up` records the addresses of the servers that it started in `$PIN_HOME/servers.env`; they are used unless
a variable is set. AWS credentials are not settings: every client finds them by its own rules, except that the local
endpoints are always called with the credentials `local`/`local`.

This page is generated from `pin_pipeline/settings.py` by `make docs`.
"""
LOCAL_FOLDER = ".pin_pipeline"


def render() -> str:
    """Return the page as Markdown."""
    inherited = LocalSettings.model_fields.keys()
    pipeline = {name: info for name, info in Settings.model_fields.items() if name not in inherited}
    local, aws = local_defaults(LOCAL_FOLDER), aws_defaults("{PIN_BUCKET}")
    sections = [
        HEADER,
        "## Pipeline\n\n" + _table(pipeline, local, aws),
        "## Local environment\n\n" + _table(LocalSettings.model_fields, {"PIN_HOME": LOCAL_FOLDER}),
        "## Databricks\n\n" + _table(DatabricksSettings.model_fields),
        "## Local Kinesis endpoint\n\n" + _table(EmulatedKinesisSettings.model_fields),
    ]
    return "\n".join(sections)


def _table(fields: dict[str, FieldInfo], *defaults: dict[str, str]) -> str:
    columns = ("Default",) if len(defaults) < 2 else ("Default (local)", "Default (aws)")  # noqa: PLR2004
    lines = [("Variable", "Meaning", *columns), ("---",) * (2 + len(columns))]
    for info in fields.values():
        cells = [_default(info, values) for values in defaults or ({},)]
        lines.append((f"`{info.validation_alias}`", str(info.description), *cells))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _default(info: FieldInfo, defaults: dict[str, str]) -> str:
    value = defaults.get(str(info.validation_alias), info.default)
    if info.is_required():
        return "required"
    if isinstance(value, bool):
        return "`1`" if value else "`0`"
    return f"`{value}`" if value not in (None, "", ()) else ""


if __name__ == "__main__":
    print(render(), end="")
