"""The table in docs/runtimes.md, from what `measure.py` found."""

from pathlib import Path

START, END = "<!-- table of runtimes: start -->", "<!-- table of runtimes: end -->"
HEAD = (
    "| runtime | version | loads | other form | largest error | NaN, commands | NaN, choices | batches | p50, us |\n"
    "|---|---|---:|---|---:|---|---|---|---:|\n"
)
OPTIONS = {
    "opset-17": "`--opset 17`",
    "float-mask": "`--float-mask`",
    "logits-only": "`--logits-only`",
    "plain-logits": "`--float-mask --logits-only`",
    "static": "`--static-batch 1`",
    "static-opset-17": "`--static-batch 1 --opset 17`",
    "static-plain-logits": "`--static-batch 1 --float-mask --logits-only`",
    "static-plain-logits-opset-17": "`--static-batch 1 --float-mask --logits-only --opset 17`",
}
# Latency is that of this policy, the first in every comparison.
TIMED = "spread"


def row(found: dict) -> str:
    """One runtime's."""
    name = f"| {found['label']} | {found['version']} |"
    if not found.get("installed"):
        return f"{name} not installed here: {plain(found['failure'])} | | | | | | |"
    policies = found["policies"]
    loaded = {policy: at for policy, at in policies.items() if at["loads"]}
    loads = f" {len(loaded)} of {len(policies)}" + (f" ({plain(found['failure'])})" if found["failure"] else "")
    error = max((at["error"] for at in loaded.values()), default=None)
    cells = [
        loads,
        forms(loaded),
        "" if error is None else "wrong" if error == float("inf") else f"{error:.0e}",
        words(at for at in loaded.values() if not at["discrete"]),
        words(at for at in loaded.values() if at["discrete"]),
        batches(loaded.values()),
        f"{loaded[TIMED]['microseconds']:.0f}" if TIMED in loaded else "",
    ]
    return f"{name}{' | '.join(cells)} |"


def plain(text: str) -> str:
    return " ".join(text.replace("|", "/").split())


def forms(loaded: dict) -> str:
    """Which policies needed which options."""
    needed = {}
    for at in loaded.values():
        if at["form"] != "usual":
            needed.setdefault(OPTIONS[at["form"]], set()).add("choices" if at["discrete"] else "commands")
    return "; ".join(f"{' and '.join(sorted(kinds))}: {option}" for option, kinds in needed.items())


def words(policies) -> str:
    return "; ".join(sorted({word for at in policies for word in at["bad"]}))


def batches(policies) -> str:
    """Those that every policy got right, and those that only some did."""
    all_of = [set(at.get("batches", [])) for at in policies]
    if not all_of:
        return ""
    right, some = set.intersection(*all_of), set.union(*all_of)
    text = ", ".join(map(str, sorted(right))) or "none"
    return text + "".join(f"; {rows} of some" for rows in sorted(some - right))


def broken(runtimes: list, found: dict) -> list[str]:
    """What `runtimes.toml` promises of a runtime and did not happen."""
    complaints = []
    for runtime in runtimes:
        at = found.get(runtime["name"])
        if not runtime.get("must") or at is None:
            continue
        right = [p for p in at["policies"].values() if p["loads"] and p["error"] <= 1e-5 and p["form"] == "usual"]
        bad = {word for p in right for word in p["bad"]} - {"NaN", "NaN, -1"}
        failed = [text for text in at.get("examples", []) if "ended with" in text]
        if not at["policies"] or len(right) < len(at["policies"]) or bad or failed:
            complaints.append(f"FAILED: {row(at)} {' '.join(failed)}")
    return complaints


def write(page: Path, found: list[dict]) -> None:
    """Put the table between the marks."""
    text = page.read_text()
    before, rest = text.split(START)
    after = rest.split(END)[1]
    page.write_text(f"{before}{START}\n\n{HEAD}{''.join(row(at) + chr(10) for at in found)}\n{END}{after}")
