#!/bin/sh
# Makes the project's environment ready: a usable Python, uv, and every locked package in .venv.
# Needs Python 3.11 to 3.13 and nothing else; installs nothing outside the project's own folder.
# When all is as the lock file says, it ends within a few milliseconds and says nothing.
set -eu

cd "$(dirname "$0")/.."
UV_NEEDED="0.13" # the one that wrote uv.lock
STAMP=".venv/.synced"

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "error: $1"
    shift
    for line in "$@"; do say "       $line"; done
    exit 1
}

fits() { # the program $1 is a Python that works here
    command -v "$1" >/dev/null 2>&1 &&
        "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1
}

find_python() {
    for candidate in ${PENCHANT_PYTHON:-python3 python3.12 python3.13 python3.11 python}; do
        if fits "$candidate"; then
            command -v "$candidate"
            return 0
        fi
    done
    found=$(python3 --version 2>&1 || say "no python3")
    fail "Penchant needs Python 3.11, 3.12 or 3.13; here is: ${PENCHANT_PYTHON:-$found}." \
        "Install one of them (Debian, Ubuntu: apt install python3 python3-venv), or name it:" \
        "make demo PENCHANT_PYTHON=/path/to/python3.12"
}

new_enough() { # the uv at $1 is at least UV_NEEDED
    have=$("$1" --version 2>/dev/null | cut -d' ' -f2) || return 1
    [ -n "$have" ] || return 1
    oldest=$(printf '%s\n%s\n' "$have" "$UV_NEEDED" | sort -t. -k1,1n -k2,2n -k3,3n | head -n 1)
    [ "$oldest" = "$UV_NEEDED" ]
}

find_uv() { # print the uv to use, nothing when there is none
    for candidate in "$(command -v uv || true)" .uv/bin/uv .uv/packages/bin/uv; do
        if [ -n "$candidate" ] && [ -x "$candidate" ] && new_enough "$candidate"; then
            printf '%s\n' "$candidate"
            return 0
        fi
    done
}

install_uv() { # into .uv: a virtual environment, or where Debian left that out, pip's --target
    say "Installing uv into .uv ..."
    rm -rf .uv
    if "$1" -m venv .uv >/dev/null 2>&1; then
        .uv/bin/python -m pip install --quiet --disable-pip-version-check "uv>=$UV_NEEDED" && return 0
        fail "uv could not be installed from the package index." "Is it reachable from here? See the lines above."
    fi
    rm -rf .uv
    "$1" -m pip --version >/dev/null 2>&1 ||
        fail "uv is not here, and $1 has neither venv nor pip to install it." \
            "Debian, Ubuntu: apt install python3-venv. Or install uv yourself: https://docs.astral.sh/uv"
    "$1" -m pip install --quiet --disable-pip-version-check --target .uv/packages "uv>=$UV_NEEDED" ||
        fail "uv could not be installed from the package index." "Is it reachable from here? See the lines above."
}

certificates() { # the machine's own store where it has one: an office's proxy signs with a key that only it knows
    for store in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem; do
        if [ -r "$store" ]; then
            printf -- '--system-certs\n'
            return 0
        fi
    done
}

compiling() { # compile at once where Python may not keep what it compiles: every process would do it again
    [ -z "${PYTHONDONTWRITEBYTECODE:-}" ] || printf -- '--compile-bytecode\n'
}

digest() { # what the environment depends on; the folder too, since its scripts name it
    { cat pyproject.toml uv.lock && pwd; } | cksum
}

synced() { [ -x .venv/bin/python ] && [ -f "$STAMP" ] && [ "$(cat "$STAMP")" = "$(digest)" ] && fits .venv/bin/python; }

sync() {
    python=$(find_python)
    uv=$(find_uv)
    if [ -z "$uv" ]; then
        install_uv "$python"
        uv=$(find_uv)
    fi
    if [ ! -w "${UV_CACHE_DIR:-${HOME:-/nonexistent}}" ]; then
        UV_CACHE_DIR="$PWD/.uv/cache"
        export UV_CACHE_DIR
    fi
    fits .venv/bin/python && python=.venv/bin/python
    say "Installing the locked packages into .venv (a minute or two the first time) ..."
    unset UV_PROJECT_ENVIRONMENT VIRTUAL_ENV
    UV_PYTHON_DOWNLOADS=never UV_HTTP_TIMEOUT="${UV_HTTP_TIMEOUT:-120}" "$uv" sync --locked --quiet $(certificates) $(compiling) --python "$python" ||
        fail "The packages could not be installed." \
            "The lines above say why: no way to the package index, a full disk, or a lock file that is out of date."
    digest >"$STAMP"
}

synced || sync
