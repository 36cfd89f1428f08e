"""Words a model's card in Markdown: what it is, how good, its faults, its data, its licence, how to make it again."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mnistgan.comparison.figures import HEALTHY, Figures
from mnistgan.comparison.wording import NOTHING, number
from mnistgan.metrics.catalog import deciding, sampling_interval

TEMPLATE = "card.md.jinja"


def card(facts: Mapping[str, object], data: Mapping[str, object], figures: Figures | None, licence: str) -> str:
    """Renders the card. ``facts``: family, recipe, seed, weights (sha256) and commit; what isn't known is empty.

    ``data``: title, noun, classes and licence of the data set.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - Markdown
        keep_trailing_newline=True,
    )
    verdict = figures.verdict if figures else None
    said = [part.strip() for part in (verdict or "").split(";")]
    return environment.get_template(TEMPLATE).render(
        **{name: facts[name] for name in ("family", "recipe", "seed", "weights", "commit")},
        data=data,
        licence=licence,
        verdict=verdict,
        faults=[part for part in said if part and not part.startswith(HEALTHY)],
        rows=list(_rows(figures)) if figures else [],
        samples=f"{figures.leaves['samples']:,.0f}" if figures and "samples" in figures.leaves else "",
        pins=figures.pins if figures else "",
    )


def _rows(figures: Figures) -> Iterator[dict[str, str]]:
    """Lists the figures that decide, each beside what real images get."""
    for metric in dict.fromkeys(deciding().values()):
        if metric.name in figures.leaves:
            interval = sampling_interval(metric, figures.leaves)
            ends = f"{number(interval.low)} to {number(interval.high)}" if interval else NOTHING
            real = figures.leaves.get(metric.real) if metric.real else None
            shown = NOTHING if real is None else number(real)
            value = number(figures.leaves[metric.name])
            yield {
                "title": metric.title,
                "mark": metric.better.mark,
                "value": value,
                "interval": ends,
                "real": shown,
            }
