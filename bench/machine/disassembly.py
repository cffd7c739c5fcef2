"""The kernels' machine code as text, from the objects of the build, by NVIDIA's cuobjdump and nvdisasm.

What has been read once is kept in a folder of the build, by what the object holds and which disassembler read it.
"""

import contextlib
import glob
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile

import sass

COMPILER = re.compile(rb"Cuda compilation tools, release [\d.]+, (V[\d.]+)")


class Missing(Exception):
    """Something that is needed and is not there; says what."""


class Disassembler:
    def __init__(self, folders):
        self.cuobjdump = find("cuobjdump", folders)
        self.nvdisasm = find("nvdisasm", folders)
        said = subprocess.run([self.nvdisasm, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
        self.version = said.strip().splitlines()[-1]

    def read(self, path, architecture, kept):
        """The kernels of an object for one architecture, as sass.read() gives them; `kept` is the folder."""
        with open(path, "rb") as file:
            digest = hashlib.sha256(file.read() + self.version.encode() + str(architecture).encode()
                                    + sass.FORMAT.encode()).hexdigest()
        name = f"{os.path.splitext(os.path.basename(path))[0]}.sm_{architecture}"
        keeps = os.path.join(kept, f"{name}.{digest[:24]}.json")
        if os.path.exists(keeps):
            with open(keeps, encoding="utf-8") as file:
                return sass.loaded(json.load(file))
        kernels = self.disassemble(path, architecture)
        os.makedirs(kept, exist_ok=True)
        for old in glob.glob(os.path.join(glob.escape(kept), f"{name}.*.json")):
            os.remove(old)
        with open(keeps + ".part", "w", encoding="utf-8") as file:
            json.dump(sass.kept(kernels), file)
        os.replace(keeps + ".part", keeps)
        return kernels

    def compiler(self, path, architecture):
        """Which ptxas made an object's code."""
        with self.image(path, architecture) as image:
            if image:
                with open(image, "rb") as file:
                    if found := COMPILER.search(file.read()):
                        return f"ptxas {found[1].decode()}"
        return "ptxas, of a version that the objects do not say"

    @contextlib.contextmanager
    def image(self, path, architecture):
        """The file of an object's code for one architecture, while it is there; None where it has none."""
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([self.cuobjdump, "-xelf", f"sm_{architecture}.cubin", os.path.abspath(path)], cwd=folder, check=True,
                           stdout=subprocess.DEVNULL)
            images = os.listdir(folder)
            if len(images) > 1:
                raise Missing(f"{path}: one image for sm_{architecture} is needed (found {len(images)})")
            yield os.path.join(folder, images[0]) if images else None

    def disassemble(self, path, architecture):
        with self.image(path, architecture) as image:
            if not image:
                return {}
            said = subprocess.Popen([self.nvdisasm, "-gi", "-c", "-hex", "-novliw", image], stdout=subprocess.PIPE, text=True)
            kernels = sass.read(said.stdout)
            if said.wait() != 0:
                raise Missing(f"{path}: nvdisasm failed (exit status {said.returncode})")
            return kernels


def find(name, folders):
    for folder in folders:
        path = os.path.abspath(os.path.join(folder, name))
        if os.path.isfile(path):
            if not os.access(path, os.X_OK):  # pip leaves it so for all but the owner
                raise Missing(f"{path}: it cannot be executed")
            return path
    path = shutil.which(name)
    if not path:
        raise Missing(f"{name} is not there: it is in NVIDIA's CUDA Toolkit, or ./run toolkit fetches it")
    return path


def names(mangled):
    """What people call kernels, by c++filt: the names without parameters."""
    said = subprocess.run(["c++filt", "-p"], input="\n".join(mangled), text=True, check=True, stdout=subprocess.PIPE).stdout
    return dict(zip(mangled, said.splitlines()))
