"""What was seen as a text that Prometheus reads (node_exporter's textfile collector), and rules that alert on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deepen.core.errors import SettingError
from deepen.core.files import write_text

_METRICS = {
    "deepen_watch_windows": "Windows that were judged.",
    "deepen_watch_p_value": "Of the last window, all signals together.",
    "deepen_watch_alarm": "Whether the last window raises an alarm.",
    "deepen_watch_harm_probability": "That accuracy has fallen by 5 points and more, of the last window.",
    "deepen_watch_estimated_accuracy": "Of the last window, without labels.",
}
_RULES = """groups:
  - name: deepen
    rules:
      - alert: DeepenModelWrongMoreOften
        expr: deepen_watch_alarm == 1 and deepen_watch_harm_probability >= {least}
        labels: {{severity: page}}
        annotations: {{summary: "{{{{ $labels.run }}}} is probably wrong more often; label the rows of deepen watch"}}
      - alert: DeepenRowsDiffer
        expr: deepen_watch_alarm == 1 and deepen_watch_harm_probability < {least}
        labels: {{severity: ticket}}
        annotations: {{summary: "{{{{ $labels.run }}}} reads other rows than its held-out ones"}}
"""


def write_prometheus(path: Path, run: str, windows: list[dict[str, Any]], least_harm: float) -> Path:
    """Writes metrics, and `NAME.rules.yml` beside them.

    Returns:
        The file of rules.

    Raises:
        SettingError: If the name does not end in .prom, or it can't be written.
    """
    if path.suffix != ".prom":
        raise SettingError(f"--write-prometheus {path}: the name must end in .prom")
    last = windows[-1]
    values = (
        len(windows),
        last["p_value"],
        int(last["alarm"]),
        last["harm"]["probability"],
        last["estimated"]["value"],
    )
    label = run.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    lines = [
        f'# HELP {name} {about}\n# TYPE {name} gauge\n{name}{{run="{label}"}} {value}\n'
        for (name, about), value in zip(_METRICS.items(), values, strict=True)
    ]
    write_text(path, "".join(lines))
    rules = path.with_suffix(".rules.yml")
    write_text(rules, _RULES.format(least=least_harm))
    return rules
