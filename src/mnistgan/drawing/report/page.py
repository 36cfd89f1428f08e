"""Renders a page as one HTML file that asks for nothing else: it may run no script but its own. The report is one."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mnistgan.drawing.report import curves, dots

FOLDER = Path(__file__).parent
STYLE, SCRIPT = "page.css", "slider.js"


def html(page: Mapping[str, Any]) -> str:
    """Renders the page; ``page`` holds what its template, page.html.jinja, names."""
    stops = json.dumps(page["grids"]["stops"])
    return rendered("page.html.jinja", [FOLDER], SCRIPT, page=page, stops=stops, dots=dots, curves=curves, style=STYLE)


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
