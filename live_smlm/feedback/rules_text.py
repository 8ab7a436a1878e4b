"""Stop rules as text, on the command line and in TOML.

    frc < 30 nm or (completeness > 95 % and molecules > 1e5) or time > 10 min
    frc gain < 1 nm in 60 s
    (resolution < 25 nm) in every roi or pool < 5 %

`and` binds more strongly than `or`. The sign may be left out, since every quantity
is good on one side only; the wrong one is refused.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NoReturn

from live_smlm.core import InputError, require
from live_smlm.core.feedback import SECONDS
from live_smlm.feedback.rules_words import (
    QUANTITIES,
    All,
    Either,
    EveryRoi,
    Gain,
    Limit,
    Quantity,
    Rule,
)

_TOKEN = re.compile(
    r"\s*(?:(?P<number>[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+\.)"
    r"|(?P<word>[^\W\d_]+|%)|(?P<sign><=|>=|<|>|≤|≥|\(|\)|=))"
)
_SIDE = {"<": True, "<=": True, "≤": True, ">": False, ">=": False, "≥": False}
_EXAMPLE = "write as 'frc < 30 nm or time > 10 min'"


def read_rule(text: str) -> Rule:
    """The rule that a text says."""
    return _Reader(text, _tokens(text)).whole()


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    end = len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            raise InputError(f"stop rule {text!r}: {text[at:].strip()!r} is not read; {_EXAMPLE}")
        tokens.append(match.group().strip())
        at = match.end()
    return tokens


@dataclass(slots=True)
class _Reader:
    """Reads one text from left to right."""

    text: str
    tokens: list[str]
    at: int = 0

    def whole(self) -> Rule:
        require(bool(self.tokens), f"stop rule is empty; {_EXAMPLE}")
        rule = self._either()
        if self.at < len(self.tokens):
            self._refuse(f"{self._seen()!r} follows a whole rule", "join rules by and, or")
        return rule

    def _either(self) -> Rule:
        return self._joined("or", self._both, Either)

    def _both(self) -> Rule:
        return self._joined("and", self._part, All)

    def _joined(self, word: str, read: Callable[[], Rule], made: type[All] | type[Either]) -> Rule:
        parts = [read()]
        while self._takes(word):
            parts.append(read())
        return parts[0] if len(parts) == 1 else made(tuple(parts))

    def _part(self) -> Rule:
        if self._takes("("):
            rule = self._either()
            if not self._takes(")"):
                self._refuse(f"{self._seen()!r} stands where a bracket ends", "close it by )")
        else:
            rule = self._condition()
        if self._takes("in"):
            self._expect("every")
            self._expect("roi")
            return EveryRoi(rule)
        return rule

    def _condition(self) -> Rule:
        word = self._seen()
        quantity = QUANTITIES.get(word)
        if quantity is None:
            self._refuse(f"{word!r} is no quantity", f"choose of {', '.join(QUANTITIES)}")
        self.at += 1
        return self._gain(quantity) if self._takes("gain") else self._limit(quantity)

    def _limit(self, quantity: Quantity) -> Limit:
        self._side(quantity.word, falls=quantity.falls)
        number = self._number(quantity.word)
        return Limit(quantity, number * self._unit(quantity))

    def _gain(self, quantity: Quantity) -> Gain:
        what = f"{quantity.word} gain"
        self._side(what, falls=True)
        number = self._number(what)
        relative = "%" not in quantity.units and self._takes("%")
        least = number * (0.01 if relative else self._unit(quantity))
        self._expect("in")
        length = self._number(what)
        unit = self._seen()
        if unit not in SECONDS:
            self._refuse(f"{what} has {unit!r} for a unit of time", f"say it in {_or(SECONDS)}")
        self.at += 1
        return Gain(quantity, least, length * SECONDS[unit], relative)

    def _side(self, what: str, *, falls: bool) -> None:
        sign = self._seen()
        if sign not in _SIDE:
            return
        self.at += 1
        if _SIDE[sign] != falls:
            good = "<" if falls else ">"
            self._refuse(f"{what} {sign} would stop at once", f"write {what} {good}")

    def _number(self, what: str) -> float:
        token = self._seen()
        try:
            value = float(token)
        except ValueError:
            self._refuse(f"{what} has {token!r} for a number", "give a number, as 30")
        self.at += 1
        return value

    def _unit(self, quantity: Quantity) -> float:
        token = self._seen()
        if token in quantity.units and token:
            self.at += 1
            return quantity.units[token]
        if "" not in quantity.units:
            self._refuse(
                f"{quantity.word} has {token!r} for a unit",
                f"say it in {_or(quantity.units)}",
            )
        return 1.0

    def _seen(self) -> str:
        """The next word; empty at the end."""
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def _takes(self, word: str) -> bool:
        there = self._seen() == word
        self.at += there
        return there

    def _expect(self, word: str) -> None:
        if not self._takes(word):
            self._refuse(f"{self._seen()!r} stands where {word!r} must", _EXAMPLE)

    def _refuse(self, what: str, cure: str) -> NoReturn:
        what = what.replace("''", "the end")
        raise InputError(f"stop rule {self.text!r}: {what}; {cure}")


def _or(words: Iterable[str]) -> str:
    return " or ".join(filter(None, words))
