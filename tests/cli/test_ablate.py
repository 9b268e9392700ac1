import csv
import json
import re

import pytest


@pytest.fixture
def ablate(cli, footage, small):
    return lambda *more: cli("ablate", "--data", footage, "--data.cache", "frames", *small, *more)


def test_variants_stand_side_by_side_and_an_ablation_goes_on_where_it_was(ablate, cli, place):
    answer = ablate("--variants", "unet, one_mask,unet", "--name", "both", "--json", "rows.json")
    assert answer.code == 0, answer.err
    title, header, _, unet, one_mask, blank, last = answer.out.splitlines()
    assert title == "Ablation"
    assert header.split() == ["variant", "parameters", "epochs", "loss", "seconds", "micro", "AUC", "macro", "AUC"]
    assert re.fullmatch(r"unet +[\d,]+ +1 +0\.\d{5} +\d+ +[01]\.\d{4} +[01]\.\d{4}", unet)
    assert one_mask.startswith("one_mask ")
    assert (blank, last) == ("", "table and plot: runs/both")
    assert "variant unet (1 of 2)\n" in answer.err
    rows = json.loads((place / "rows.json").read_text())["rows"]
    with (place / "runs" / "both" / "ablation.csv").open(newline="") as file:
        assert [row["variant"] for row in csv.DictReader(file)] == [row["variant"] for row in rows]

    (place / "runs" / "both" / "one_mask" / "metrics.json").unlink()
    resumed = cli("ablate", "--resume", "runs/both")
    assert resumed.code == 0, resumed.err
    assert "variant one_mask (2 of 2)\n" in resumed.err
    assert "variant unet" not in resumed.err
    assert resumed.out == answer.out

    refused = cli("test", "runs/both").refusal()
    assert "runs/both: holds 2 runs, but is not a run itself. Name one, such as runs/both/one_mask." in refused


def test_the_config_of_a_run_is_a_recipe_for_an_ablation_too(cli, run, place):
    text = (run / "config.yaml").read_text()
    (place / "tuned.yaml").write_text(text.replace("start_from: null", "start_from: other"))
    assert (
        "tuned.yaml, start_from: every variant starts from random weights. Leave it out."
        in cli("ablate", "--config", "tuned.yaml").refusal()
    )
    refused = cli("ablate", "--config", run / "config.yaml", "--variants", "nonsense").refusal()
    assert refused.startswith("error: variants: there is no variant nonsense.")
