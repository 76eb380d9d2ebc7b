"""The course's data, under the course's path: see `limner.data.coco`."""

from limner.data.coco import load_coco_data, sample_coco_minibatch
from limner.vocabulary import decode_captions

__all__ = ["decode_captions", "load_coco_data", "sample_coco_minibatch"]
