"""What a person waits for: `score --video` of a 360x240 mp4 from start to end, and a training's wait for its data.

    uv run python benchmarks/end_to_end.py

Draws the demo's scene at that size, trains latent 32 at 256x256 on it for a minute, and scores one of its videos by the
command line, decoding and comparison video included. Writes docs/results/end_to_end_<instruction set>_<date>.json.
"""

import argparse
import csv
import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from results import write_result

from maskedskipunet.data.video.decoding import read_video
from maskedskipunet.data.video.encoding import VideoWriter
from maskedskipunet.scene.generation import SceneConfig, write_scene

LATENT, HEIGHT_PX, WIDTH_PX, FRAMES = 32, 240, 360, 900
DRAWN_WIDTH_PX = 368  # scenes are drawn in sixteens
COMMAND = [sys.executable, "-m", "maskedskipunet"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1.0, help="of training")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        place = Path(folder)
        scene = SceneConfig(height_px=HEIGHT_PX, width_px=DRAWN_WIDTH_PX, test_videos=1, test_frames=FRAMES)
        write_scene(place / "footage", scene)
        train = f"train --data footage --model.latent_dim {LATENT} --training.max_minutes {options.minutes} --name run"
        call(place, *train.split())
        with (place / "runs" / "run" / "metrics.csv").open(newline="") as file:
            epochs = list(csv.DictReader(file))
        training_s, waiting_s = (sum(float(epoch[key]) for epoch in epochs) for key in ("seconds", "waiting_s"))
        drawn = next(path for path in sorted((place / "footage" / "test").iterdir()) if path.suffix == ".mp4")
        with VideoWriter(place / "video.mp4", height_px=HEIGHT_PX, width_px=WIDTH_PX, frame_rate=25) as writer:
            for frame in read_video(drawn):
                assert frame.image is not None, "our own video holds every frame"
                writer.write(frame.image[:, :WIDTH_PX])
        score = ["score", "video.mp4", "--model", "runs/run", "--json", "figures.json"]
        with_video_s = [call(place, *score, "--video") for _ in range(options.rounds)]
        alone_s = [call(place, *score) for _ in range(options.rounds)]
        frames = json.loads((place / "figures.json").read_text())["frames"]
    figures = {
        "latent": LATENT,
        "source_px": [HEIGHT_PX, WIDTH_PX],
        "network_px": [256, 256],
        "frames": frames,
        "score_with_video_fps": [round(frames / seconds, 1) for seconds in with_video_s],
        "score_fps": [round(frames / seconds, 1) for seconds in alone_s],
        "training_s": round(training_s, 1),
        "training_waited_for_data_s": round(waiting_s, 2),
        "training_waited_for_data_share": round(waiting_s / training_s, 4),
    }
    print(json.dumps(figures, indent=1))
    print(write_result("end_to_end", figures))


def call(place: Path, *arguments: str) -> float:
    """Run a command; returns its seconds, start-up included."""
    began_s = time.perf_counter()
    subprocess.run([*COMMAND, *arguments], cwd=place, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began_s


if __name__ == "__main__":
    main()
