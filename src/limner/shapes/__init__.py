"""The built-in dataset: generated images with captions, available without a download.

    scene.py        the contents of an image
    figures.py      polygons of the figures
    backgrounds.py  images behind the figures
    paint.py        scene -> image
    grammar.py      scene -> captions
    drawing.py      captioned images, single or as a folder

>>> draw(0).captions == draw(0).captions
True
"""

from limner.shapes.drawing import Drawing, draw, write_folder

__all__ = ["Drawing", "draw", "write_folder"]
