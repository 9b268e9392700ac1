"""The publication's ablation on UCSD Ped2: its variants with one budget each.

    uv run python benchmarks/ablation_ped2.py --data UCSDped2                              # the size for CPUs
    uv run python benchmarks/ablation_ped2.py --data UCSDped2 --config recipes/ped2.yaml   # the published size

Goes on where it was cut off, if it is called again with the same folder. Writes
docs/results/ablation_ped2_<hardware>_<date>.json and docs/ped2.md.
"""

import argparse
import json
from pathlib import Path

import yaml
from commands import command
from ped2_page import write_page
from results import write_result

ROOT = Path(__file__).parents[1]
# What the publication compares; its masked_skips are four masks.
VARIANTS = (
    "autoencoder",
    "unet",
    "conv3d_skips",
    "masked_skips_2d",
    "masked_blocks",
    "one_mask",
    "two_masks",
    "three_masks",
    "masked_skips",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="UCSD Ped2")
    parser.add_argument("--config", type=Path, default=ROOT / "recipes" / "ped2_ablation.yaml", help="the recipe")
    parser.add_argument("--folder", type=Path, help="for the runs (default: runs/NAME of the recipe)")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=VARIANTS)
    options = parser.parse_args()
    folder = options.folder or Path("runs") / options.config.stem
    if (folder / "ablation.yaml").exists():
        command("ablate", "--resume", folder)
    else:
        place = ["--runs", folder.parent, "--name", folder.name]
        chosen = ["--variants", ",".join(options.variants)]
        command("ablate", "--config", options.config, "--data", options.data, *chosen, *place)
    rows = json.loads((folder / "ablation.json").read_text())["rows"]
    config = yaml.safe_load((folder / "ablation.yaml").read_text())["config"]
    size = {key: config["data"][key] for key in ("height_px", "width_px")}
    figures = {
        "recipe": options.config.name,
        "config": {"latent_dim": config["model"]["latent_dim"], **size, "training": config["training"]},
        "seed": config["seed"],
        "rows": rows,
    }
    environment = json.loads((folder / rows[0]["variant"] / "environment.json").read_text())
    print(write_result("ablation_ped2", figures, environment))
    print(write_page())


if __name__ == "__main__":
    main()
