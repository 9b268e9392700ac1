import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest

from maskedskipunet.view.matplotlib_defaults import default_style
from maskedskipunet.view.plots import ScoreCurve, plot_score_curve

DRAW = """
import sys
from pathlib import Path
import numpy as np
from maskedskipunet.view.heatmap import overlay
from maskedskipunet.view.plots import ScoreCurve, plot_score_curve
overlay(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8)), 1.0)
plot_score_curve(ScoreCurve("a", np.arange(3.0), np.arange(3.0), None, None), Path(sys.argv[1]))
import matplotlib, os
agg = os.environ["MPLBACKEND"] == "agg"
print(os.environ["MPLBACKEND"], matplotlib.rcParams["backend"] if agg else "")
"""


@pytest.mark.parametrize("backend", ["module://matplotlib_inline.backend_inline", "no such thing", "gtk4agg", "agg"])
def test_pictures_are_drawn_whatever_backend_the_environment_names(backend: str, tmp_path: Path) -> None:
    nowhere = str(tmp_path / "no home" / "matplotlib")
    (tmp_path / "no home").touch()
    environment = os.environ | {"MPLBACKEND": backend, "MPLCONFIGDIR": nowhere}
    command = [sys.executable, "-c", DRAW, str(tmp_path / "plot.png")]

    done = subprocess.run(command, capture_output=True, text=True, env=environment)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == [*backend.split(), *(["agg"] if backend == "agg" else [])]
    assert (tmp_path / "plot.png").exists()


def test_a_persons_matplotlib_settings_do_not_change_the_pictures_and_are_kept(tmp_path: Path) -> None:
    curve = ScoreCurve("a", np.arange(9.0), np.arange(9.0), None, None)
    plot_score_curve(curve, tmp_path / "plain.png")
    theirs = {"savefig.bbox": "tight", "axes.titlesize": 40, "text.usetex": True, "axes.facecolor": "red"}

    with matplotlib.rc_context(theirs):
        plot_score_curve(curve, tmp_path / "theirs.png")
        kept = {name: matplotlib.rcParams[name] for name in theirs}

    assert (tmp_path / "plain.png").read_bytes() == (tmp_path / "theirs.png").read_bytes()
    assert kept == theirs


def test_the_style_is_given_back_after_an_error() -> None:
    with matplotlib.rc_context({"lines.linewidth": 7.0}):
        with pytest.raises(ZeroDivisionError), default_style():
            raise ZeroDivisionError
        assert matplotlib.rcParams["lines.linewidth"] == 7.0
