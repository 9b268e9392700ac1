"""Sources of frames: videos, image folders, recognised data sets, labels, the frame store."""
