"""What the measurements need: the peers in a virtual environment, the C++ workers, and facts about the machine."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
sys.path.insert(0, str(HERE.parent))
from machine import machine  # noqa: E402, F401

# The packages that a peer needs, and their versions. PyTorch's wheel on PyPI is the one for CUDA, which does not
# load without these of NVIDIA's libraries; what it loads only when it is used is left out (--no-deps).
PACKAGES = {
    "tensorflow": [["tensorflow-cpu==2.21.0", "keras==3.15.1"]],
    "jax": [["jax==0.10.2", "jaxlib==0.10.2"]],
    "keras": [["keras==3.15.1"]],
    "pytorch": [
        ["--no-deps", "torch==2.15.0"],
        ["numpy", "sympy", "networkx", "jinja2", "fsspec", "filelock", "typing-extensions"],
        [
            "cuda-toolkit[cublas,cudart,cufft,cufile,cupti,cusparse,nvjitlink,nvrtc]==13.2.2",
            "nvidia-cudnn-cu13==9.26.0.51",
            "nvidia-cusparselt-cu13==0.8.1",
            "nvidia-nccl-cu13==2.30.7",
            "nvidia-nvshmem-cu13==3.7.2",
        ],
    ],
    "onnxruntime": [["onnx==1.23.2", "onnxruntime==1.32.0"]],
    "onednn": [["onednn-devel==2026.1.0", "onednn==2026.1.0"]],  # oneDNN 3.13
    "matplotlib": [["matplotlib==3.11.2"]],
}

# Engine: the packages it needs, its worker, and what it adds to the environment.
PEERS = {
    "onednn": {"needs": ["onednn"], "worker": "onednn_worker"},
    "pytorch": {"needs": ["pytorch"], "worker": "torch_worker.py"},
    "jax": {"needs": ["jax"], "worker": "jax_worker.py"},
    "keras-jax": {
        "needs": ["jax", "keras"],
        "worker": "keras_worker.py",
        "environment": {"KERAS_BACKEND": "jax"},
    },
    "keras-tensorflow": {
        "needs": ["tensorflow", "keras"],
        "worker": "keras_worker.py",
        "environment": {"KERAS_BACKEND": "tensorflow"},
    },
    "onnxruntime": {"needs": ["onnxruntime"], "worker": "onnxruntime_worker.py"},
}


def run(command, log, **options):
    """Runs a command with its output in the log file; whether it succeeded."""
    with open(log, "a", encoding="utf-8") as file:
        print("$", *command, file=file, flush=True)
        return subprocess.run(command, stdout=file, stderr=file, check=False, **options).returncode == 0


def install(venv, packages, logs):
    """Makes the environment and installs these packages; returns the names of those that could not be."""
    python = venv / "bin" / "python"
    log = logs / "pip.log"
    if not python.exists() and not run([sys.executable, "-m", "venv", str(venv)], log):
        return list(packages)
    missing = []
    for name in packages:
        stamp = venv / f"installed-{name}"
        wanted = repr(PACKAGES[name])
        if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
            continue
        print(f"installing {name} ...", flush=True)
        pip = [str(python), "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
        if all(run(pip + requirements, log) for requirements in PACKAGES[name]):
            stamp.write_text(wanted, encoding="utf-8")
        else:
            missing.append(name)
    return missing


def build_worker(source, directory, log):
    """Configures and compiles the worker of this library alone, from a copy of this folder; whether it succeeded."""
    configure = ["cmake", "-S", str(source), "-B", str(directory), "-DCMAKE_BUILD_TYPE=Release", "-DONEDNN_PREFIX="]
    return run(configure, log) and run(["cmake", "--build", str(directory), "--target", "reprise_worker"], log)


def build(directory, onednn_prefix, logs):
    """Configures and compiles the C++ workers; whether there is one of ours and one of oneDNN."""
    log = logs / "build.log"
    configure = ["cmake", "-S", str(HERE), "-B", str(directory), "-DCMAKE_BUILD_TYPE=Release"]
    configure.append(f"-DONEDNN_PREFIX={onednn_prefix or ''}")
    if not run(configure, log):
        return False, False
    ours = run(["cmake", "--build", str(directory), "--target", "reprise_worker"], log)
    theirs = onednn_prefix is not None and run(
        ["cmake", "--build", str(directory), "--target", "onednn_worker"], log
    )
    return ours, theirs


def worker_command(engine, venv, build_directory):
    """The command and the environment of an engine's worker, without its threads."""
    if engine == "reprise":
        return [str(build_directory / "reprise_worker")], {}
    peer = PEERS[engine]
    environment = dict(peer.get("environment", {}))
    if engine == "onednn":
        # Its CPU engine is an OpenCL device that comes with it.
        environment["OCL_ICD_FILENAMES"] = str(venv / "lib" / "libintelocl.so")
        environment["LD_LIBRARY_PATH"] = str(venv / "lib")
        return [str(build_directory / peer["worker"])], environment
    return [str(venv / "bin" / "python"), str(HERE / peer["worker"])], environment


def thread_environment(threads, cores):
    """A prefix and an environment with which libraries use so many threads, each on a core."""
    count = str(threads)
    environment = {
        name: count
        for name in (
            "OMP_NUM_THREADS",
            "MKL_NUM_THREADS",
            "OPENBLAS_NUM_THREADS",
            "TBB_NUM_THREADS",
            "DPCPP_CPU_NUM_CUS",
            "NPROC",
            "TF_NUM_INTRAOP_THREADS",
            "TF_NUM_INTEROP_THREADS",
        )
    }
    environment["TF_CPP_MIN_LOG_LEVEL"] = "2"
    environment["CUDA_VISIBLE_DEVICES"] = ""
    if threads == 1:
        environment["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    return ["taskset", "-c", ",".join(map(str, cores[:threads]))], environment
