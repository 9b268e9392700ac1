"""`docs/ped2.md`: what is on record of UCSD Ped2, from the files that the scripts for it left in docs/results."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from results import RESULTS

PAGE = Path(__file__).parents[1] / "docs" / "ped2.md"
KERNELS = ("learned", "frozen")
CLAIM = 0.984  # frame AUC on Ped2, the publication's only figure
PROTOCOLS = {
    "micro_auc": "micro AUC, raw (primary)",
    "micro_auc_gaussian": "micro AUC, Gaussian, centred",
    "micro_auc_gaussian_causal": "micro AUC, Gaussian, causal",
    "micro_auc_median": "micro AUC, median",
    "micro_auc_median_causal": "micro AUC, median, causal",
    "micro_auc_min_max": "micro AUC, min-max by video",
    "macro_auc_two_class_videos": "macro AUC, one-class videos left out",
    "macro_auc_one_class_as_1": "macro AUC, one-class videos as 1",
    "macro_auc_padded": "macro AUC, min-max and padded",
    "average_precision": "average precision",
    "equal_error_rate": "equal error rate",
    "pixel_auc": "pixel AUC",
    "pixel_40_auc": "pixel level, 40 % criterion, AUC",
    "rbdc": "RBDC",
    "tbdc": "TBDC",
}
OF_PATCHES = ("pixel_auc", "pixel_40_auc", "rbdc", "tbdc")


def write_page() -> Path:
    """Write the page anew and return its path."""
    kinds = {"ped2_*.json": section, "ablation_ped2_*.json": ablation}
    found = [told(json.loads(path.read_text())) for kind, told in kinds.items() for path in sorted(RESULTS.glob(kind))]
    PAGE.write_text(head() + "".join(found))
    return PAGE


def head() -> str:
    return (
        "# UCSD Ped2\n\n"
        "Written by `benchmarks/reproduce_ped2.py` and `benchmarks/ablation_ped2.py` from `docs/results/`; "
        "change those, not this page.\n\n"
        "The figure of a training is that of its last epoch: nothing was chosen on the test half. "
        f"The publication's only figure is {CLAIM:.1%} frame AUC. `docs/evaluation.md` defines the protocols.\n"
    )


def section(result: dict[str, Any]) -> str:
    runs = result["runs"]
    config = runs[0]["config"]
    seeds = sorted({run["seed"] for run in runs})
    size = f"latent {config['model']['latent_dim']}, {config['data']['width_px']}x{config['data']['height_px']}"
    size += spaced(config)
    minutes = mean(run["train_seconds"] for run in runs) / 60
    columns = list(columns_of(runs))
    kinds = list(dict.fromkeys(column.kernels for column in columns))
    lines = [
        f"\n## `{result['recipe']}`: {size}, {len(runs[0]['epochs'])} epochs\n",
        f"{result['date']}, {hardware(result)}, {numbered('seed', seeds)}, trained at commit {runs[0]['commit']} on "
        f"{runs[0]['trained_on']}, {minutes:.0f} minutes a run.\n",
        row("protocol", *(column.title for column in columns)),
        row(*["---"] * (1 + len(columns))),
        *(row(told, *(over_seeds(runs, column, key) for column in columns)) for key, told in PROTOCOLS.items()),
        *(
            row(
                f"{PROTOCOLS[key]}, maps averaged over patches",
                *(over_seeds(runs, column, key, "last_epoch_maps_of_patches") for column in columns),
            )
            for key in OF_PATCHES
        ),
        "",
        "Intervals are over draws of whole videos, of the first seed. "
        "With the label of the clip's first frame, as published, the raw micro AUC is "
        + " and ".join(f"{first_label(runs, kernels):.4f} ({kernels})" for kernels in kinds)
        + ".\n",
        "After each epoch (the network alone, raw micro AUC; Gaussian):\n",
        row("kernels", "seed", *(f"{number}" for number in range(1, len(runs[0]["epochs"]) + 1)), "best minus last"),
        row(*["---"] * (3 + len(runs[0]["epochs"]))),
        *(each_epoch(run) for run in runs),
        *by_calibration(runs),
    ]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Column:
    """One column of a section. kernels: of which runs. cue: which of their scores; empty: the model's own."""

    title: str
    kernels: str
    cue: str = ""


def columns_of(runs: Sequence[dict[str, Any]]) -> Iterator[Column]:
    """A column for each kind of masked kernels, and for each cue where models have several."""
    for kernels in KERNELS:
        these = [run for run in runs if run["masked_weights"] == kernels]
        if not these:
            continue
        cues = these[0]["last_epoch"].get("cues", {})
        yield Column(f"fused, kernels {kernels}" if cues else f"masked kernels {kernels}", kernels)
        for cue in cues:
            yield Column(f"{cue} alone", kernels, cue)


def over_seeds(runs: Sequence[dict[str, Any]], column: Column, key: str, of: str = "last_epoch") -> str:
    """Mean and standard deviation over seeds; of one seed the figure, with its interval where it has one."""
    these = [run[of] for run in runs if run["masked_weights"] == column.kernels]
    if column.cue:
        these = [figures.get("cues", {}).get(column.cue, {}) for figures in these]
    values = [figures.get(key) for figures in these]
    if None in values:
        return "–"
    if len(values) > 1:
        return f"{mean(values):.4f} ± {stdev(values):.4f}"
    interval = these[0].get("intervals", {}).get("by_videos", {}).get(key)
    return f"{values[0]:.4f}" + (f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else "")


def first_label(runs: Sequence[dict[str, Any]], kernels: str) -> float:
    these = [run["epochs"][-1] for run in runs if run["masked_weights"] == kernels]
    return float(mean(epoch["micro_auc_first_frame_label"] for epoch in these))


def each_epoch(run: dict[str, Any]) -> str:
    raw = [epoch["micro_auc"] for epoch in run["epochs"]]
    cells = (f"{epoch['micro_auc']:.3f}; {epoch['micro_auc_gaussian']:.3f}" for epoch in run["epochs"])
    return row(run["masked_weights"], run["seed"], *cells, f"{max(raw) - raw[-1]:.3f}")


def by_calibration(runs: Sequence[dict[str, Any]]) -> Iterator[str]:
    """What thresholds do that were set without labels, where clips were held back."""
    rows = [
        row(
            run["masked_weights"],
            run["seed"],
            f"{at['normal_share']:.1%}",
            f"{at['threshold']:.5f}",
            f"{at['false_alarm_share']:.1%}",
            f"{at['detected_share']:.1%}",
        )
        for run in runs
        if run["calibration"] is not None
        for at in run["calibration"]["thresholds"]
    ]
    if rows:
        yield "\nThresholds set on held-back normal clips, without labels:\n"
        yield row("kernels", "seed", "held-back frames", "threshold", "normal test frames", "anomalous test frames")
        yield row(*["---"] * 6)
        yield from rows


def spaced(config: dict[str, Any]) -> str:
    """What differs from the publication in how the network is trained, to go on with in a heading."""
    training, spacing = config["training"], config["data"].get("spacing", 1)
    told = [f"frames {spacing} apart"] if spacing > 1 else []
    told += ["restoring"] if training.get("restore") else []
    return "".join(f", {one}" for one in told)


def numbered(word: str, numbers: Sequence[int]) -> str:
    return f"{word}{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"


def row(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def ablation(result: dict[str, Any]) -> str:
    """One ablation's section."""
    config, training = result["config"], result["config"]["training"]
    size = f"latent {config['latent_dim']}, {config['width_px']}x{config['height_px']}, {training['epochs']} epochs"
    lines = [
        f"\n## Ablation, `{result['recipe']}`: {size}\n",
        f"{result['date']}, {hardware(result)}, seed {result['seed']}, code at commit {result['commit']}, all training "
        "clips.\n",
        row("variant", "published class", "parameters", "train loss", "micro AUC, raw", "macro AUC"),
        row(*["---"] * 6),
        *(
            row(
                each["variant"],
                each["published_class"],
                f"{each['parameters']:,}",
                f"{each['train_loss']:.5f}",
                f"{each['micro_auc']:.4f}",
                f"{each['macro_auc']:.4f}",
            )
            for each in result["rows"]
        ),
    ]
    return "\n".join(lines) + "\n"


def hardware(result: dict[str, Any]) -> str:
    where = result["environment"]
    return ", ".join(where["accelerators"]) or f"{where['cores']} cores, {where['instruction_set']}"
