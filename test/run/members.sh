# Shell functions for several members of one ledger, each with a server of its
# own on this machine; beside those of common.sh.
#
#	start_members N [LINE...]	N servers, one ledger that they founded together,
#								a table cdr at each; LINEs go to postgresql.conf
#	start_member N				start its server again
#	stop_member N MODE			as pg_ctl stop knows it
#	remove_members				stop all and remove what they have
#	conninfo N					of its ledger's database
#	member_query N PSQL-ARG...	psql at a member, only values
#	wire_query N PSQL-ARG...	the same in its wire
#	await N QUERY				until that query says t
#	member_links				wait until every link of all streams
#
# Where to find a member is said by ADDRESS_OF N, if the caller defines such a
# function: for a proxy between members.  With WIRES=apart each wire lies in a server
# of its own, as in production; otherwise in its member's server.
# Sourced by bash, with `set -eu`.

member_count=0
declare -A member_port wire_port

start_members()
{
	local count=$1 number keys='' names=''

	shift
	export PGHOST=$work/socket PGUSER=postgres PGDATABASE=postgres
	member_count=$count
	for number in $(seq "$count"); do
		make_member "$number" "$@"
		keys+="${keys:+, }'$(member_query "$number" -c 'SELECT ledger_internal.make_key()')'::bytea"
		names+="${names:+, }'member$number'"
	done
	for number in $(seq "$count"); do
		member_query "$number" -c "SELECT ledger_internal.create_member(ARRAY[$names], ARRAY[$keys], $number, '2026-01-01 00:00:00+00', true)" \
			-c 'CREATE TABLE cdr (id bigint, note text) USING ledger' >/dev/null
	done
	for number in $(seq "$count"); do
		introduce "$number" "$keys"
	done
	member_links
}

make_member()
{
	local number=$1 directory=$work/member$1

	shift
	member_port[$number]=$(free_port)
	as_server_user mkdir -m 700 "$work/keys/$number"
	as_server_user initdb -D "$directory" -U postgres --no-locale -E UTF8 -A trust \
		--no-instructions >"$work/log/initdb" 2>&1 ||
		{ cat "$work/log/initdb" >&2; fail 'initdb failed'; }
	if [ "${WIRES:-}" = apart ]; then
		make_wire "$number"
		set -- "$@" "telco_ledger.wire_conninfo = 'host=$work/socket port=${wire_port[$number]} user=postgres dbname=postgres_wire'"
	else
		wire_port[$number]=${member_port[$number]}
	fi
	printf '%s\n' "listen_addresses = '127.0.0.1'" "unix_socket_directories = '$work/socket'" \
		"port = ${member_port[$number]}" "shared_preload_libraries = 'telco_ledger'" \
		"telco_ledger.key_directory = '$work/keys/$number'" \
		"wal_level = logical" "max_slot_wal_keep_size = '1GB'" "max_connections = 60" \
		"max_worker_processes = 40" "max_logical_replication_workers = 24" \
		"max_replication_slots = 40" "max_wal_senders = 40" "max_wal_size = 2GB" \
		"wal_retrieve_retry_interval = '200ms'" "shared_buffers = 128MB" "$@" |
		as_server_user tee -a "$directory/postgresql.conf" >/dev/null
	start_member "$number"
	member_query "$number" -c 'CREATE EXTENSION telco_ledger CASCADE' 2>/dev/null
}

# A server for its wire.
make_wire()
{
	local directory=$work/wire$1

	wire_port[$1]=$(free_port)
	as_server_user initdb -D "$directory" -U postgres --no-locale -E UTF8 -A trust \
		--no-instructions >"$work/log/initdb" 2>&1 ||
		{ cat "$work/log/initdb" >&2; fail 'initdb failed'; }
	printf '%s\n' "listen_addresses = '127.0.0.1'" "unix_socket_directories = '$work/socket'" \
		"port = ${wire_port[$1]}" "wal_level = logical" "max_slot_wal_keep_size = '1GB'" \
		"max_connections = 60" "max_worker_processes = 40" "max_logical_replication_workers = 24" \
		"max_replication_slots = 40" "max_wal_senders = 40" "max_wal_size = 2GB" \
		"wal_retrieve_retry_interval = '200ms'" "shared_buffers = 64MB" |
		as_server_user tee -a "$directory/postgresql.conf" >/dev/null
	as_server_user pg_ctl start -w -s -D "$directory" -l "$work/log/wire$1" >/dev/null ||
		fail "the server of wire $1 did not start"
}

# Tell a member of all the others, whose keys these are.
introduce()
{
	local member=$1 peer

	for peer in $(seq "$member_count"); do
		[ "$peer" != "$member" ] || continue
		member_query "$member" -c "SELECT ledger_internal.set_peer($peer, (ARRAY[$2])[$peer], '$(wire_address "$member" "$peer")')" >/dev/null
	done
}

# Where that member finds the wire of the other one.
wire_address()
{
	if declare -F ADDRESS_OF >/dev/null; then
		ADDRESS_OF "$1" "$2"
	else
		echo "host=$work/socket port=${wire_port[$2]} dbname=postgres_wire"
	fi
}

start_member()
{
	as_server_user pg_ctl start -w -s -D "$work/member$1" -l "$work/log/member$1" >/dev/null ||
		{ tail -n 20 "$work/log/member$1" >&2; fail "server $1 did not start"; }
}

stop_member()
{
	as_server_user pg_ctl stop -w -s -D "$work/member$1" -m "$2"
}

remove_members()
{
	local number

	for number in $(seq "$member_count"); do
		stop_member "$number" immediate 2>/dev/null || true
		[ ! -d "$work/wire$number" ] || as_server_user pg_ctl stop -w -s -D "$work/wire$number" -m immediate || true
		rm -rf "$work/member$number" "$work/wire$number" "$work/keys/$number"
	done
}

conninfo()
{
	echo "host=$work/socket port=${member_port[$1]} user=postgres dbname=postgres"
}

member_query()
{
	local number=$1

	shift
	as_server_user psql -X -q -A -t -v ON_ERROR_STOP=1 -p "${member_port[$number]}" "$@"
}

wire_query()
{
	local number=$1

	shift
	as_server_user psql -X -q -A -t -v ON_ERROR_STOP=1 -p "${wire_port[$number]}" -d postgres_wire "$@"
}

await()
{
	local try

	for try in $(seq 1200); do
		[ "$(member_query "$1" -c "$2" 2>/dev/null)" != t ] || return 0
		sleep 0.1
	done
	fail "at member $1 this did not come true: $2"
}

member_links()
{
	local number

	[ "$member_count" -gt 1 ] || return 0
	for number in $(seq "$member_count"); do
		await "$number" "SELECT count(*) FILTER (WHERE log_link = 'streaming' AND body_link = 'streaming') >= $member_count - 1
			FROM ledger.peer WHERE member <> $number"
	done
}
