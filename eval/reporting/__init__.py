"""The experiment's report: what a sweep's or some runs' files say, as Markdown, HTML, LaTeX and PDF."""
