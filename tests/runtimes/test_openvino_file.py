"""OpenVINO in a process of ours: it tells nobody, and leaves Ctrl-C as it was."""

import subprocess
import sys

import pytest

pytest.importorskip("openvino_telemetry")

LOAD = """
import socket, sys

def refuse(*_):
    print("asked for a connection")
    raise OSError

socket.socket.connect = socket.getaddrinfo = refuse
from maskedskipunet.runtimes.openvino_file import load_openvino
openvino = load_openvino("here")
print(openvino.Core().available_devices[:1], "openvino_telemetry" in sys.modules)
import openvino_telemetry  # still there for others
"""


def test_openvino_is_imported_without_telling_its_makers() -> None:
    done = subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True, check=False)

    assert (done.stdout, done.returncode) == ("['CPU'] False\n", 0), done.stderr


ENDED_ELSEWHERE = """
import gc, signal, threading
import numpy as np
from maskedskipunet.runtimes.openvino_file import load_openvino, openvino_core

signal.signal(signal.SIGINT, signal.default_int_handler)
openvino = load_openvino("here")
value = openvino.opset13.parameter([1], np.float32)
model = openvino.Model([openvino.opset13.relu(value)], [value])
compiled = [openvino_core("here").compile_model(model, "CPU")]

def drop():
    compiled.clear()
    gc.collect()

thread = threading.Thread(target=drop)
thread.start()
thread.join()
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_is_heard_after_another_thread_let_go_of_a_compiled_model() -> None:
    done = subprocess.run([sys.executable, "-c", ENDED_ELSEWHERE], capture_output=True, text=True, check=False)

    assert (done.stdout, done.returncode) == ("interrupted\n", 0), done.stderr
