"""Pictures of scenes: scenes are found, rendered, converted for display, compared, and written as images and videos."""

from rfcli.pictures.images import DisplaySettings, read_exr, to_display, write_exr, write_png
from rfcli.pictures.row import row
from rfcli.pictures.sheets import contact_sheet

__all__ = ["DisplaySettings", "contact_sheet", "read_exr", "row", "to_display", "write_exr", "write_png"]
