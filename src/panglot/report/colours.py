"""Colours that colour-blind people can tell apart, and that print: one sequential and one diverging scale."""

from collections.abc import Sequence

# of ColorBrewer (Harrower and Brewer 2003): one hue, light to dark; and orange to blue, without red and green
SEQUENTIAL = ("#f7fbff", "#c6dbef", "#6baed6", "#2171b5", "#08306b")
DIVERGING = ("#b35806", "#f1a340", "#fee0b6", "#f7f7f7", "#d1e5f0", "#67a9cf", "#2166ac")
# of Okabe and Ito (2008), without the yellow that is hard to see on white
RUNS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
DASHES = ((1, 0), (6, 3), (2, 2), (8, 3, 2, 3), (12, 4), (4, 4, 1, 4), (1, 3))
DARK, LIGHT = "#1a1a1a", "#ffffff"


def between(value: float, low: float, high: float, scale: Sequence[str] = SEQUENTIAL) -> str:
    """Return the colour of a value on a scale from ``low`` to ``high``; beyond them, that of the end."""
    place = 0.5 if high <= low else min(max((value - low) / (high - low), 0.0), 1.0)
    place *= len(scale) - 1
    step = min(int(place), len(scale) - 2)
    a, b = (_channels(scale[k]) for k in (step, step + 1))
    mixed = (round(x + (place - step) * (y - x)) for x, y in zip(a, b, strict=True))
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def ink(background: str) -> str:
    """Return dark or light text, whichever reads better on a background."""
    return max((DARK, LIGHT), key=lambda colour: contrast(colour, background))


def contrast(a: str, b: str) -> float:
    """Return the contrast of two colours, from 1 to 21, by the formula of WCAG 2.2."""
    high, low = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (channel / 255 for channel in _channels(colour))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
