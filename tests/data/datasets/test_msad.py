import pytest

from maskedskipunet.data.labels import labels_for
from maskedskipunet.data.layouts import recognise
from maskedskipunet.errors import LabelError

HEADER = "name,scenario,total frames,starting frame of anomaly,ending frame of anomaly\n"


@pytest.fixture
def root(miniatures, tmp_path):
    return miniatures.msad(tmp_path / "data")


@pytest.mark.parametrize("name", ["Assault_1", "assault_1.mp4", "MSAD_Assault_1"])
def test_a_row_belongs_to_its_video_however_its_name_is_written(root, name):
    (root / "anomaly_annotation.csv").write_text(f"{HEADER}{name},shop,6,0,2\n")
    assert labels_for(recognise(root).test[1].labels, 6).tolist() == [1, 1, 0, 0, 0, 0]


def test_a_table_parted_by_tabs_and_rows_of_normal_videos_are_read(root):
    table = HEADER.replace(",", "\t") + "Assault_1\tshop\t6\t\t\n"
    (root / "anomaly_annotation.csv").write_text(table)
    assert labels_for(recognise(root).test[1].labels, 6).tolist() == [0] * 6


def test_a_table_with_other_columns_is_refused(root):
    (root / "anomaly_annotation.csv").write_text("video,start,end\nAssault_1,1,2\n")
    with pytest.raises(LabelError, match="found no columns name, starting frame of anomaly"):
        recognise(root)


def test_the_folder_of_its_parts_may_be_named_itself(root):
    dataset = recognise(root / "MSAD_blur")
    assert (dataset.layout, len(dataset.train), len(dataset.test)) == ("msad", 2, 2)
