"""Names of the files that can be rendered, for those who must not wait for the libraries that read them."""

HDF5 = (".h5", ".hdf5")
SCENES = (".json", *HDF5)
MESHES = (".obj", ".ply", ".glb", ".stl", ".off")
