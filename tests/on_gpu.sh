#!/usr/bin/env bash
# The smoke scale on a GPU and on the CPU side by side, in clones: whether each stage ends, whether headline numbers
# agree, how fast attacks are beside their bare passes, and the most memory that the GPU had in use. Ten minutes at
# most. Run from the top folder, in its environment: tests/on_gpu.sh [STUDY]. With DEVICE=cpu it compares two CPU runs.
set -euo pipefail
device=${DEVICE:-cuda} study=${1:-}
[ "$device" = cpu ] || { command -v nvidia-smi && nvidia-smi; } >/dev/null 2>&1 || {
  echo "error: nvidia-smi: expected a GPU; found none; run it where one is, or with DEVICE=cpu"
  exit 1
}
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
python -c "import sys; from pathlib import Path; from benchmarks import clones
for name in ('here', 'there'): clones.cloned(Path(sys.argv[1], name))" "$folder"
run() {
  cd "$folder/$1"
  DEVICE=$2 PATH="$PWD/.venv/bin:$PATH" OMP_NUM_THREADS=1 timeout 570 python -m stages.tools.reproduce $study \
    >"$folder/$1.log" 2>&1 || { echo "error: on $2: $(tail -n 1 "$folder/$1.log")"; return 1; }
}
if [ "$device" != cpu ]; then
  nvidia-smi --query-gpu=memory.used --format=csv,noheader,nounits --loop=1 >"$folder/memory" &
fi
run here cpu &
here=$!
began=$SECONDS
(run there "$device")
echo "on $device: $((SECONDS - began)) s"
[ "$device" = cpu ] || echo "at most $(sort -n "$folder/memory" | tail -n 1) MiB of the GPU in use"
wait $here
python - "$folder" <<'PYTHON'
"""Prints headline numbers that differ by more than two clips of ten or 3 dB; fails where there are any."""
import json
import sys
from pathlib import Path

TOLERANCES = {"_percent": 20.0, "_db": 3.0, "_auc": 0.2}
folder, compared, wrong = Path(sys.argv[1]), 0, 0
for file in sorted(folder.glob("there/reports/*/metrics.json")):
    relative = file.relative_to(folder / "there")
    there, here = (json.loads((folder / name / relative).read_text()) for name in ("there", "here"))
    for name, value in there.items():
        allowed = next((one for end, one in TOLERANCES.items() if name.endswith(end)), None)
        compared += allowed is not None
        if allowed is not None and abs(value - here[name]) > allowed:
            wrong += 1
            print(f"{file.parent.name} {name}: {value:g}, on the CPU {here[name]:g}")
print(f"{wrong} of {compared} headline numbers differ")
sys.exit(wrong > 0)
PYTHON
if [ -d "$folder/there/models/events/vgg13" ]; then
  (cd "$folder/there" && DEVICE=$device OMP_NUM_THREADS=1 .venv/bin/python -m benchmarks.throughput)
fi
echo "all stages ran on $device"
