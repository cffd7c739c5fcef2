"""Makes the files smaller that Keras saved."""

import zipfile

import h5py


def deflate(path):
    """Keras stores its zip files uncompressed; deflated they are a fifth. Trained ones stay as they are."""
    with zipfile.ZipFile(path) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED, 9)


def pack(path):
    """The old layout of groups, which Keras asks for, is half of a small .h5."""
    with h5py.File(path, "r") as file:
        attributes = {None: dict(file.attrs)}
        objects = {None: None}
        file.visititems(
            lambda name, item: objects.update({name: item[()] if hasattr(item, "dtype") else None})
        )
        file.visititems(lambda name, item: attributes.update({name: dict(item.attrs)}))
    with h5py.File(path, "w", libver=("v108", "v108")) as file:
        for name, array in objects.items():
            item = file if name is None else file.require_group(name) if array is None else None
            item = file.create_dataset(name, data=array) if item is None else item
            for key, value in attributes[name].items():
                item.attrs[key] = value
