"""The view-dependent stage through torch.compile, for many views of the same size.

With a model as large as the bundled one, channels together, on one core at 256 x 256 a view then took 0.41 s instead
of 0.73 s, after 23 s of compiling: it pays for videos, not for pictures. The view-independent stage, which runs once a
scene, is left as it is.
"""

import os
import shutil

from rfcli.errors import InputError
from rfcli.model.renderformer import RenderFormer

COMPILERS = ("c++", "g++", "clang++", "cl")


def compile_views(model: RenderFormer) -> None:
    """Let the modules that run once a view be compiled, in place, when they are next called.

    Raises InputError where the model is on a CPU and there is no C++ compiler, which torch needs for it.
    """
    stage = model.view_transformer
    on_cpu = next(stage.parameters()).device.type == "cpu"
    if on_cpu and not any(map(shutil.which, (os.environ.get("CXX", ""), *COMPILERS))):
        raise InputError("--compile needs a C++ compiler (g++ or clang++); install one, or leave --compile out.")
    stage.compile()
    if stage.first_hit:
        stage.pixel_decoder.compile()
