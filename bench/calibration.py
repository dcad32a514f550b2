"""Thresholds for results of training: run the reference with many seeds, keep each outcome, and compute a threshold.

    calibrate("copy task", {"trained": lambda seed: sequence_accuracy(seed)}, seeds=10, n=500, bars={"trained": 0.9})

A threshold (`bars` has those in use) is four standard deviations below the mean, so that a right solution hardly ever
misses it by bad luck. The variance is that between seeds plus that of drawing the n test examples, p (1 - p) / n.
"""

import hashlib
import json
import math
import statistics
import time
from collections.abc import Callable, Mapping

from results import ROOT, Row, record

Measured = Callable[[int], float]  # of a seed: a share, or with n=None any number of which more is better


def calibrate(
    title: str,
    measured: Mapping[str, Measured],
    *,
    seeds: int,
    n: int | None,
    recipe: str,
    bars: Mapping[str, float] | None = None,
    note: str = "",
) -> list[Row]:
    """Measure each with seeds 0, 1, …, write the section "Calibration, <title>" of RESULTS.md and return its rows.

    Every outcome is appended to data/calibration/ at once, so the same command continues an interrupted run.

    Args:
        measured: by name, what to measure.
        n: the number of test examples of which an outcome is a share; None if it is not a share.
        recipe: text that an outcome depends on, such as the solution's source. If it changes, all is measured again.
        bars: the thresholds in use, to be compared with the computed ones.
    """
    folder = ROOT / "data" / "calibration"
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{title.replace(' ', '-').replace(',', '')}.jsonl"
    fingerprint = hashlib.sha256(recipe.encode()).hexdigest()[:16]
    lines = log.read_text().splitlines() if log.exists() else []
    known = {(o["name"], o["seed"]): o for o in map(json.loads, lines) if o["recipe"] == fingerprint}
    for name, measure in measured.items():
        for seed in range(seeds):
            if (name, seed) in known:
                continue
            start = time.perf_counter()
            value = measure(seed)
            outcome = {"name": name, "seed": seed, "recipe": fingerprint, "value": value}
            outcome["seconds"] = round(time.perf_counter() - start, 1)
            with log.open("a") as file:
                file.write(json.dumps(outcome) + "\n")
            known[name, seed] = outcome
            print(f"{title}, {name}, seed {seed}: {value:.4f} in {outcome['seconds']} s", flush=True)
    rows = [
        summary(
            name,
            [o for (of, seed), o in known.items() if of == name and seed < seeds],
            n,
            (bars or {}).get(name),
        )
        for name in measured
    ]
    drawn = f" Shares of {n:,} examples; spread² = sd² + p(1-p)/{n:,}." if n else " spread = sd."
    record(f"Calibration, {title}", rows, f"{note}{drawn} Bar found = mean - 4 · spread.".strip())
    return rows


def summary(name: str, outcomes: list[dict[str, float]], n: int | None, bar: float | None) -> Row:
    """A row: what was found, the bar it allows, and how often an honest run would miss the bar in use."""
    values = [o["value"] for o in outcomes]
    mean = statistics.mean(values)
    sd = statistics.stdev(values) if len(values) > 1 else math.nan
    spread = math.sqrt(sd**2 + (mean * (1 - mean) / n if n else 0))
    used = mean - 4 * spread if bar is None else bar
    missed = 0.5 * math.erfc((mean - used) / spread / math.sqrt(2)) if spread else float(mean < used)
    return {
        "measured": name,
        "seeds": len(values),
        "mean": f"{mean:.4f}",
        "sd": f"{sd:.4f}",
        "lowest": f"{min(values):.4f}",
        "bar found": f"{mean - 4 * spread:.4f}",
        "bar in use": "–" if bar is None else f"{bar:.4f}",
        "honest runs that miss it": f"{missed:.0e}",
        "seconds each": f"{statistics.mean(o['seconds'] for o in outcomes):.1f}",
    }
