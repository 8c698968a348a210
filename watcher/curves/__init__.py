"""Metric points as pictures: curves and sparklines, as SVG and as PNG. Whoever shows a job imports this."""
