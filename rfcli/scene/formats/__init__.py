"""What files of other programs say: parts, materials, textures, cameras and lights; `contents.py` is their common form.

A reader of a format is a function `read_NAME(path) -> Contents` in the module of its name.
"""
