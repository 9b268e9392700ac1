"""The ablation runs whole on a miniature, its page says what its result holds, and what is done is not done again."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from maskedskipunet.cli.main import main

ROOT = Path(__file__).parents[2]


def test_the_variants_asked_for_stand_in_result_and_page(
    monkeypatch: pytest.MonkeyPatch, miniatures: Any, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    import ablation_ped2
    import ped2_page
    import results

    monkeypatch.setattr(results, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(ped2_page, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(ped2_page, "PAGE", tmp_path / "ped2.md")
    monkeypatch.setattr(ablation_ped2, "command", lambda *asked: codes.append(main([str(one) for one in asked])))
    codes: list[int] = []
    recipe = tmp_path / "small.yaml"
    recipe.write_text(
        "model: {latent_dim: 8}\ndata: {height_px: 32, width_px: 32}\n"
        "training: {epochs: 1, batch_size: 4, accelerator: cpu}\n"
    )
    data = miniatures.ped1(tmp_path / "data")
    asked = ["--data", data, "--config", recipe, "--folder", tmp_path / "runs" / "small", "--variants", "unet"]
    monkeypatch.setattr(sys, "argv", ["ablation_ped2.py", *map(str, asked), "masked_skips"])
    ablation_ped2.main()
    weights = tmp_path / "runs" / "small" / "unet" / "model" / "model.safetensors"
    trained_ns = weights.stat().st_mtime_ns
    ablation_ped2.main()

    assert codes == [0, 0]
    assert weights.stat().st_mtime_ns == trained_ns
    (path,) = (tmp_path / "results").glob("ablation_ped2_*.json")
    rows = json.loads(path.read_text())["rows"]
    assert [row["variant"] for row in rows] == ["unet", "masked_skips"]
    page = (tmp_path / "ped2.md").read_text()
    for row in rows:
        assert f"| {row['variant']} | {row['published_class']} | {row['parameters']:,} |" in page
        assert f"| {row['micro_auc']:.4f} | {row['macro_auc']:.4f} |" in page
