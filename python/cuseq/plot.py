"""Heat maps of attention, with matplotlib."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .arrays import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def heat_map(alphas: Array, x_labels: Sequence[str] | None, y_labels: Sequence[str] | None) -> Figure:
    """alphas [Y,T] as a figure; labels beyond the array's sizes are an error."""
    from matplotlib.figure import Figure

    rows, columns = alphas.shape
    for name, labels, size in (("x_labels", x_labels, columns), ("y_labels", y_labels, rows)):
        if labels is not None and len(labels) > size:
            raise ValueError(f"{name}: too many (found {len(labels)}, needed at most {size})")
    figure = Figure(figsize=(1.5 + 0.28 * columns, 1.2 + 0.28 * rows), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(alphas, aspect="auto", vmin=0.0, vmax=max(float(alphas.max()), 1e-9), cmap="viridis")
    if x_labels is not None:
        axes.set_xticks(range(len(x_labels)), x_labels)
    else:
        axes.set_xlabel("position")
    if y_labels is not None:
        axes.set_yticks(range(len(y_labels)), y_labels)
    else:
        axes.set_ylabel("step")
    figure.colorbar(image, ax=axes, fraction=0.03)
    return figure


def as_png(figure: Figure) -> bytes:
    room = io.BytesIO()
    figure.savefig(room, format="png", dpi=100)
    return room.getvalue()
