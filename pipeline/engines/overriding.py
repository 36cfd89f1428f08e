"""Changes params files as ``dvc exp run -S`` would: by the code that DVC itself does it with, as SEEN_IN has it."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from mnistgan.errors import UsageError

SEEN_IN = "3.67"


def overridden(texts: Mapping[Path, str], overrides: Sequence[str]) -> dict[Path, str]:
    """Returns the texts of params files with overrides applied, each ``KEY=VALUE`` or ``FILE:KEY=VALUE``.

    Raises UsageError where DVC refuses one, it asks for several values, or its file is none of ``texts``.
    """
    from dvc.exceptions import DvcException
    from dvc.utils.cli_parse import to_path_overrides
    from dvc.utils.hydra import apply_overrides, to_hydra_overrides

    said = f"--set {', '.join(overrides)}"
    found = dict(texts)
    with tempfile.TemporaryDirectory(prefix="mnistgan-") as folder:
        for name, asked in to_path_overrides(overrides).items():
            file = Path(name)
            if file not in found:
                raise UsageError(f"{said}: {name} is none of {', '.join(map(str, found))}")
            copy = Path(folder) / file.name
            copy.write_text(found[file], "utf-8")
            try:
                if any(override.is_sweep_override() for override in to_hydra_overrides(asked)):
                    raise UsageError(f"{said}: several values; a group is of one, so give one")
                apply_overrides(copy, asked)
            except UsageError:
                raise
            except Exception as error:  # DVC lets its parser's own through
                cause = error.__cause__ if isinstance(error, DvcException) and error.__cause__ else error
                reason = " ".join(str(cause).split()).partition(". To append")[0]
                raise UsageError(f"{said}: {reason}; takes KEY=VALUE of {file}") from error
            found[file] = copy.read_text("utf-8")
    return found
