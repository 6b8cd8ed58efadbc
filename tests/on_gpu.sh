#!/usr/bin/env bash
# The smoke scale on a GPU and on the CPU side by side, in clones: whether each stage ends, whether headline numbers
# agree, and the most memory that the GPU had in use. Ten minutes at most. Run from the top folder, in its environment.
set -euo pipefail
command -v nvidia-smi >/dev/null && nvidia-smi >/dev/null || {
  echo "error: nvidia-smi: expected a GPU; found none; run it where one is"
  exit 1
}
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
python -c "import sys; from pathlib import Path; from benchmarks import clones
for name in ('cpu', 'gpu'): clones.cloned(Path(sys.argv[1], name))" "$folder"
nvidia-smi --query-gpu=memory.used --format=csv,noheader,nounits --loop=1 >"$folder/memory" &
run() {
  cd "$folder/$1"
  PATH="$PWD/.venv/bin:$PATH" timeout 570 .venv/bin/python -m stages.tools.reproduce >"$folder/$1.log" 2>&1
}
DEVICE=cpu run cpu &
on_cpu=$!
began=$SECONDS
run gpu || { echo "error: on the GPU: $(tail -n 1 "$folder/gpu.log")"; exit 1; }
echo "on the GPU: $((SECONDS - began)) s, at most $(sort -n "$folder/memory" | tail -n 1) MiB in use"
wait $on_cpu || { echo "error: on the CPU: $(tail -n 1 "$folder/cpu.log")"; exit 1; }
python - "$folder" <<'PYTHON'
"""Prints headline numbers that differ by more than two clips of ten or 3 dB; fails where there are any."""
import json
import sys
from pathlib import Path

TOLERANCES = {"_percent": 20.0, "_db": 3.0, "_auc": 0.2}
folder, wrong = Path(sys.argv[1]), 0
for file in sorted(folder.glob("gpu/reports/*/metrics.json")):
    relative = file.relative_to(folder / "gpu")
    there, here = (json.loads((folder / name / relative).read_text()) for name in ("gpu", "cpu"))
    for name, value in there.items():
        allowed = next((one for end, one in TOLERANCES.items() if name.endswith(end)), None)
        if allowed is not None and abs(value - here[name]) > allowed:
            wrong += 1
            print(f"{file.parent.name} {name}: GPU {value:g}, CPU {here[name]:g}")
if wrong:
    sys.exit(f"error: {wrong} numbers differ")
PYTHON
echo "all stages ran on the GPU; headline numbers agree"
