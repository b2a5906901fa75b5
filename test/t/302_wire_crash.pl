# Whatever is killed, cut off or lost: the own log reaches the others whole, in
# order, byte for byte, and no other row of its author does.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerWire;

use IPC::Run;

my $wires = LedgerWire->new(2);

$wires->wait_streaming(1, 2);
$wires->wait_streaming(2, 1);

sub load
{
	my ($member, $id) = @_;

	return $wires->sql($member, "INSERT INTO cdr SELECT $id FROM generate_series(1, 3) RETURNING ledger_ref");
}

sub wire_pid
{
	my ($member) = @_;

	return $wires->wire_pid($member) || 0;
}

# The process of the wire, told to go: the worker starts another one.
my $before = wire_pid(1);
load(1, $_) foreach (1 .. 5);
$wires->sql(1, "SELECT pg_terminate_backend($before)");
load(1, $_) foreach (6 .. 10);
$wires->poll(1, "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'telco_ledger wire' AND pid <> $before");
$wires->agree('after the process of the wire has ended');

# The same on a ledger that always has more to do.
my $script = PostgreSQL::Test::Utils::tempdir . '/insert.sql';

PostgreSQL::Test::Utils::append_to_file($script, "INSERT INTO cdr VALUES (0);\n");
$before = wire_pid(1);
my $busy = IPC::Run::start([ 'pgbench', '-n', '-c', '4', '-T', '600', '-f', $script, $wires->node(1)->connstr('postgres') ],
	'>', '/dev/null', '2>', '/dev/null');
ok($wires->poll(1, 'SELECT count(*) > 50 FROM cdr'), 'there is load');
isnt($wires->restart_wire(1), $before, 'the worker starts another process of the wire');
ok($busy->pumpable, 'and the load goes on');
$busy->signal('TERM');
eval { $busy->finish };
$wires->agree('after the load');

# All connections to the wire, again and again, while rows come.
foreach my $round (1 .. 5)
{
	load(1, 20 + $round);
	$wires->wire(1, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()");
	load(1, 30 + $round);
}
$wires->agree('after all connections to the wire were cut');

# The out-of-memory killer meets the process of the wire, then the server.
kill 'KILL', wire_pid(1);
$wires->node(1)->wait_ready;
load(1, $_) foreach (41 .. 44);
$wires->agree('after kill -9 of the process of the wire');
$wires->node(1)->crash_and_restart;
load(1, $_) foreach (51 .. 54);
$wires->node(2)->crash_and_restart;
$wires->agree('after crashes of both servers');

# The wire is lost altogether.
$wires->node(1)->stop;
$wires->node(1)->append_conf('postgresql.conf', "telco_ledger.wire_conninfo = 'host=nowhere.invalid dbname=none user=none'");
$wires->node(1)->start;
load(1, $_) foreach (61 .. 63);
$wires->wait_streaming(2, 1);
$wires->sql(1, "DO \$\$ BEGIN PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'postgres_wire'; END \$\$");
$wires->wire(1, "ALTER SUBSCRIPTION $_ DISABLE; ALTER SUBSCRIPTION $_ SET (slot_name = NONE); DROP SUBSCRIPTION $_") foreach ('log_2', 'body_2');
$wires->sql(1, "SELECT pg_terminate_backend(active_pid, 5000), pg_drop_replication_slot(slot_name) FROM pg_replication_slots");
$wires->node(1)->safe_psql('postgres', 'DROP DATABASE postgres_wire WITH (FORCE)');
$wires->node(1)->append_conf('postgresql.conf', "telco_ledger.wire_conninfo = ''");
$wires->node(1)->restart;
load($_, 71) foreach (1, 2);
$wires->agree('after the wire of member 1 was lost and made anew');

# Nobody was ever shown two rows for one place.
foreach my $member (1, 2)
{
	my $peer = 3 - $member;

	is($wires->sql($member, 'SELECT count(*) FROM ledger_internal.contradiction'), '0', "member $member was shown no contradiction");
	is($wires->sql($member, 'SELECT count(*) FROM ledger_internal.quarantine'), '0', 'and nothing that it had to refuse');
	is($wires->wire($member, "SELECT count(DISTINCT ledger_wire.row_key(message)) - count(DISTINCT message) FROM ledger_wire.log_$peer"),
		'0', 'its wire holds one row for each place');
}

# A database that lacks a row which its member has signed sends nothing more.
$wires->sql(2, "SET session_replication_role = replica; DELETE FROM ledger_internal.own_log WHERE seq = (SELECT max(seq) FROM ledger_internal.own_log)");
$wires->sql(2, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'telco_ledger wire'");
ok( $wires->poll(2, "SELECT reason LIKE 'the wire has row % of this member, which its own log lacks' FROM ledger.peer WHERE member = 2"),
	'a database that lacks what its member has signed says so');
my $arrived = $wires->wire(2, 'SELECT count(*) FROM ledger_wire.log_2');
load(2, 81);
$wires->wait_streaming(2, 1);
is($wires->wire(2, 'SELECT count(*) FROM ledger_wire.log_2'), $arrived, 'and sends nothing more');

done_testing();
