"""Procedural shapes: families of closed solids and open sheets, each fitted to a budget of faces."""

from rfcli.synth.shapes.families import FAMILIES, Family, make_shape, random_shape

__all__ = ["FAMILIES", "Family", "make_shape", "random_shape"]
