"""Pictures by address, under the course's path: see `limner.data.remote`."""

from limner.data.remote import image_from_url

__all__ = ["image_from_url"]
