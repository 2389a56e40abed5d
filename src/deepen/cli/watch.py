"""`deepen watch`: whether what a run is asked has changed, and whether that does harm."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from deepen.cli import show

NAME = "watch"
HELP = """Compare what a run is asked with its held-out rows: has something changed, and is it wrong more often?

Rows are judged in windows, by all signals together at one budget of false alarms. Beside an alarm stands how likely it
means harm (accuracy down by 5 points and more), learned from failures planted in the run's held-out rows.

\b
  deepen watch runs/mine this-week.csv
  deepen watch runs/mine predictions.jsonl --rules rules.yaml
  deepen watch runs/mine --log sqlite:///log.sqlite --write-prometheus watch.prom
"""


def command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder.")],
    data: Annotated[
        str | None, typer.Argument(metavar="[FILE]", help="Rows, or predictions that predict --out wrote.")
    ] = None,
    log: Annotated[str | None, typer.Option(help="Instead, the log of serve, as sqlite:///log.sqlite.")] = None,
    rules: Annotated[str | None, typer.Option(help="A YAML file: windows, budget, who is told.")] = None,
    write_prometheus: Annotated[str | None, typer.Option(help="Write metrics to this .prom, and rules.")] = None,
    columns: Annotated[str | None, typer.Option(help="As in text=title; else as in training.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Watches a run."""
    from deepen.data.columns import parse_columns
    from deepen.watching.watch import watch

    asked = parse_columns(columns) if columns is not None else None
    say = show.once(show.lines_to(stderr=True))
    how: dict[str, Any] = {"log": log, "rules": rules, "write_prometheus": write_prometheus, "columns": asked}
    record = watch(run, data, **how, device=device, say=say)
    if as_json:
        show.print_json(record)
    else:
        _print(record)


def _print(record: dict[str, Any]) -> None:
    made = show.table("rows", ">p", "alarm", ">estimated accuracy", ">95 % interval", ">harm")
    for one in record["windows"]:
        score = one["estimated"]
        made.add_row(
            f"{one['from'] + 1:,} to {one['from'] + one['rows']:,}",
            f"{one['p_value']:.3g}",
            "yes" if one["alarm"] else "",
            f"{score['value']:.3f}",
            f"{score['low']:.3f} to {score['high']:.3f}",
            f"{one['harm']['probability']:.2f}",
        )
    show.console().print(made)
    alarms = record["alarms"]
    num, by_chance = len(record["windows"]), len(record["windows"]) * record["budget"]
    show.say(
        f"{len(alarms)} alarms in {num:,} windows, where {by_chance:.1f} come by chance; held-out accuracy "
        f"{record['held_out_accuracy']:.3f}"
    )
    for alarm in alarms:
        _print_alarm(alarm)
    if alarms:
        _print_kinds(record["kinds"])
    if record["verdict"]:
        print_verdict(record["verdict"])
    show.say(f"50 rows to label: {record['to_label']}")


def _print_alarm(alarm: dict[str, Any]) -> None:
    harm, windows = alarm["harm"], ", ".join(str(number + 1) for number in alarm["windows"])
    means = "probably harm" if alarm["means_harm"] else "probably no harm"
    show.say(
        f"alarm: {alarm['cause']}; windows {windows}; {means}: {harm['probability']:.2f} "
        f"({harm['low']:.2f} to {harm['high']:.2f})"
    )
    show.say(f"  seen by: {', '.join(one['title'] for one in alarm['signals'])}")
    if alarm["words"]:
        show.say(
            "  words: " + ", ".join(f"{one['word']} {one['before']:.1%} > {one['now']:.1%}" for one in alarm["words"])
        )
    show.say(f"  rows that tell most: {', '.join(alarm['examples'][:5])}")
    show.say(f"  then: {alarm['remedy']}")


def _print_kinds(kinds: dict[str, Any]) -> None:
    """How well harm is told of each planted kind, where nothing had been learned from that kind."""
    made = show.table("planted failure, not learned from", ">windows", ">harmed", ">precision", ">recall")
    for kind, one in kinds.items():
        shares = ("-" if one[name] is None else f"{one[name]:.2f}" for name in ("precision", "recall"))
        made.add_row(kind, str(one["windows"]), str(one["harmed"]), *shares)
    show.console().print(made)


def print_verdict(found: dict[str, Any]) -> None:
    """What labels show."""
    value, low, high = found["error"]
    show.say(
        f"by {found['labelled']} labels: {'harm' if found['harm'] else 'no harm'}; {found['wrong']} wrong, "
        f"{value:.1%} (at least {low:.1%}, at most {high:.1%}), held-out rows {found['held_out']:.1%}"
        + ("" if found["sure"] else "; more labels would make it sure")
    )
