#!/usr/bin/env bash
# Makes the environment of the metrics that need torchvision: ColorVideoVDP (JOD) and LPIPS.
#
#   scripts/metrics_env.sh [VENV]      VENV is .venv-metrics unless named
#
# It stands apart because torchvision, merely installed beside a CPU torch, breaks diffusers' imports:
# it must never enter the environment that renders. About 1 GB. `lumivid evaluate` finds it in the
# checkout, or where LUMIVID_METRICS_ENV says, and calls it as a process.
#
# LPIPS needs AlexNet's weights, which no package ships. Where you have torchvision's file:
#   mkdir VENV/lpips && VENV/bin/python -c "import torch; from safetensors.torch import save_file; \
#     save_file(torch.load('alexnet-owt-7be5be79.pth', weights_only=True), 'VENV/lpips/alexnet.safetensors')"
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=${1:-.venv-metrics}
python=${PYTHON:-python3.11}
pip=("$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-input)

[ -e "$venv" ] || "$python" -m venv "$venv"
constraints=()
if ! command -v nvidia-smi >/dev/null 2>&1; then
    constraints=(--constraint constraints.txt)
fi
"${pip[@]}" ${constraints[@]+"${constraints[@]}"} \
    torch==2.13.0 'numpy>=2.4,<3' einops tqdm scipy imageio future huggingface_hub safetensors
# Without their dependencies: these would fetch the newest CUDA build of torch, and packages for
# reading files, which are not used here.
"${pip[@]}" --no-deps cvvdp==0.5.7 torchvision==0.28.0 lpips==0.1.4 ffmpeg-python
"$venv/bin/python" src/lumivid_fx/evaluation/perceptual_process.py "$venv/lpips/alexnet.safetensors" \
    </dev/null 2>/dev/null
echo "metrics: $venv is ready"
