#!/bin/sh
# Installs finetune-watcher as a systemd service, upgrades it, or removes it. Running it again does no harm.
set -eu

usage() {
    cat <<'USAGE'
Usage: install.sh [--from WHEEL|DIRECTORY] [--prefix DIRECTORY] [--root DIRECTORY]
       install.sh --uninstall [--purge] [--prefix DIRECTORY] [--root DIRECTORY]

Installs the watcher, or upgrades it and restarts the service if it runs. A configuration that is there is kept.

  --from       What to install: a wheel, or a source tree. Default: the source tree that this script belongs to.
  --prefix     Where the program goes (default: /opt/finetune-watcher).
  --root       Another root directory, such as that of an image being built, instead of this machine's.
  --uninstall  Remove the service and the program. Configuration, secrets, record and user stay,
  --purge      unless this is said too.

Needs root, systemd 252 or newer, and Python 3.11 or newer with venv (Debian: python3-venv).
pip takes its own variables, such as PIP_INDEX_URL, or PIP_NO_INDEX=1 with PIP_FIND_LINKS.
USAGE
}

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

main() {
    here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
    from=$here/../.. prefix=/opt/finetune-watcher root='' action=install purge=no
    while [ $# -gt 0 ]; do
        case $1 in
            --from) from=${2:?--from needs a wheel or a directory}; shift ;;
            --prefix) prefix=${2:?--prefix needs a directory}; shift ;;
            --root) root=${2:?--root needs a directory}; shift ;;
            --uninstall) action=uninstall ;;
            --purge) purge=yes ;;
            -h | --help) usage; exit 0 ;;
            *) usage >&2; exit 2 ;;
        esac
        shift
    done
    case $prefix in
        /?*) prefix=${prefix%/} ;;
        *) fail "--prefix must be an absolute path, and not /" ;;
    esac
    # ProtectHome hides these from the service; /tmp and /run are emptied.
    case $prefix/ in
        /home/* | /root/* | /tmp/* | /run/* | /var/tmp/*) fail "the service could not start from $prefix" ;;
        *[!A-Za-z0-9_./-]*) fail "--prefix may have letters, digits and _ . - / only" ;;
    esac
    root=${root%/}
    [ "$(id -u)" = 0 ] || fail "must be run by root"
    "$action"
}

install() {
    [ -e "$from" ] || fail "$from is not there"
    [ -z "$root" ] || [ -f "$from" ] || fail "--root needs a wheel: build one with uv build, and name it with --from"
    install_program
    put 0644 finetune-watcher.sysusers /etc/sysusers.d/finetune-watcher.conf
    put 0644 finetune-watcher.tmpfiles /etc/tmpfiles.d/finetune-watcher.conf
    put 0644 finetune-watcher.service /etc/systemd/system/finetune-watcher.service
    keep_or_put watcher.toml.example /etc/watcher/watcher.toml
    keep_or_put watcher.env.example /etc/watcher/watcher.env
    systemd-sysusers --root="$root/" finetune-watcher.conf
    systemd-tmpfiles --root="$root/" --create finetune-watcher.conf
    link_command
    if is_booted; then
        systemctl daemon-reload
        systemctl try-restart finetune-watcher.service
    fi
    echo "Installed $(inside "$prefix/current/bin/watcher" --version). The configuration is /etc/watcher/watcher.toml."
    echo "The key of the API goes into /etc/watcher/credentials/openai-api-key, readable by root alone. Then:"
    echo "  systemctl enable --now finetune-watcher"
}

uninstall() {
    if is_booted; then
        systemctl disable --now finetune-watcher.service 2>/dev/null || true
    else
        rm -f "$root/etc/systemd/system/multi-user.target.wants/finetune-watcher.service"
    fi
    if leads_to_us; then rm -f "$root/usr/local/bin/watcher"; fi
    rm -f "$root/etc/systemd/system/finetune-watcher.service" "$root/etc/tmpfiles.d/finetune-watcher.conf" \
        "$root/etc/sysusers.d/finetune-watcher.conf"
    remove_program
    if is_booted; then
        systemctl daemon-reload
        systemctl reset-failed finetune-watcher.service 2>/dev/null || true
    fi
    if [ "$purge" = yes ]; then
        rm -rf "$root/etc/watcher" "$root/var/lib/watcher" "$root/etc/systemd/system/finetune-watcher.service.d"
        if inside getent passwd finetune-watcher >/dev/null; then inside userdel finetune-watcher; fi
        echo "Removed, with its configuration, secrets and record."
    else
        echo "Removed. /etc/watcher, /var/lib/watcher and the user finetune-watcher are still there."
    fi
}

# Each version gets an environment of its own, and `current` leads to the one in use: a download that fails breaks
# nothing, and a running service never sees half of an upgrade. The version before stays, to go back to.
install_program() {
    inside python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "needs Python 3.11 or newer"
    before=$(readlink "$root$prefix/current" || true)
    environment=env-$(date -u +%Y%m%dT%H%M%SZ)-$$
    mkdir -p "$root$prefix" "$root/var/tmp"
    staged=$(mktemp -d "$root/var/tmp/finetune-watcher.XXXXXX")
    trap 'rm -rf "$staged" "$root$prefix/$environment"' EXIT
    if [ -n "$root" ]; then
        # A wheel's name says what it is, so it is kept.
        cp "$from" "$staged/"
        from=${staged#"$root"}/${from##*/}
    fi
    inside python3 -m venv "$prefix/$environment" || fail "cannot make a virtual environment; is python3-venv there?"
    inside "$prefix/$environment/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir \
        --root-user-action ignore "$from"
    inside "$prefix/$environment/bin/watcher" --version >/dev/null
    ln -s "$environment" "$root$prefix/current.new"
    mv -T "$root$prefix/current.new" "$root$prefix/current"
    trap - EXIT
    rm -rf "$staged"
    for old in "$root$prefix"/env-*; do
        case ${old##*/} in "$environment" | "$before") ;; *) rm -rf "$old" ;; esac
    done
}

# Only what was put there: the prefix may be shared.
remove_program() {
    rm -rf "$root$prefix"/env-* "$root$prefix/current"
    if [ -d "$root$prefix" ]; then rmdir "$root$prefix" 2>/dev/null || true; fi
}

put() {
    mkdir -p "$root${3%/*}"
    sed "s|/opt/finetune-watcher|$prefix|g" "$here/$2" >"$root$3.new"
    chmod "$1" "$root$3.new"
    mv "$root$3.new" "$root$3"
}

keep_or_put() {
    [ -e "$root$2" ] || put 0640 "$1" "$2"
}

link_command() {
    mkdir -p "$root/usr/local/bin"
    if leads_to_us || [ ! -e "$root/usr/local/bin/watcher" ]; then
        ln -sfn "$prefix/current/bin/watcher" "$root/usr/local/bin/watcher"
    else
        echo "/usr/local/bin/watcher is something else, and was left alone." >&2
    fi
}

leads_to_us() {
    [ "$(readlink "$root/usr/local/bin/watcher" || true)" = "$prefix/current/bin/watcher" ]
}

inside() {
    if [ -n "$root" ]; then chroot "$root" "$@"; else "$@"; fi
}

is_booted() {
    [ -z "$root" ] && [ -d /run/systemd/system ]
}

main "$@"
