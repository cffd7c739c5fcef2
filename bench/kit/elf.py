"""What of programs and libraries the kit needs to know, and change: which libraries they ask for, and where they look for them."""

import os
import struct
import subprocess

# On every Ubuntu; NVIDIA's and the compiler's own are with nvcc.
SYSTEM = ("linux-vdso", "ld-linux", "libc.so", "libm.so", "libdl.so", "libpthread.so", "librt.so", "libresolv.so", "libgcc_s.so",
          "libstdc++.so")
TAG_STRTAB, TAG_RPATH, TAG_RUNPATH, TYPE_LOAD, TYPE_DYNAMIC = 5, 15, 29, 1, 2


class Bad(Exception):
    """A file that is not what it should be."""


def is_elf(path):
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def needed(path, environment=None):
    """{name: path} of the libraries that the loader finds, those of every system left out; the path is None where it finds none."""
    said = subprocess.run(["ldd", path], capture_output=True, text=True, check=False, env=environment).stdout
    found = {}
    for line in said.splitlines():
        words = line.split()
        if len(words) < 3 or words[1] != "=>" or words[0].startswith(SYSTEM):
            continue
        found[words[0]] = None if words[2] == "not" else words[2]
    return found


def sections(data):
    """(address, offset, size) of what is loaded, and (offset, size) of the dynamic entries."""
    if data[:6] != b"\x7fELF\x02\x01":
        raise Bad("it is no ELF file of 64 bits")
    (start,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    loads, dynamic = [], None
    for n in range(count):
        kind, _, offset, address, _, length = struct.unpack_from("<IIQQQQ", data, start + n * size)
        if kind == TYPE_LOAD:
            loads.append((address, offset, length))
        elif kind == TYPE_DYNAMIC:
            dynamic = (offset, length)
    return loads, dynamic


def search_paths(data):
    """{place in the file: text} of the folders that a file looks into."""
    loads, dynamic = sections(data)
    entries = []
    if dynamic:
        entries = [struct.unpack_from("<qQ", data, dynamic[0] + at) for at in range(0, dynamic[1], 16)]
    tables = [value for tag, value in entries if tag == TAG_STRTAB]
    found = {}
    for tag, value in entries:
        if tag not in (TAG_RPATH, TAG_RUNPATH):
            continue
        address = tables[0] + value
        place = next(offset + address - first for first, offset, length in loads if first <= address < first + length)
        found[place] = data[place:data.index(b"\0", place)].decode()
    return found


def set_search_path(path, text):
    """Makes all of a file's folders `text`, which must not be longer than what was there. A file that has none is left so."""
    with open(path, "rb") as file:
        data = bytearray(file.read())
    for place, before in search_paths(bytes(data)).items():
        if len(text) > len(before):
            raise Bad(f"{path}: {text} does not fit into the place of {before}")
        data[place:place + len(before)] = text.encode().ljust(len(before), b"\0")
    with open(path, "r+b") as file:
        file.write(data)


def absolute_paths(path):
    """Folders that a file looks into and that do not begin where it lies."""
    with open(path, "rb") as file:
        found = search_paths(file.read()).values()
    return [part for text in found for part in text.split(":") if part and not part.startswith("$ORIGIN")]

