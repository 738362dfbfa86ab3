# Sourced by the other scripts: activates a virtual environment (.venv unless one is active) and installs the
# package with the extras given, at the versions that were tested. Quick when everything is there already.
if [ -z "${VIRTUAL_ENV:-}" ]; then
    [ -d .venv ] || python3 -m venv .venv
    # shellcheck disable=SC1091
    source .venv/bin/activate
fi
python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[$1]"
