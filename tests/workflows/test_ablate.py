import csv
import json
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from maskedskipunet.data.config import DataConfig
from maskedskipunet.errors import ConfigError, DataError, RunError
from maskedskipunet.model.config import NetworkConfig
from maskedskipunet.model.pretrained import load_model
from maskedskipunet.runs import RunFolder
from maskedskipunet.training.config import TrainConfig
from maskedskipunet.workflows import ablate as ablate_module
from maskedskipunet.workflows.ablate import COLUMNS, Ablation, AblationRow, ablate, markdown_table, resume_ablation

VARIANTS = ["unet", "masked_skips"]


@pytest.fixture
def own(config: TrainConfig, tmp_path: Path) -> TrainConfig:
    """The shared config with a single epoch and a folder of runs of the test's own."""
    return replace(config, training=replace(config.training, epochs=1), runs=tmp_path / "runs")


@pytest.fixture(scope="module")
def whole(config: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> Ablation:
    """Two variants, one epoch each, that nothing interrupts."""
    once = replace(config.training, epochs=1)
    return ablate(replace(config, training=once, runs=tmp_path_factory.mktemp("runs"), name="both"), VARIANTS)


def figures(ablation: Ablation) -> list[tuple[Any, ...]]:
    """All but what time it took."""
    return [replace(row, seconds=0.0).cells() for row in ablation.rows]


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


def test_each_variant_is_a_run_trained_and_tested_with_what_was_asked(whole: Ablation, config: TrainConfig) -> None:
    assert [row.variant for row in whole.rows] == VARIANTS
    assert whole.folder.name == "both"
    for row, clip_length in zip(whole.rows, (1, 3), strict=True):
        run = RunFolder(whole.folder / row.variant)
        network = load_model(run.path)
        assert network.config == NetworkConfig(variant=row.variant, latent_dim=8, clip_length=clip_length)
        assert row.parameters == sum(weight.numel() for weight in network.parameters())
        asked = TrainConfig.from_dict(run.read_config())
        assert (asked.data, asked.seed, asked.training.epochs) == (config.data, config.seed, 1)
        metrics = json.loads(run.metrics.read_text())
        assert (row.micro_auc, row.macro_auc) == (metrics["micro_auc"], metrics["macro_auc_two_class_videos"])
        assert run.scores.exists()
        assert not run.videos.exists()


def test_the_table_lies_there_in_every_form(whole: Ablation) -> None:
    with (whole.folder / "ablation.csv").open(newline="") as file:
        by_csv = list(csv.DictReader(file))
    by_json = json.loads((whole.folder / "ablation.json").read_text())["rows"]
    by_markdown = (whole.folder / "ablation.md").read_text().splitlines()

    assert [list(row) for row in by_csv] == [list(COLUMNS)] * 2
    for number, row in enumerate(whole.rows):
        assert list(by_json[number].values()) == list(row.cells())
        assert list(by_csv[number].values()) == [str(value) for value in row.cells()]
        assert f"| {row.variant} | {row.published_class} | {row.parameters} | 1 |" in by_markdown[2 + number]
    assert (whole.folder / "ablation.png").stat().st_size > 1000
    assert [row.published_class for row in whole.rows] == ["UNet", "MaskedSkipUNet"]


def test_a_variant_named_twice_is_trained_once(own: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ablate_module, "_carry_on", lambda folder, *_: Ablation([], folder))
    folder = ablate(own, ["unet", "masked_skips", "unet"]).folder

    assert yaml.safe_load((folder / "ablation.yaml").read_text())["variants"] == VARIANTS


@pytest.mark.parametrize("stage", ["training", "testing"])
def test_interrupted_during_the_second_and_resumed_the_first_is_not_done_again(
    own: TrainConfig, whole: Ablation, listener: Any, stage: str
) -> None:
    def in_second_variant() -> None:
        # One listener hears all stages: wait for the second variant's.
        if len([title for title, *_ in listener.stages if title == stage]) == 2:
            interrupt()
        listener.at = (stage, 1)

    listener.at, listener.does = (stage, 1), in_second_variant
    with pytest.raises(KeyboardInterrupt) as ended:
        ablate(own, VARIANTS, progress=listener)
    folder = own.runs / "001"
    assert ended.value.__notes__ == [f"go on with `maskedskipunet ablate --resume {folder}`"]
    first = {path: path.stat().st_mtime_ns for path in (folder / "unet").rglob("*")}
    listener.at = None
    listener.stages.clear()
    resumed = resume_ablation(folder, progress=listener)

    assert {path: path.stat().st_mtime_ns for path in (folder / "unet").rglob("*")} == first
    assert [title for title, *_ in listener.stages if title == "training"] == ["training"] * (stage == "training")
    assert "variant masked_skips (2 of 2)" in listener.notes
    assert figures(resumed) == figures(whole)


def test_broken_off_before_a_variants_config_is_written_it_is_started_anew(own: TrainConfig, whole: Ablation) -> None:
    folder = own.runs / "001"
    (folder / "unet").mkdir(parents=True)
    (folder / "ablation.yaml").write_text(yaml.safe_dump({"variants": VARIANTS[:1], "config": own.to_dict()}))

    assert figures(resume_ablation(folder)) == figures(whole)[:1]


def test_a_finished_ablation_resumed_gives_its_table_again(whole: Ablation, listener: Any) -> None:
    assert resume_ablation(whole.folder, progress=listener) == whole
    assert listener.stages == []


@pytest.mark.parametrize(
    ("variants", "named"),
    [(["unet", "wnet"], r"there is no variant wnet.*autoencoder, unet"), ([], "no variant is named")],
)
def test_a_variant_that_is_not_there_is_refused(own: TrainConfig, variants: list[str], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        ablate(own, variants)

    assert not own.runs.exists()


def test_a_start_from_trained_weights_is_refused(own: TrainConfig, trained: RunFolder) -> None:
    with pytest.raises(ConfigError, match="start_from: variants start at random"):
        ablate(replace(own, start_from=trained.path), VARIANTS)

    assert not own.runs.exists()


@pytest.mark.parametrize(("part", "named"), [("normal", "no test videos"), ("test", "no normal footage")])
def test_footage_that_cannot_be_both_trained_and_tested_on_is_refused_and_leaves_nothing(
    own: TrainConfig, footage: Path, tmp_path: Path, part: str, named: str
) -> None:
    half = tmp_path / "half"
    half.mkdir()
    (half / part).symlink_to(footage / part, target_is_directory=True)

    with pytest.raises(DataError, match=named):
        ablate(replace(own, data=DataConfig(path=half)), VARIANTS)

    assert not own.runs.exists() or list(own.runs.iterdir()) == []


def nothing(plan: Path) -> None:
    pass


def damaged(plan: Path) -> None:
    plan.write_bytes(b"\xff\xfe\x00{")


def a_list(plan: Path) -> None:
    plan.write_text("- unet\n")


def unknown_variant(plan: Path) -> None:
    plan.write_text(yaml.safe_dump({"variants": ["wnet"], "config": TrainConfig().to_dict()}))


def broken_config(plan: Path) -> None:
    plan.write_text(yaml.safe_dump({"variants": ["unet"], "config": {"seed": 0}}))


@pytest.mark.parametrize("write", [nothing, damaged, a_list, unknown_variant, broken_config])
def test_a_folder_that_holds_no_ablation_cannot_be_resumed(tmp_path: Path, write: Any) -> None:
    write(tmp_path / "ablation.yaml")
    before = sorted(tmp_path.iterdir())

    with pytest.raises(RunError, match=str(tmp_path)):
        resume_ablation(tmp_path)

    assert sorted(tmp_path.iterdir()) == before


def test_without_labels_the_table_says_so() -> None:
    row = AblationRow("unet", "UNet", 1234, 2, 0.125, 3.5, None, None)

    assert markdown_table([row]).splitlines() == [
        "| variant | published_class | parameters | epochs | train_loss | seconds | micro_auc | macro_auc |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        "| unet | UNet | 1234 | 2 | 0.1250 | 3.5000 | no labels | no labels |",
    ]


def test_an_ablation_is_never_the_latest_model_and_still_the_latest_ablation(
    whole: Ablation,
) -> None:
    latest = whole.folder.parent / "latest"

    assert not latest.exists()
    assert resume_ablation(latest) == whole
