"""An HTML page about a training: scores beside baselines, pictures with captions, curves, settings.

One file that needs nothing else: pictures are inside it, and it opens without a network.
"""

from limner.report.run import write_report

__all__ = ["write_report"]
