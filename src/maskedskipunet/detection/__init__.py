"""Calibration, thresholds and events: numbers in, numbers out, without torch and without video."""
