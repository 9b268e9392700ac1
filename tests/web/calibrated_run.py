"""A run with a calibration and the scores that it was set from, made in no time."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from maskedskipunet.detection.budget import Budget, NormalScores, set_threshold
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.runs import write_json
from maskedskipunet.workflows.normal_footage import highest_moments, moment_name, paced_rule, picture_name
from maskedskipunet.workflows.score_cache import KEPT_NAME, FootageScores, ScoreCache


def normal_videos(hours: float = 1.0) -> list[NormalScores]:
    """Two normal videos of half an hour at a frame every two seconds, with bursts of a few seconds now and then."""
    draw, found = np.random.default_rng(3), []
    for name in ("day/monday", "tuesday"):
        count = int(hours / 2 * 1800)
        scores = draw.gamma(2.0, 0.1, count)
        for begin in draw.integers(60, count - 60, 20):
            scores[begin : begin + 4] += draw.gamma(2.0, 0.4)
        found.append(NormalScores(name, np.arange(count) * 2.0, scores))
    return found


def make_run(run: Path, budget: Budget | None = None, *, with_cues: bool = True, **changed: Any) -> Path:
    """Write what `calibrate` leaves in a run. changed: contents of `calibrated_on.json`."""
    videos, budget = normal_videos(), budget or Budget(2, "hour")
    model = run / "model"
    model.mkdir(parents=True)
    (model / "config.json").write_text("{}")
    setting = set_threshold(videos, budget, paced_rule(videos))
    calibration = Calibration.of({video.name: video.scores for video in videos})
    paths = {video.name: f"/footage/{video.name}.mp4" for video in videos}
    cache = ScoreCache(run / KEPT_NAME, "a model")
    for video in videos:
        key = json.dumps([paths[video.name], {"bytes": 1}, []])
        cues = {"movement": 0.5 * video.scores, "appearance": 3 + video.scores} if with_cues else {}
        cache.videos[key] = FootageScores(np.arange(len(video.scores)), video.time_s, video.scores, (), cues)
    cache.write()
    write_json(run / "calibrated_on.json", {"videos": paths, "exclude": []} | changed)
    replace(calibration, alarm=setting).write(model)
    (run / "calibration").mkdir()
    for number, index in highest_moments(videos, 12):
        name = moment_name(videos[number].name, float(videos[number].time_s[index]))
        Image.new("RGB", (96, 36), (60, 90, 120)).save(run / "calibration" / picture_name(name))
    return run
