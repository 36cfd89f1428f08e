"""Renders the report's page: one HTML file that asks for nothing else."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mnistgan.drawing.html import rendered
from mnistgan.drawing.report import curves, dots

FOLDER = Path(__file__).parent
STYLE, SCRIPT = "page.css", "slider.js"


def html(page: Mapping[str, Any]) -> str:
    """Renders the page as one HTML file; ``page`` holds what its template, page.html.jinja, names."""
    return rendered(
        "page.html.jinja",
        [FOLDER],
        SCRIPT,
        page=page,
        stops=json.dumps(page["grids"]["stops"]),
        dots=dots,
        curves=curves,
        style=STYLE,
    )
