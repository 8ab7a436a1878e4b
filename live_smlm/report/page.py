"""One self-contained HTML page: nothing is fetched from anywhere, and nothing runs in it."""

import base64
import json
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from live_smlm.report.told import Told

_TITLES = {
    "resolution": "Resolution as it grew",
    "ring": "Fourier ring correlation at the end",
    "drift": "Drift that was taken off",
    "completeness": "How much of the structure was seen",
    "molecules": "Molecules per frame",
    "photons": "Photons",
    "background": "Background",
    "sigma_x": "Precision as the engine reports it",
    "z": "Depth",
}
DECISIONS = frozenset({"decision", "enough", "laser", "alarm", "alarm over", "order"})
"""Events that are decisions, or what led to them."""
_MOST_DECISIONS = 200
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1a1a1a; max-width: 72rem;
       margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: .2rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; } td, th { padding: .15rem .9rem .15rem 0; text-align: left;
       vertical-align: top; } td.number { text-align: right; font-variant-numeric: tabular-nums; }
figure { margin: 0; } figcaption { font-size: .85rem; color: #555; }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(22rem, 1fr)); gap: 1rem; }
img { max-width: 100%; } .picture img { image-rendering: pixelated; background: #000; }
.muted { color: #555; } pre { white-space: pre-wrap; font-size: .8rem; background: #f4f4f4;
       padding: .8rem; }
"""


def page(told: Told, plots: Mapping[str, bytes]) -> str:
    """The report as HTML."""
    parts = [
        _head(told),
        _verdict(told),
        _picture(told),
        _ledger(told.record),
        _figures(plots),
        _decisions(told),
        _settings(told.record),
    ]
    body = "\n".join(part for part in parts if part)
    title = escape(told.name)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )


def _head(told: Told) -> str:
    said = told.record
    simulated = " (simulated)" if said.get("simulated") else ""
    when = " to ".join(_moment(said[key]) for key in ("started", "ended") if said.get(key))
    line = f"{said.get('engine', '?')} on {said.get('source', '?')}{simulated}, {when}"
    return f'<h1>{escape(told.name)}</h1>\n<p class="muted">{escape(line)}</p>'


def _moment(text: Any) -> str:
    """A time of the record, to the second."""
    return str(text).partition(".")[0].replace("T", " ") + " UTC"


def _verdict(told: Told) -> str:
    said = told.record
    ended = f"{said.get('finish', '?')}: {said.get('reason', '')}".rstrip(": ")
    trust = said.get("trust") or {}
    lines = [f"Ended as {ended}."]
    if trust.get("verdict"):
        alarms = "; ".join(str(alarm) for alarm in trust.get("alarms", ()))
        lines.append(f"Trust in the engine: {trust['verdict']}{': ' + alarms if alarms else ''}.")
    lines += told.forecasts
    return "<h2>How it ended</h2>\n<ul>" + _items(lines) + "</ul>"


def _picture(told: Told) -> str:
    if told.picture is None:
        return ""
    parts = [
        f'<h2>Picture</h2>\n<figure class="picture">{_image(told.picture, "picture")}</figure>'
    ]
    for name, png in told.layers.items():
        caption = f"<figcaption>{escape(name)}</figcaption>"
        parts.append(f'<figure class="picture">{_image(png, name)}{caption}</figure>')
    return "".join(parts)


def _ledger(said: Mapping[str, Any]) -> str:
    frames = said.get("frames", {})
    names = ("captured", "localized", "deferred", "shed", "lost")
    rows = [(name, frames[name]) for name in names if name in frames]
    rows.append(("molecules", said.get("molecules", 0)))
    return f"<h2>Every frame accounted for</h2>\n{_table(rows)}"


def _figures(plots: Mapping[str, bytes]) -> str:
    if not plots:
        return ""
    figures = "".join(
        f"<figure>{_image(png, name)}<figcaption>{escape(_TITLES.get(name, name))}"
        "</figcaption></figure>"
        for name, png in plots.items()
    )
    return f'<h2>Numbers</h2>\n<div class="plots">{figures}</div>'


def _decisions(told: Told) -> str:
    made = [event for event in told.events if event.get("what") in DECISIONS]
    if not made:
        return ""
    rows = [
        (_moment(event.get("time", "")), str(event["what"]), str(event.get("detail", "")))
        for event in made[-_MOST_DECISIONS:]
    ]
    left = len(made) - len(rows)
    note = f'<p class="muted">{left} earlier ones stand in events.jsonl.</p>' if left else ""
    return f"<h2>Decisions</h2>\n{note}{_table(rows)}"


def _settings(said: Mapping[str, Any]) -> str:
    names = ("config", "camera", "models", "device", "versions")
    shown = {name: said[name] for name in names if said.get(name)}
    return f"<h2>Settings</h2>\n<pre>{escape(json.dumps(shown, indent=2, default=str))}</pre>"


def _table(rows: Iterable[tuple[Any, ...]]) -> str:
    return "<table>" + "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows) + "</table>"


def _cell(value: Any) -> str:
    if isinstance(value, int):
        return f'<td class="number">{value:,}</td>'
    return f"<td>{escape(str(value))}</td>"


def _items(lines: Iterable[str]) -> str:
    return "".join(f"<li>{escape(line)}</li>" for line in lines)


def _image(png: bytes, name: str) -> str:
    data = base64.b64encode(png).decode("ascii")
    return f'<img alt="{escape(name)}" src="data:image/png;base64,{data}">'
