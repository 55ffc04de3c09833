"""What the demo counted and measured: as data for ``demo.json``, and as tables for people."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rich.console import Console
from rich.table import Table

from features.events.manifest import published
from infra.cli.demo.answers import Answers
from infra.ledger import Ledger
from infra.registry import Registry
from infra.settings import Settings
from infra.tracking import MODEL_NAME

TITLE_WIDTH = 26
MEASURES = ("ndcg_10", "recall_10", "hit_10")
SHOWN = ("item_id", "title", "score", "reason")


def accounting(settings: Settings) -> dict[str, Any]:
    """Rows of every published delivery, added up."""
    manifests = published(settings.lake)
    reasons: Counter[str] = Counter()
    for manifest in manifests:
        reasons.update(manifest.quarantined_by_reason)
    counted = {
        name: sum(getattr(manifest, name) for manifest in manifests)
        for name in ("rows_in", "accepted", "duplicate", "late", "early")
    }
    return {**counted, "quarantined": dict(sorted(reasons.items())), "partitions": len(settings.lake.closed_days())}


def decision(settings: Settings, model: str = MODEL_NAME) -> dict[str, Any]:
    """What the ledger says about the registered ``model``: champion, verdict, and the figures that it rests on."""
    with Ledger(settings, model) as ledger:
        champion = ledger.champion()
        judged = [entry.verdict for entry in ledger.entries() if "comparisons" in entry.verdict]
    if champion is None or not judged:
        return {}
    # the champion's own verdict, else the last one: a person may have put another version in its place
    verdict = next((one for one in reversed(judged) if one["version"] == champion.version), judged[-1])
    rivals = {
        other["model"]: other["figures"] for other in verdict["comparisons"] if other["model"] != verdict["model"]
    }
    baselines = dict(sorted(rivals.items(), key=lambda rival: -rival[1]["ndcg_10"]["value"]))
    return {
        "model": {"name": _name(settings, model, champion.version), "version": champion.version, "alias": "champion"},
        "verdict": verdict["outcome"],
        "reason": verdict["reason"],
        "metrics": {"model": verdict["model"], **verdict["figures"]},
        "baselines": baselines,
    }


def _name(settings: Settings, model: str, version: int) -> str:
    """What a registered version is called."""
    with Registry(settings, model) as registry:
        return registry.versions.get(version).name


def answered(answers: Answers) -> dict[str, Any]:
    """The part of ``demo.json`` that the API answered."""
    lists = {"recommendations": answers.before, "recommendations_after_event": answers.after}
    shown = {name: [{key: item[key] for key in SHOWN} for item in got["items"]] for name, got in lists.items()}
    served_by = {key: answers.after["model"][key] for key in ("name", "version")}
    return {"user_id": answers.user_id, "event": answers.event, "served_by": served_by, **shown}


def show(console: Console, content: dict[str, Any], answers: Answers) -> None:
    """Print everything that was counted, judged and recommended."""
    for table in (_rows(content), _runs(content), _figures(content)):
        console.print("", table)
    console.print(f"[bold]Verdict: {content['verdict']}[/]. {content['reason']}")
    for table in (_interests(answers), _recommended(answers)):
        console.print("", table)


def _rows(content: dict[str, Any]) -> Table:
    table = _table("What came in", "rows", "")
    for name in ("rows_in", "accepted", "duplicate", "late", "early"):
        table.add_row(f"{content[name]:,}", name.replace("_", " "))
    for reason, count in content["quarantined"].items():
        table.add_row(f"{count:,}", f"quarantined: {reason.replace('_', ' ')}")
    table.add_row(f"{content['partitions']:,}", "closed days", style="dim")
    return table


def _runs(content: dict[str, Any]) -> Table:
    table = _table("What Airflow ran", "DAG", "success", "failed")
    for dag_id, counts in content["dag_runs"].items():
        table.add_row(dag_id, str(counts["success"]), str(counts["failed"]))
    return table


def _figures(content: dict[str, Any]) -> Table:
    table = _table("On the fresh days, the whole catalogue ranked (95 % interval)", "", *MEASURES)
    for label, figures in {content["metrics"]["model"]: content["metrics"], **content["baselines"]}.items():
        table.add_row(label, *(_interval(figures[key]) for key in MEASURES))
    return table


def _interests(answers: Answers) -> Table:
    days = answers.interest["half_life_days"]
    table = _table(f"What customer {answers.user_id} is interested in (half-life {days} days)", "category", "share", "")
    for entry in answers.interest["categories"][:6]:
        table.add_row(entry["category"], f"{entry['share']:.1%}", entry["trend"])
    return table


def _recommended(answers: Answers) -> Table:
    model = answers.after["model"]
    event = f"a purchase of {answers.title}"
    title = f"Recommended by {model['name']} version {model['version']}, before and after {event}"
    table = _table(title, "now", "before", "item", "why")
    places = {item["item_id"]: place for place, item in enumerate(answers.before["items"], start=1)}
    for place, item in enumerate(answers.after["items"], start=1):
        table.add_row(str(place), str(places.get(item["item_id"], "-")), item["title"], item["reason"])
    return table


def _interval(figure: dict[str, float]) -> str:
    return f"{figure['value']:.3f} [dim]{figure['low']:.3f}..{figure['high']:.3f}[/]"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, no_wrap=True, max_width=TITLE_WIDTH if column == "item" else None)
    return table
