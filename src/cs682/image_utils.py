"""Pictures by address, under the course's path: see `limner.data.pictures.remote`."""

from limner.data.pictures.remote import image_from_url

__all__ = ["image_from_url"]
