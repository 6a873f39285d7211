#!/bin/sh
# Makes `.venv` hold exactly what requirements.lock says, and this project. Does nothing when nothing changed.
# `install.sh browser` adds the Debian packages that browser tests need.
set -eu
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}
STAMP=.venv/.installed

say() { printf '%s\n' "· $*"; }
fail() { printf '%s\n' "✗ $*" >&2; exit 1; }

# Runs a command as root, directly or by sudo; false where neither is possible.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else return 1; fi
}

apt_install() {
    command -v apt-get >/dev/null || return 1
    say "Installing $* (Debian packages)"
    { as_root apt-get -q -q update || true; } >/dev/null 2>&1
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -q install -y --no-install-recommends "$@" >/dev/null 2>&1
}

browser() {
    missing=
    command -v chromium >/dev/null || missing=chromium
    { command -v fc-list >/dev/null && [ -n "$(fc-list :lang=zh)" ]; } || missing="$missing fonts-noto-cjk fontconfig"
    # shellcheck disable=SC2086  # a list of packages
    [ -z "$missing" ] || apt_install $missing ||
        fail "Browser tests need these Debian packages:$missing. Install them (apt-get install $missing), then start again."
}

environment() {
    command -v "$PYTHON" >/dev/null || fail "There is no $PYTHON. Install Python 3.11 or newer, or set PYTHON to it."
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "$("$PYTHON" --version) is too old. Install Python 3.11 or newer, or set PYTHON to it."
    if ! "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then
        apt_install python3-venv ||
            fail "Python cannot make virtual environments. Install the package python3-venv, then start again."
    fi
    say "Creating .venv with $("$PYTHON" --version)"
    rm -rf .venv
    "$PYTHON" -m venv .venv
}

if [ "${1:-}" = browser ]; then
    browser
    exit
fi
# The venv's own path counts too: a moved checkout has scripts that point to the old place.
wanted=$(cat requirements.lock pyproject.toml | sha256sum; pwd)
if [ -f "$STAMP" ] && [ "$(cat "$STAMP")" = "$wanted" ]; then
    exit
fi
[ -x .venv/bin/python ] && .venv/bin/python -m pip --version >/dev/null 2>&1 || environment
LOG=.venv/install.log
run_pip() {
    .venv/bin/python -m pip install --disable-pip-version-check --no-deps "$@" >>"$LOG" 2>&1 ||
        fail "The packages could not be installed; pip says: $(grep ERROR "$LOG" | tail -n 3) (all of it: $LOG)"
}
say "Installing $(grep -c '==' requirements.lock) packages into .venv (only after a change; about a minute)"
: >"$LOG"
run_pip --require-hashes --requirement requirements.lock # the lock is complete, so nothing has to be resolved
run_pip --no-build-isolation --editable .
printf '%s' "$wanted" >"$STAMP"
say "Installed"
