"""Backbones: networks that turn pictures into features."""
