"""The house: the verbs that dvc.yaml calls, the rooms they call, and the ground floor all stand on."""

import os

# Here, since libraries ask for it when they are loaded: sums that kernels divide among threads round otherwise with
# another number of them, and a result must not depend on a machine's cores. What uses these is more processes (`JOBS`,
# `DEVICES`).
os.environ["OMP_NUM_THREADS"] = "1"
