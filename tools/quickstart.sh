#!/usr/bin/env bash
# From nothing to a trained end-to-end temporal action detector in a few minutes on a CPU.
#
#   bash tools/quickstart.sh [--short]
#
# Installs into the active virtual environment (else into .venv), writes synthetic videos, pre-trains a tiny video
# transformer on trimmed clips, trains AdaTAD + ActionFormer from raw video, tests it, and does the same with the
# adapters off. Results lie in work_dirs/quickstart/. --short trains just long enough to see that everything works.
# Settings by environment: SEED (0), DATA (data/synthetic), WORK_DIR (work_dirs/quickstart).
set -euo pipefail
cd "$(dirname "$0")/.."

seed=${SEED:-0}
export MMTAD_SYNTHETIC=${DATA:-data/synthetic} # read by the configs
data=$MMTAD_SYNTHETIC
out=${WORK_DIR:-work_dirs/quickstart}
make_options=() ; pretrain_options=() ; train_options=()
if [ "${1:-}" = "--short" ]; then
    make_options=(--train 8 --test 4 --clips 64)
    pretrain_options=(--cfg-options train_cfg.max_epochs=1)
    train_options=(train_cfg.max_epochs=2)
elif [ $# -gt 0 ]; then
    sed -n '2,10s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi

step() { printf '\n== %s\n' "$*"; }
start=$SECONDS

step "Install"
source tools/environment.sh all
installed=$SECONDS

step "Write the synthetic videos to $data"
python tools/data/make_synthetic.py --out "$data" --seed "$seed" "${make_options[@]}"

step "Pre-train a tiny VideoMAE-shaped backbone on trimmed clips"
python tools/train.py configs/quickstart/pretrain_vit-tiny_synthetic.py --seed "$seed" \
    --work-dir "$out/pretrain" "${pretrain_options[@]}"

train_and_test() { # config, folder
    python tools/train.py "configs/quickstart/$1.py" --seed "$seed" --work-dir "$2" --cfg-options \
        model.backbone.pretrained="$(cat "$out/pretrain/last_checkpoint")" "${train_options[@]}"
    python tools/test.py "configs/quickstart/$1.py" "$(cat "$2/last_checkpoint")" --work-dir "$2"
}
step "Train and test AdaTAD + ActionFormer from raw video"
train_and_test adatad_vit-tiny_actionformer_synthetic "$out"

step "The same detector with the adapters off (frozen backbone)"
train_and_test frozen_vit-tiny_actionformer_synthetic "$out/frozen"

step "Results"
python tools/evaluate.py "$data/annotations.json" --subset test --tiou 0.3:0.7:0.1 \
    "$out/predictions.json" "$out/frozen/predictions.json"
python tools/analysis/draw_timelines.py "$data/annotations.json" "$out/predictions.json" \
    --min-score 0.3 --out "$out/timeline.png"
printf 'Took %d s after the installation (%d s). Look at %s\n' \
    $((SECONDS - installed)) $((installed - start)) "$out/timeline.png"
