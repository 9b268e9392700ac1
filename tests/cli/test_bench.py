"""`maskedskipunet bench` as a person calls it."""

import json

import pytest

from maskedskipunet.workflows import bench

SMALL = ("--height-px", 32, "--width-px", 32)


@pytest.fixture(autouse=True)
def brief(monkeypatch):
    monkeypatch.setattr(bench, "MEASURED_S", 0.0)


def test_it_tells_the_speed_of_each_network_and_which_cameras_it_keeps_up_with(cli, place):
    answer = cli("bench", "--latents", "8, 16", *SMALL, "--json", "speed.json")

    assert answer.code == 0
    assert answer.out.startswith("Frames a second at 32x32, float32\n")
    figures = json.loads((place / "speed.json").read_text())
    assert figures["precision"] == "float32"
    assert set(figures["machine"]) == {"processor", "instruction_set", "cores"}
    lines = answer.out.splitlines()
    for network in figures["networks"]:
        (line,) = [line for line in lines if line.startswith(network["name"])]
        keeps_up = ["yes" if rate in network["keeps_up_with_fps"] else "no" for rate in (5, 15, 25)]
        assert line.split()[-3:] == keeps_up


def test_it_measures_a_run_in_reduced_precision(cli, run):
    answer = cli("bench", "--model", run, "--precision", "bfloat16")

    assert answer.code == 0
    assert "bfloat16" in answer.out
    assert "\nsmall" in answer.out


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--latents", "12"), "12 is not a multiple of 8"),
        (("--latents", "8,x"), "--latents"),
        (("--latents", ""), "--latents"),
        (("--height-px", "100"), "100 is not a multiple of 16"),
        (("--model", "nowhere"), "nowhere"),
        (("--model", "nowhere", "--latents", "8"), "Give one of them"),
        (("--precision", "float16"), "--precision"),
        (("--device", "abacus"), "abacus"),
    ],
)
def test_what_cannot_be_measured_is_refused(cli, place, options, told):
    assert told in cli("bench", *options).refusal()
