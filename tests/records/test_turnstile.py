import threading

from maskedskipunet.records.store import Records


def test_a_writer_that_never_rests_does_not_starve_another(tmp_path):
    """Where SQLite alone decides, who comes back at once nearly always goes before who sleeps between two looks."""
    stop, turns = threading.Event(), 0

    def write_without_rest():
        with Records.open(tmp_path / "records") as records:
            while not stop.is_set():
                with records.write():
                    stop.wait(0.005)

    with Records.open(tmp_path / "records") as other:
        writer = threading.Thread(target=write_without_rest)
        writer.start()
        try:
            for _ in range(20):
                other.add_camera("door", "")
                turns += 1
        finally:
            stop.set()
            writer.join()
    assert turns == 20
