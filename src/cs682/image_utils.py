"""Images by address, under the course's path: see `limner.images.remote`."""

from limner.images.remote import image_from_url

__all__ = ["image_from_url"]
