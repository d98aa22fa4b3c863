#!/usr/bin/env bash
# Puts Heliograph on a Debian or Raspberry Pi OS machine as a service, or takes it off again. Running it
# again updates what is there. Data (/var/lib/heliograph*) and configuration (/etc/heliograph) are never
# overwritten and never removed.
if [ -z "${BASH_VERSION:-}" ]; then exec bash "$0" "$@"; fi # Who typed `sh deploy/install.sh` meant this.
set -euo pipefail
umask 022 # The service's user reads what root puts here.

usage() {
  cat <<'TEXT'
Usage: deploy/install.sh [--regional | --workers N] [--prefix DIR] [--no-start] [--dry-run]
       deploy/install.sh --uninstall [--regional | --workers N] [--prefix DIR] [--dry-run]

Run it as root from a checkout after `npm ci`, or from an unpacked `npm pack` archive.

  --regional    the regional node instead of the hub of a site
  --workers N   N workers (1 to 9) of a regional node on a shared broker and PostgreSQL database
  --prefix DIR  where the program goes (default /opt/heliograph)
  --no-start    enable the service, but do not start it
  --uninstall   take program and service off; data and configuration stay
  --dry-run     say what would be done, and do nothing

DESTDIR=DIR puts everything below DIR and leaves users and services alone (for packages and tests).
TEXT
}

readonly NODE_LEAST_MAJOR=20 NODE_LEAST_MINOR=19
readonly ACCOUNT=heliograph WORKERS_MOST=9 START_S_MAX=60
DESTDIR=${DESTDIR:-}
prefix=/opt/heliograph
config_dir=/etc/heliograph
service=heliograph
workers=0
action=install
dry_run=no
start=yes

say() { printf '%s\n' "$*"; }
fail() {
  printf 'install.sh: %s\n' "$*" >&2
  exit 1
}

# Does what it is given, or only says it.
run() {
  if [ "$dry_run" = yes ]; then
    say "would: $*"
  else
    "$@"
  fi
}

# write PATH MODE: makes a file of standard input.
write() {
  local path=$1 mode=$2
  if [ "$dry_run" = yes ]; then
    say "would: write $path"
    cat >/dev/null
  else
    install -d "$(dirname "$path")"
    cat >"$path.new"
    chmod "$mode" "$path.new"
    mv "$path.new" "$path"
  fi
}

has_systemd() { [ -d /run/systemd/system ]; }

node_path() {
  local node version major minor
  node=$(command -v node) || fail "Node.js is missing. Install it (apt install nodejs) and run this again."
  node=$(readlink -f "$node")
  version=$("$node" -p process.versions.node)
  IFS=. read -r major minor _ <<<"$version"
  if ((major < NODE_LEAST_MAJOR || (major == NODE_LEAST_MAJOR && minor < NODE_LEAST_MINOR))); then
    fail "Node.js $version is too old: $NODE_LEAST_MAJOR.$NODE_LEAST_MINOR or newer is needed ($node)."
  fi
  case $node in
    /home/* | /root/* | /run/user/*)
      [ -n "$DESTDIR" ] || fail "$node lies in a home directory, which the service cannot see. Install Node.js for all users."
      ;;
  esac
  say "$node"
}

# The packages that the program needs, as npm noted them beside the packages themselves.
needed_packages() {
  "$1" -e '
    const { packages } = JSON.parse(require("node:fs").readFileSync(process.argv[1], "utf8"));
    for (const [path, { dev }] of Object.entries(packages)) if (dev !== true) console.log(path);
  ' "$2/node_modules/.package-lock.json"
}

# Out of the source's own node_modules: works without a network.
copy_packages() {
  local node=$1 source=$2 target=$3 path
  needed_packages "$node" "$source" | while read -r path; do
    if [ ! -e "$target/$path" ]; then # One within another is there already.
      mkdir -p "$(dirname "$target/$path")"
      cp -R "$source/$path" "$target/$path"
    fi
  done
}

# What stands at the prefix goes as a whole: it must be ours. `--prefix /usr/local` would take everything there along.
check_target() {
  local target=$DESTDIR$prefix
  if [ ! -e "$target" ] || [ -z "$(ls -A "$target")" ]; then return; fi
  if ! grep -qs '"name": "heliograph"' "$target/package.json"; then
    fail "$target holds something else. Name a folder of its own: --prefix ${prefix%/}/heliograph"
  fi
}

# Builds the new tree beside the old one, so that a failure leaves what runs as it was.
install_program() {
  local node=$1 source=$2 target=$DESTDIR$prefix
  local staging=$target.new
  if [ "$dry_run" = yes ]; then
    say "would: put the program into $target"
    return
  fi
  rm -rf "$staging"
  mkdir -p "$staging"
  cp -R "$source/dist" "$source/package.json" "$source/README.md" "$source/LICENSE" "$staging/"
  mkdir "$staging/deploy"
  cp "$source/deploy/install.sh" "$source/deploy/OPERATING.md" "$source/deploy/CHANGELOG.md" "$staging/deploy/"
  cp -R "$source/deploy/regional" "$staging/deploy/"
  cp -R "$source/systemd" "$staging/"
  if [ -d "$source/node_modules" ]; then
    copy_packages "$node" "$source" "$staging"
  else
    (cd "$staging" && npm install --omit=dev --ignore-scripts --no-save)
  fi
  chmod -R u+rwX,go+rX,go-w "$staging" # The sources may be somebody's own.
  chmod 755 "$staging/dist/main.js"
  rm -rf "$target.old"
  if [ -e "$target" ]; then mv "$target" "$target.old"; fi
  mv "$staging" "$target"
  rm -rf "$target.old"
}

# `heliograph` for people on this machine. Of root's rights it keeps the one to any file: what is named on the command line
# lies where the service's user may not look, and what is written into the data must belong to that user all the same.
install_command() {
  local node=$1
  write "$DESTDIR/usr/local/bin/heliograph" 755 <<TEXT
#!/bin/sh
# Made by $prefix/deploy/install.sh. Unless told otherwise, commands speak of the hub that is installed here, else of the regional node.
kind=regional
for service in heliograph heliograph-regional heliograph-regional-worker@; do
  if [ -e "/etc/systemd/system/\$service.service" ]; then break; fi
done
if [ "\$service" = heliograph ]; then
  kind=heliograph
  export HELIOGRAPH_DATA_NOTE="\${HELIOGRAPH_DATA_NOTE:-/var/lib/heliograph-note/hub}"
elif [ "\$service" = heliograph-regional ]; then
  export HELIOGRAPH_DATA_NOTE="\${HELIOGRAPH_DATA_NOTE:-/var/lib/heliograph-regional-note/region}"
fi
export HELIOGRAPH_CONFIG="\${HELIOGRAPH_CONFIG:-$config_dir/\$kind.toml}"
export HELIOGRAPH_DATA="\${HELIOGRAPH_DATA:-/var/lib/\${service%@}}"
if [ "\$(id -u)" = 0 ] && id -u $ACCOUNT >/dev/null 2>&1; then
  exec setpriv --reuid $ACCOUNT --regid $ACCOUNT --init-groups --inh-caps=-all,+dac_override --ambient-caps=-all,+dac_override \\
    -- $node $prefix/dist/main.js "\$@"
fi
exec $node $prefix/dist/main.js "\$@"
TEXT
}

hub_config() {
  cat <<'TEXT'
# Configuration of the hub. Every key is optional; `heliograph config` prints them all with their meaning.
# After a change: systemctl restart heliograph

site = "demo"

# Mode "open" lets in anyone on this machine, and listens on loopback only. For devices on the network:
# [security]
# mode = "password"                 # then: heliograph user add NAME
#
# [broker]
# host = "0.0.0.0"
TEXT
}

regional_config() {
  cat <<'TEXT'
# Configuration of the regional node. Every key is optional; `heliograph config` prints them all with
# their meaning. After a change: systemctl restart heliograph-regional

# [regional]
# host = "0.0.0.0"                  # its own broker, for the hubs; or an outside broker:
# url = "mqtts://broker.example"
# database = "postgres://heliograph@db.example/heliograph"   # for workers: deploy/regional/README.md
#
# [security]
# mode = "password"                 # for its own broker and page; then: heliograph user add NAME
TEXT
}

# Only where there is none: what a person wrote stays.
install_config() {
  local kind=$1 path
  path=$DESTDIR$config_dir/$kind.toml
  if [ -e "$path" ]; then
    say "$path stays as it is."
    return
  fi
  case $kind in
    heliograph) hub_config ;;
    regional) regional_config ;;
  esac | write "$path" 644 # It holds no secrets.
}

install_unit() {
  local source=$1 node=$2 unit=$service
  if [ "$workers" != 0 ]; then unit=$service@; fi
  sed -e "s|/usr/bin/node|$node|" -e "s|/opt/heliograph|$prefix|g" "$source/systemd/$unit.service" |
    write "$DESTDIR/etc/systemd/system/$unit.service" 644
}

# The key that all workers sign with; only where there is none: hubs know the region by it.
install_region_key() {
  local node=$1 path=$DESTDIR$config_dir/region.pem
  if [ -e "$path" ]; then
    say "$path stays as it is."
    return
  fi
  "$node" -e '
    const { privateKey } = require("node:crypto").generateKeyPairSync("ed25519");
    process.stdout.write(privateKey.export({ type: "pkcs8", format: "pem" }));
  ' | (umask 077 && write "$path" 600)
  say "$path is new: keep a copy, and put the same one on every machine with workers."
}

# unit_names FIRST LAST: names of what systemd starts; of workers, those with these numbers.
unit_names() {
  local number
  if [ "$workers" = 0 ]; then
    say "$service"
  else
    for ((number = $1; number <= $2; number++)); do say "$service@$number"; done
  fi
}

create_account() {
  if id -u "$ACCOUNT" >/dev/null 2>&1; then return; fi
  run useradd --system --user-group --no-create-home --home-dir /var/lib/heliograph \
    --shell /usr/sbin/nologin "$ACCOUNT"
}

start_service() {
  if ! has_systemd; then
    say "systemd is not running here: the service is in place, but was not enabled."
    return
  fi
  local names spare code=0 page='http://127.0.0.1:8081/'
  mapfile -t names < <(unit_names 1 "$workers")
  run systemctl daemon-reload
  run systemctl enable "${names[@]}"
  if [ "$workers" != 0 ] && [ "$workers" -lt "$WORKERS_MOST" ]; then # There may have been more.
    mapfile -t spare < <(unit_names $((workers + 1)) "$WORKERS_MOST")
    run systemctl disable --quiet --now "${spare[@]}"
  fi
  if [ "$start" = no ]; then return; fi
  run timeout "$START_S_MAX" systemctl restart "${names[@]}" || code=$?
  if [ "$code" = 124 ]; then # A worker waits for its database, a hub reads a long journal.
    say "${names[0]} is in place, but not ready yet. What it waits for: journalctl --unit ${names[0]}"
    return
  fi
  if [ "$code" != 0 ]; then
    journalctl --unit "${names[0]}" --lines 8 --output cat --no-pager >&2 || true
    fail "${names[0]} does not start: see above. After mending it: systemctl restart ${names[*]}"
  fi
  case $service in
    heliograph) page='heliograph status' ;;
    *worker) page='http://127.0.0.1:8091/' ;;
  esac
  if [ "$dry_run" = no ]; then say "${names[*]} runs. See: systemctl status ${names[0]}, $page"; fi
}

install_all() {
  local source node kind=heliograph
  if [ "$service" != heliograph ]; then kind=regional; fi
  source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  if [ "$source" -ef "$DESTDIR$prefix" ]; then
    fail "run it from the new version's folder, not from $prefix."
  fi
  [ -f "$source/dist/main.js" ] || fail "$source/dist is missing: run \`npm ci\` there first."
  check_target
  node=$(node_path)
  if [ -z "$DESTDIR" ]; then create_account; fi
  install_program "$node" "$source"
  install_command "$node"
  install_config "$kind"
  install_unit "$source" "$node"
  if [ "$workers" != 0 ]; then install_region_key "$node"; fi
  if [ -z "$DESTDIR" ]; then start_service; fi
}

uninstall_all() {
  local names unit=$service other
  if [ "$workers" != 0 ]; then unit=$service@; fi
  check_target
  mapfile -t names < <(unit_names 1 "$WORKERS_MOST")
  if [ -z "$DESTDIR" ] && has_systemd && [ -e "/etc/systemd/system/$unit.service" ]; then
    run systemctl disable --now "${names[@]}"
  fi
  run rm -f "$DESTDIR/etc/systemd/system/$unit.service"
  other=$(find "$DESTDIR/etc/systemd/system" -name 'heliograph*.service' -printf '%f\n' 2>/dev/null | head -n 1)
  if [ -n "$other" ]; then
    say "The program stays: $other uses it."
  else
    run rm -rf "$DESTDIR$prefix"
    run rm -f "$DESTDIR/usr/local/bin/heliograph"
  fi
  if [ -z "$DESTDIR" ] && has_systemd; then run systemctl daemon-reload; fi
  say "Data in /var/lib/$service, configuration in $config_dir and the user $ACCOUNT stay."
}

while [ $# -gt 0 ]; do
  case $1 in
    --regional) service=heliograph-regional ;;
    --workers)
      service=heliograph-regional-worker
      workers=${2:-}
      [[ $workers =~ ^[1-9]$ ]] || fail "--workers takes a number from 1 to 9."
      shift
      ;;
    --prefix)
      prefix=${2:-}
      # It stands in the unit and in the command as it is.
      [[ $prefix =~ ^(/[A-Za-z0-9._-]+)+/*$ && $prefix/ != */../* && $prefix/ != */./* ]] ||
        fail "--prefix takes an absolute path of letters, digits, \".\", \"_\" and \"-\"."
      while [[ $prefix == */ ]]; do prefix=${prefix%/}; done
      shift
      ;;
    --no-start) start=no ;;
    --uninstall) action=uninstall ;;
    --dry-run) dry_run=yes ;;
    -h | --help)
      usage
      exit 0
      ;;
    *)
      usage >&2
      exit 2
      ;;
  esac
  shift
done

if [ -z "$DESTDIR" ] && [ "$dry_run" = no ] && [ "$(id -u)" != 0 ]; then
  fail "run it as root (sudo deploy/install.sh), or with --dry-run."
fi
"${action}_all"
