#!/usr/bin/env bash
# Barcodes of many files as a SLURM array: every task takes each 16th file of a folder.
#     sbatch python/examples/slurm.sh clouds barcodes
# A task that was ended, or is started again, leaves out what is finished.
#SBATCH --array=0-15
#SBATCH --cpus-per-task=4
#SBATCH --mem=8G
#SBATCH --time=02:00:00
set -euo pipefail
clouds=${1:?folder of clouds}
out=${2:?folder for barcodes}
mkdir -p "$out"
# The cores that SLURM gave this task, and no more.
export LACUNA_THREADS=${SLURM_CPUS_PER_TASK:-1}
place=0
for cloud in "$clouds"/*; do
    if [ $((place++ % ${SLURM_ARRAY_TASK_COUNT:-1})) -eq "${SLURM_ARRAY_TASK_ID:-0}" ]; then
        answer=$out/$(basename "${cloud%.*}").json
        # The program writes a file whole or not at all.
        [ -e "$answer" ] || lacuna barcode "$cloud" --threads "$LACUNA_THREADS" --out "$answer"
    fi
done
