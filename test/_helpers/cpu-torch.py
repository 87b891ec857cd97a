"""Makes what PyTorch's own index of builds for the CPU serves, where that index cannot be reached.

The packages of the default index carry CUDA: 5 GB. They are taken as they are, but for NVIDIA's libraries: instead of each
there is an empty one with the functions that PyTorch wants at load time, all of which answer with an error. So there is
no GPU, and everything else is PyTorch's own code. Needs Debian's binutils.

    cpu-torch.py SITE OUT    SITE holds the unpacked packages torch and torchvision, and nvidia-cuda-runtime; OUT gets wheels,
                             one folder a package, as an index has them
"""

import base64
import collections
import hashlib
import pathlib
import re
import subprocess
import sys
import tempfile
import zipfile

ABSENT = {
    "libcublas.so.13": "cublas",
    "libcublasLt.so.13": "cublasLt",
    "libcudnn.so.9": "cudnn",
    "libcufft.so.12": "cufft",
    "libcufile.so.0": "cuFile",
    "libcupti.so.13": "cupti",
    "libcurand.so.10": "curand",
    "libcusparse.so.12": "cusparse",
    "libcusparseLt.so.0": "cusparseLt",
    "libnccl.so.2": "nccl",
    "libnvrtc.so.13": "nvrtc",
    "libnvshmem_host.so.3": "nvshmem",
}
LEFT_OUT = re.compile(
    r"\.pyc$|/RECORD$|^torch/(include|share|bin/protoc)|^torch/lib/(libtorch_cuda_linalg|libcaffe2_nvrtc|.*\.a$)"
)
CUDA = re.compile(r"^Requires-Dist: (cuda|nvidia|triton)")


def wanted(libraries):
    """The functions that these libraries want of others, with the version that they want, by the library that has it."""
    functions = {}
    for library in libraries:
        argv = ["readelf", "--dyn-syms", "--wide", library]
        for line in subprocess.run(argv, check=True, capture_output=True, text=True).stdout.splitlines():
            fields = line.split()
            if len(fields) >= 8 and fields[6] == "UND":
                name, _, version = fields[7].partition("@")
                functions[name] = version
    longest_first = sorted(ABSENT.items(), key=lambda item: -len(item[1]))
    found = collections.defaultdict(dict)
    for name, version in functions.items():
        owner = next((library for library, prefix in longest_first if name.startswith(prefix)), None)
        if owner:
            found[owner][name] = version
    return found


def empty_library(path, functions):
    source, made, script = (path.with_name(path.name + ending) for ending in (".s", ".o", ".map"))
    labels = [f".globl {name}\n.type {name},@function\n{name}:" for name in functions]
    source.write_text("\n".join([".text", *labels, "movl $1,%eax", "ret", '.section .note.GNU-stack,"",@progbits', ""]))
    versions = collections.defaultdict(list)
    for name, version in functions.items():
        versions[version].append(name)
    nodes = [f"{version} {{ global: {'; '.join(names)}; }};\n" for version, names in versions.items() if version]
    script.write_text("".join(nodes))
    subprocess.run(["as", "-o", made, source], check=True)
    versioned = ["--version-script", script] if nodes else []
    subprocess.run(["ld", "-shared", "-soname", path.name, *versioned, "-o", path, made], check=True)
    for file in (source, made, script):
        file.unlink()


def wheel(site, name, extra, out):
    """Packs a package that is unpacked in `site`, with more files, as a wheel of a version of its own."""
    (info,) = site.glob(f"{name}-*.dist-info")
    version = info.name.removesuffix(".dist-info").removeprefix(f"{name}-")
    mine = f"{name}-{version}+cpu.dist-info"
    (tag,) = re.findall(r"^Tag: (.*)$", (info / "WHEEL").read_text(), re.M)
    folders = [entry.split(",")[0].split("/")[0] for entry in (info / "RECORD").read_text().splitlines()]
    record = []
    (out / name).mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(out / name / f"{name}-{version}+cpu-{tag}.whl", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:

        def add(path, content):
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
            record.append(f"{path},sha256={digest},{len(content)}")
            entry = zipfile.ZipInfo(path)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o755 if path.startswith("torch/bin/") else 0o644) << 16
            archive.writestr(entry, content)

        for folder in dict.fromkeys(folder for folder in folders if folder not in ("..", info.name)):
            files = [site / folder] if (site / folder).is_file() else sorted((site / folder).rglob("*"))
            for file in files:
                path = str(file.relative_to(site))
                if file.is_file() and not LEFT_OUT.search(path):
                    add(path, file.read_bytes())
        for path, content in extra.items():
            add(path, content)
        for file in ("METADATA", "WHEEL", "entry_points.txt"):
            if (info / file).exists():
                lines = [line for line in (info / file).read_text().splitlines() if not CUDA.match(line)]
                text = "\n".join(lines).replace(f"\nVersion: {version}\n", f"\nVersion: {version}+cpu\n", 1)
                add(f"{mine}/{file}", f"{text}\n".encode())
        archive.writestr(f"{mine}/RECORD", "\n".join([*record, f"{mine}/RECORD,,", ""]))


def main(site, out):
    own = [path for path in (site / "torch/lib").glob("*.so*") if not LEFT_OUT.search(str(path.relative_to(site)))]
    functions = wanted(own)
    (runtime,) = site.glob("nvidia/*/lib/libcudart.so.*")
    extra = {f"torch/lib/{runtime.name}": runtime.read_bytes()}
    with tempfile.TemporaryDirectory() as folder:
        for name in ABSENT:
            path = pathlib.Path(folder, name)
            empty_library(path, functions[name])
            extra[f"torch/lib/{name}"] = path.read_bytes()
    wheel(site, "torch", extra, out)
    wheel(site, "torchvision", {}, out)


main(*map(pathlib.Path, sys.argv[1:]))
