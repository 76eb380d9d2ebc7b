"""The embedded dataset: drawn pictures with captions, so that everything runs with no download.

    scene.py        what a picture shows
    figures.py      what the figures look like
    backgrounds.py  what is behind them
    paint.py        a scene as a picture
    grammar.py      a scene as sentences
    drawing.py      both together, one by one or a folder full

>>> draw(0).captions == draw(0).captions
True
"""

from limner.shapes.drawing import Drawing, draw, write_folder

__all__ = ["Drawing", "draw", "write_folder"]
