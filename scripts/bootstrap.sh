#!/bin/sh
# Makes .venv with the Python that was asked for (first argument), else the one that .venv has, else the first found.
# --dev before it: with the development tools.
set -eu
dev=
if [ "${1:-}" = --dev ]; then
    dev=--dev
    shift
fi
cd "$(dirname "$0")/.."

# Said before anything large is fetched.
if [ -n "${NEEDS_GIT:-}" ] && ! said=$(git rev-parse --git-dir 2>&1); then
    [ -e .git ] || said="$said; make one of this folder: git init && git add --all && git commit --message downloaded"
    echo "error: this needs a git repository, as a clone is and a ZIP is not: $said." \
        "Without one work 'make venv', 'make ui', and of 'python -m pipeline': check, generate, sync, trace," \
        "verify --fast, and diff, gate and report of files" >&2
    exit 2
fi

fits() {
    "$1" -I -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

if [ -n "${1:-}" ]; then
    if ! fits "$1"; then
        echo "error: PYTHON=$1: $("$1" --version 2>&1 | head -n 1); should be a Python 3.11, 3.12 or 3.13" >&2
        exit 2
    fi
    exec "$1" -I scripts/bootstrap.py $dev
fi

made_with=
[ -f .venv/made-from ] && read -r made_with _ <.venv/made-from
for python in ${made_with:+"python$made_with"} python3.11 python3 python3.12 python3.13; do
    if fits "$python"; then
        exec "$python" -I scripts/bootstrap.py $dev
    fi
done
echo "error: no Python 3.11, 3.12 or 3.13 on PATH ($(python3 --version 2>&1 | head -n 1) is python3);" \
    "install one, or name it: make PYTHON=/path/to/python3.11" >&2
exit 2
