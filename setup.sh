#!/usr/bin/env bash
# Make .venv from requirements.lock. As root on Debian or Ubuntu, also install system packages; otherwise say
# which line installs them. Run again at any time; `make` runs it when the lock has changed.
set -euo pipefail
cd "$(dirname "$0")"

# bubblewrap: sandbox · dataset-fashion-mnist: data · poppler-utils, chromium: tests look at PDFs and pages ·
# postgresql: tests start a server of their own, for a gradebook in it
packages=(bubblewrap chromium dataset-fashion-mnist poppler-utils fonts-dejavu-core postgresql)
if command -v dpkg-query >/dev/null; then
    missing=()
    for package in "${packages[@]}"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q "ok installed" || missing+=("$package")
    done
    python3 -c "import ensurepip" 2>/dev/null || missing+=(python3-venv)
    if ((${#missing[@]})) && ((EUID == 0)); then
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq || true
        for package in "${missing[@]}"; do # one by one: a package this release lacks must not stop the others
            apt-get install -y -qq --no-install-recommends "$package" >/dev/null ||
                echo "setup: $package could not be installed; go on without it" >&2
        done
    elif ((${#missing[@]})); then
        echo "setup: for everything to work, run: sudo apt-get install ${missing[*]}" >&2
    fi
fi

python=""
for candidate in python3.11 python3.12 python3.13 python3; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "setup: needs Python 3.11, 3.12 or 3.13; install one, or use environment.yml with conda" >&2
    exit 1
fi

[ -x .venv/bin/python ] || "$python" -m venv .venv
[ -x .venv/bin/uv ] || .venv/bin/python -m pip install --quiet --disable-pip-version-check uv
# compiled once here rather than at the first import in every kernel
.venv/bin/uv pip sync --quiet --python .venv/bin/python --require-hashes --compile-bytecode requirements.lock
.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --editable .
# what a wheel installs for Jupyter, and an editable install leaves out: the marking room as an extension
jupyter=chainrule/marking/jupyter lab=.venv/share/jupyter/labextensions/chainrule-marking
mkdir -p .venv/etc/jupyter/jupyter_server_config.d "$lab/static"
cp "$jupyter/chainrule.json" .venv/etc/jupyter/jupyter_server_config.d/
cp "$jupyter/package.json" "$lab/"
cp "$jupyter/remoteEntry.js" "$lab/static/"
touch .venv/ready
echo "setup: done. Activate with: source .venv/bin/activate"
