"""Ranges as an operator types them: `500 to 5000`, `500 to`, `to 20`."""

import math

from live_smlm.core import InputError, require


def range_of(text: str) -> tuple[float, float] | None:
    """The range that was typed; None where nothing was."""
    words = text.replace("…", " to ").split()
    if not words:
        return None
    require(words.count("to") == 1, f"range is {text.strip()!r}; write such as 500 to 5000")
    middle = words.index("to")
    low = _end(words[:middle], -math.inf, text)
    high = _end(words[middle + 1 :], math.inf, text)
    require(low <= high, f"range is {text.strip()!r}; write the lower end first")
    return None if low == -math.inf and high == math.inf else (low, high)


def range_words(span: tuple[float, float] | None) -> str:
    """A range as it would be typed."""
    if span is None:
        return ""
    low, high = (f"{end:.6g}" if math.isfinite(end) else "" for end in span)
    return f"{low} to {high}".strip()


def _end(words: list[str], unless: float, text: str) -> float:
    if not words:
        return unless
    try:
        number = float(" ".join(words).replace(",", ""))
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise InputError(f"range is {text.strip()!r}; write numbers such as 500 to 5000")
    return number
