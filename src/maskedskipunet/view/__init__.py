"""Pictures: plots and comparison videos."""
