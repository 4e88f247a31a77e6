"""What the evaluation needs: a virtual environment, aeon's wheel, the C++ programs, and facts about the machine."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
sys.path.insert(0, str(HERE.parent))
from machine import machine  # noqa: E402, F401

# TSB-AD without its own requirements: its metrics import these only, its models PyTorch.
REQUIREMENTS = [
    ["numpy==1.26.4", "scipy==1.17.1", "scikit-learn==1.9.1", "statsmodels==0.15.0", "matplotlib==3.11.2"],
    ["--no-deps", "TSB-AD==1.5"],
]
AEON = "aeon==1.6.0"


def run(command, log, **options):
    """Runs a command with its output in the log file; whether it succeeded."""
    with open(log, "a", encoding="utf-8") as file:
        print("$", *command, file=file, flush=True)
        return subprocess.run(command, stdout=file, stderr=file, check=False, **options).returncode == 0


def install(venv, log):
    """Makes the environment; whether everything in it is there."""
    python = venv / "bin" / "python"
    stamp = venv / "installed"
    wanted = repr(REQUIREMENTS)
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return True
    print("installing what evaluates ...", flush=True)
    if not python.exists() and not run([sys.executable, "-m", "venv", str(venv)], log):
        return False
    pip = [str(python), "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    if not all(run(pip + requirements, log) for requirements in REQUIREMENTS):
        return False
    stamp.write_text(wanted, encoding="utf-8")
    return True


def aeon_wheel(venv, log):
    """The file of aeon's wheel, which holds InternalBleeding16; None where it cannot be had."""
    directory = venv / "wheels"
    pattern = AEON.replace("==", "-") + "-*.whl"
    if not list(directory.glob(pattern)):
        pip = [str(venv / "bin" / "python"), "-m", "pip", "download", "--no-input", "--disable-pip-version-check"]
        if not run([*pip, "--no-deps", "--dest", str(directory), AEON], log):
            return None
    return next(directory.glob(pattern), None)


def build(directory, log, names):
    """Compiles the C++ programs of these names; {name: file}, None where one does not compile."""
    configure = ["cmake", "-S", str(HERE), "-B", str(directory), "-DCMAKE_BUILD_TYPE=Release"]
    programs = {name: f"reprise_detection_{name}" for name in names}
    if not run(configure, log) or not run(["cmake", "--build", str(directory), "--target", *programs.values()], log):
        return None
    return {name: directory / program for name, program in programs.items()}
