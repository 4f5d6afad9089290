"""Other forecasting packages, measured on public series: see benchmarks/series.py."""
