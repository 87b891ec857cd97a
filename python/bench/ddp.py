"""Two processes through ``mlv ddp`` against ``torchrun`` with the same program and configuration.

Usage: ``python bench/ddp.py --mlv BIN --project FOLDER [--repeats 5] [--epochs 60] [--json FILE]`` in a project whose
platform runs. The two take turns; medians count. The epochs are the sum of their seconds; the whole
command of mlv has the job, Ray Train, MLflow and the saved model in it, torchrun's has none of them.
Writes ``{"rows": [{what, ours, against, ratio, aim, isGood}], ...}``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parents[1] / "src"


def main() -> None:
    """Measure both and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mlv", nargs="+", required=True, help="the program and its first arguments")
    parser.add_argument("--project", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    ours: list[tuple[float, float]] = []
    theirs: list[tuple[float, float]] = []
    for _ in range(given.repeats):
        ours.append(by_mlv(given.mlv, given.project, given.epochs))
        theirs.append(by_torchrun(given.mlv, given.project, given.epochs))
    rows: list[dict[str, Any]] = []
    for index, what in enumerate(("its epochs", "the whole command")):
        mine, other = (statistics.median(pair[index] for pair in pairs) for pairs in (ours, theirs))
        rows.append(
            {
                "what": f"DDP on 2 CPU processes, {given.epochs} epochs of digits: {what}",
                "ours": f"{mine:.1f} s",
                "against": f"`torchrun` on the same script: {other:.1f} s",
                "ratio": f"{mine / other:.2f}x",
                "aim": "≤ 1.05x" if index == 0 else "none",
                "isGood": index > 0 or mine / other <= 1.05,
            }
        )
    text = json.dumps({"rows": rows, "repeats": given.repeats}, indent=2, ensure_ascii=False)
    print(text)
    if given.json:
        given.json.write_text(text + "\n", encoding="utf-8")


def by_mlv(mlv: list[str], project: Path, epochs: int) -> tuple[float, float]:
    """Give the seconds of all epochs, and of the command."""
    name = f"bench-{uuid.uuid4().hex[:8]}"
    began = time.perf_counter()
    run([*mlv, "ddp", "-j", "1x2", "-n", name, "--epochs", str(epochs)], project)
    whole = time.perf_counter() - began
    return trained(run([*mlv, "jobs", "logs", name, "--raw"], project)), whole


def by_torchrun(mlv: list[str], project: Path, epochs: int) -> tuple[float, float]:
    """The same without mlv; the configuration is the one that mlv would send."""
    dry = json.loads(run([*mlv, "ddp", "-j", "1x2", "--epochs", str(epochs), "--dry-run", "--json"], project))
    spec = json.loads(dry["submission"]["runtime_env"]["env_vars"]["MLV_JOB_SPEC"])
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.json"
        config.write_text(json.dumps(spec["work"]["training"]["config"]), encoding="utf-8")
        program = ["-m", "mlvision.entry.ddp", "--config", str(config), "--folder", str(Path(folder) / "checkpoints")]
        argv = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *program]
        # Ray's workers stand back for everything else on a machine; so that the work alone is compared, these do too.
        argv = ["nice", "-n", "15", *argv]
        began = time.perf_counter()
        output = run(argv, project)
        return trained(output), time.perf_counter() - began


def trained(output: str) -> float:
    """Add up the epochs among what was printed."""
    events = [json.loads(line[5:]) for line in output.splitlines() if line.startswith("@mlv ")]
    return sum(event["seconds"] for event in events if event["event"] == "epoch")


def run(argv: list[str], project: Path) -> str:
    """Run to the end; what it printed."""
    environment = os.environ | {"PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    done = subprocess.run(argv, cwd=project, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(argv)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
