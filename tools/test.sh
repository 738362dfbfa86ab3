#!/usr/bin/env bash
# Lint, type check and test. Sets up what it needs: an active virtual environment is used, else .venv is made.
#   tools/test.sh [arguments of pytest]
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/environment.sh "all,dev"
ruff check .
ruff format --check .
mypy
python -m pytest "$@"
