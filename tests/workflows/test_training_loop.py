import os
import subprocess
import sys


def test_the_training_loop_loads_whatever_backend_and_ranks_the_environment_names() -> None:
    told = {"MPLBACKEND": "module://matplotlib_inline.backend_inline", "RANK": "none", "SLURM_NTASKS": "4"}
    script = (
        "import os; from maskedskipunet.workflows.training_loop import load_fit; load_fit();"
        "print(os.environ['MPLBACKEND'], os.environ['RANK'])"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=os.environ | told)

    assert done.stdout.split() == [told["MPLBACKEND"], told["RANK"]], done.stderr
