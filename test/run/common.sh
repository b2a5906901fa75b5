# Shell functions shared by the scripts in test/run and by .ci/run.
#
#	need_packages NAME...	install the Debian packages that are missing
#	need_build_packages		those that building and testing takes
#	need_postgresql			the same for the server that PG_CONFIG names
#	install_extension DIR	build DIR and install it into that server; programs
#							go beside the server's own
#	enter_work_directory	make the temporary directory $work, and remove it
#							with all servers below it when the script ends
#	as_server_user CMD...	run CMD as the unprivileged user that owns the
#							server, in $work
#	free_port				print a TCP port nobody listens on
#	choose_address			set and export PGHOST, PGPORT, PGUSER
#	start_cluster [LINE...]	initdb and start a server in $work/data at that
#							address, with the library preloaded; LINEs go to
#							postgresql.conf
#	stop_cluster			stop it and remove its data
#
# A server does not run as root: for root the server's user is postgres, for
# anybody else it is the caller.  That user may not be able to read the clone,
# so everything it touches lies in $work.
#
# Sourced by bash, with `set -eu` in force.

root_directory=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
if [ -z "${PG_CONFIG:-}" ]; then
	PG_CONFIG=pg_config
fi
export PG_CONFIG
work=
server_user=
child=					# process group to end with the script, if any
beside=					# and a single process

# The caller's make flags (a job server, -B) are not meant for our own makes.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES
# Nor are settings of the caller's psql.
unset PGHOST PGHOSTADDR PGPORT PGUSER PGDATABASE PGPASSWORD PGOPTIONS PGSERVICE
unset PGDATA PG_COLOR
export LC_ALL=C PSQLRC=/dev/null

fail()
{
	echo "error: $*" >&2
	exit 1
}

as_root()
{
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		fail "this needs root or sudo: $*"
	fi
}

need_packages()
{
	local name missing=()

	for name in "$@"; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] ||
			missing+=("$name")
	done
	[ ${#missing[@]} -eq 0 ] && return
	echo "installing ${missing[*]}"
	command -v apt-get >/dev/null ||
		fail "these packages are missing, and there is no apt-get to install them: ${missing[*]}"
	[ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null ||
		fail "these packages are missing, and only root or sudo can install them: ${missing[*]}"
	apt_get update || true
	apt_get install -y --no-install-recommends "${missing[@]}" ||
		fail "could not install ${missing[*]}"
}

need_build_packages()
{
	need_packages make gcc binutils libc6-dev clang libclang-rt-dev perl \
		libipc-run-perl libdbd-pg-perl libpq-dev libsecp256k1-dev libssl-dev openssl libtasn1-6-dev libjansson-dev
}

# Quiet unless it fails.
apt_get()
{
	local output

	output=$(as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get -q -o DPkg::Lock::Timeout=300 "$@" 2>&1) && return
	echo "$output" | tail -n 20 >&2
	return 1
}

# Debian's own paths tell the version and so the packages; a PG_CONFIG from
# elsewhere must already be complete.
need_postgresql()
{
	local version=

	case $PG_CONFIG in
		/usr/lib/postgresql/*/bin/pg_config)
			version=${PG_CONFIG#/usr/lib/postgresql/}
			version=${version%%/*}
			;;
		pg_config)
			version=15
			if has_headers && [[ $(pg_config --bindir) =~ ^/usr/lib/postgresql/([0-9]+)/ ]]; then
				version=${BASH_REMATCH[1]}
			fi
			;;
	esac
	[ -z "$version" ] ||
		need_packages "postgresql-$version" "postgresql-server-dev-$version"
	has_headers ||
		fail "$PG_CONFIG does not lead to a PostgreSQL with its development files"
	bindir=$("$PG_CONFIG" --bindir)
	[ -x "$bindir/initdb" ] || fail "no server in $bindir"
}

# Debian's client package brings pg_config's makefiles, but no headers.
has_headers()
{
	local headers

	headers=$("$PG_CONFIG" --includedir-server 2>/dev/null) &&
		[ -f "$headers/postgres.h" ]
}

# Are the server's directories ours to write, without sudo?
can_install()
{
	[ -w "$("$PG_CONFIG" --pkglibdir)" ] && [ -w "$("$PG_CONFIG" --bindir)" ] &&
		[ -w "$("$PG_CONFIG" --sharedir)/extension" ]
}

install_extension()
{
	local directory=$1 via=

	make -s -j2 -C "$directory" PG_CONFIG="$PG_CONFIG" || return
	can_install || via=as_root
	$via make -s -C "$directory" install PG_CONFIG="$PG_CONFIG" \
		PREFIX="$(dirname "$("$PG_CONFIG" --bindir)")"
}

enter_work_directory()
{
	server_user=$(id -un)
	if [ "$(id -u)" -eq 0 ]; then
		server_user=postgres
	fi
	work=$(mktemp -d "${TMPDIR:-/tmp}/telco_ledger.XXXXXX")
	trap leave_work_directory EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	mkdir "$work/log" "$work/tmp" "$work/socket" "$work/keys"
	chmod 700 "$work/keys"
	chown -R "$server_user" "$work"
	chmod 755 "$work"
}

# Also stops the servers of TAP tests that were cut short.
leave_work_directory()
{
	local status=$? pid_file

	trap '' INT TERM HUP
	[ -z "$child" ] || kill -- "-$child" 2>/dev/null || true
	[ -z "$beside" ] || kill "$beside" 2>/dev/null || true
	find "$work" -name postmaster.pid 2>/dev/null | while read -r pid_file; do
		as_server_user "$bindir/pg_ctl" stop -D "${pid_file%/*}" -m immediate \
			>/dev/null 2>&1 || true
	done
	if [ -n "${KEEP:-}" ]; then
		echo "kept: $work"
	else
		rm -rf "$work"
	fi
	exit "$status"
}

as_server_user()
{
	local via=()

	if [ "$server_user" != "$(id -un)" ]; then
		via=(runuser -u "$server_user" --)
	fi
	(cd "$work" && exec "${via[@]}" env HOME="$work" TMPDIR="$work/tmp" \
		PATH="$bindir:$PATH" "$@")
}

free_port()
{
	local port

	while true; do
		port=$((20000 + RANDOM % 12000))
		(: </dev/tcp/127.0.0.1/$port) 2>/dev/null || break
	done
	echo "$port"
}

choose_address()
{
	PGPORT=$(free_port)
	export PGHOST=$work/socket PGUSER=postgres PGPORT
}

start_cluster()
{
	[ -n "${PGPORT:-}" ] || choose_address
	as_server_user initdb -D "$work/data" -U postgres --no-locale -E UTF8 \
		-A trust --no-instructions >"$work/log/initdb" 2>&1 ||
		{ cat "$work/log/initdb" >&2; fail "initdb failed"; }
	printf '%s\n' "listen_addresses = ''" \
		"unix_socket_directories = '$work/socket'" "port = $PGPORT" \
		"shared_preload_libraries = 'telco_ledger'" \
		"telco_ledger.key_directory = '$work/keys'" \
		"max_prepared_transactions = 10" "max_worker_processes = 16" "$@" |
		as_server_user tee -a "$work/data/postgresql.conf" >/dev/null
	as_server_user pg_ctl start -w -s -D "$work/data" -l "$work/server.log" ||
		{ tail -n 20 "$work/server.log" >&2; fail "the server did not start"; }
}

stop_cluster()
{
	as_server_user pg_ctl stop -w -s -m fast -D "$work/data" || return
	rm -rf "$work/data"
}
