"""Renders a page as one HTML file that may run no script but its own, and load nothing."""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def rendered(template: str, folders: Sequence[Path], script: str, **values: Any) -> str:
    """Renders a template of the first folder that has it, all text escaped.

    ``script``: the name of the one beside it, which the template includes; by its digest, ``script_digest``, the page's
    content security policy lets it run.
    """
    environment = Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    digest = base64.b64encode(hashlib.sha256((folders[0] / script).read_bytes()).digest()).decode("ascii")
    return environment.get_template(template).render(**values, script=script, script_digest=digest)
