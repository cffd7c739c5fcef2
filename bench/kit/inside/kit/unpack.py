"""Programs, libraries and models out of the kit's archive, once."""

import os
import shutil
import tarfile

from kit import process


class Broken(Exception):
    """The archive cannot be unpacked."""


def unpack(archive, root):
    """Makes the folder `root` of the archive; nothing where it is there."""
    if os.path.isdir(root):
        return
    part = root + ".part"
    shutil.rmtree(part, ignore_errors=True)
    try:
        with tarfile.open(archive, "r:xz") as file:
            if hasattr(tarfile, "data_filter"):
                file.extractall(part, filter="data")
            else:
                file.extractall(part)
        os.rename(part, root)
    except (tarfile.TarError, EOFError, ValueError) as error:
        shutil.rmtree(part, ignore_errors=True)
        raise Broken(f"{archive}: it cannot be unpacked ({error})") from None
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        if process.full(error):
            raise process.Full(f"{root}: the disk is full (the kit needs about 700 MB)") from None
        raise Broken(f"{archive}: it cannot be unpacked ({error.strerror or error})") from None
    except Exception as error:  # lzma's own, which is there only where Python has it
        shutil.rmtree(part, ignore_errors=True)
        raise Broken(f"{archive}: it cannot be unpacked ({error})") from None
