"""Watching cameras: one process reads each, one network scores all; health, alarms and clips."""
