"""What scores mean: calibration on normal footage. Numbers in, numbers out: no torch, no video."""
