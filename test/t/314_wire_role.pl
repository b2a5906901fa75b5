# What a peer can do with its role at a member's wire, and as a publisher of what
# does not fit: it reads what is signed and may be read by it, and at most its own
# link or that of the slot which it meddles with stops; rows are fetched then.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;

use LedgerWire;

my $wires = LedgerWire->new(2);
my $liar = $wires->add_publisher(3);
my $node = $wires->node(1);
my $role = $liar->{prefix} . '_3';
my $wire_of = sub { my ($user, $database, $more) = @_; return sprintf 'host=%s port=%d dbname=%s user=%s %s', $node->host, $node->port, $database, $user, $more // '' };
my $process;

# The rules that the library proposes, but that nobody has a certificate here.
sub set_rules
{
	my $hba = $node->data_dir . '/pg_hba.conf';
	my $rules = $wires->sql(1, 'SELECT ledger.hba_rules()') =~ s/peer map=telco_ledger/trust/gr;
	my $old = slurp_file($hba);

	open my $file, '>', $hba or die "$hba: $!\n";
	print $file $rules, "\n", $old;
	close $file;
	$node->reload;
	return;
}

# As the peer: what the server says; the second one is the text of an error.
sub as_peer
{
	my ($sql, %param) = @_;
	my ($status, $out, $error) = $node->psql('postgres', $sql,
		connstr => $wire_of->($role, $param{database} // LedgerWire::WIRE, $param{more}));

	return ($out, $error);
}

sub denied
{
	my ($sql, $pattern, %param) = @_;
	my ($out, $error) = as_peer($sql, %param);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	like($error, $pattern, 'refused: ' . ($sql || "a connection to $param{database}"));
	return;
}

# Rows of both honest members are at the other one, and streaming goes on.
sub holds
{
	my ($name) = @_;

	$wires->insert($_, 1) foreach (1, 2);
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$wires->agree("$name: all rows are there", 1, 2);
	foreach my $pair ([ 1, 2 ], [ 2, 1 ])
	{
		ok($wires->poll($pair->[0], "SELECT log_link = 'streaming' AND body_link = 'streaming' FROM ledger.peer WHERE member = $pair->[1]"),
			"and the link of member $pair->[0] to the other one streams") || diag($wires->sql($pair->[0], 'SELECT * FROM ledger.peer'));
	}
	is($wires->wire_pid(1), $process, 'the process of the wire is the same') if defined $process;
	return;
}

foreach my $pair ([ 1, 2 ], [ 2, 1 ], [ 1, 3 ]) { $wires->wait_streaming(@$pair) }
set_rules();
holds('at first');
$process = $wires->wire_pid(1);

# It comes to the wire, and nowhere else.
my ($out) = as_peer('SELECT count(*) > 0 FROM ledger_wire.log_1');
is($out, 't', 'a peer reads the log of the member');
denied('', qr/pg_hba.conf rejects connection/, database => 'postgres');
denied('', qr/pg_hba.conf rejects connection/, database => 'template1');
denied('IDENTIFY_SYSTEM', qr/pg_hba.conf rejects replication connection/, more => 'replication=true');
denied('BASE_BACKUP', qr/pg_hba.conf rejects replication connection/, more => 'replication=true');
my ($backup_out, $backup_error) = run_command([ 'pg_basebackup', '-D', PostgreSQL::Test::Utils::tempdir() . '/stolen', '-d', $wire_of->($role, 'postgres') ]);
like($backup_error, qr/pg_hba.conf rejects replication connection/, 'nor is there a base backup for it');

# There it reads, and asks; it writes and makes nothing.
my $denied = qr/permission denied|must be|row-level security/;
foreach my $sql (
	"INSERT INTO ledger_wire.log_3 (message) VALUES ('\\x00')", "INSERT INTO ledger_wire.log_1 (message) VALUES ('\\x00')",
	"UPDATE ledger_wire.log_1 SET message = '\\x00'", 'DELETE FROM ledger_wire.log_1', 'TRUNCATE ledger_wire.log_1', 'DROP TABLE ledger_wire.log_1',
	"UPDATE ledger_wire.identity SET member = 3", 'DELETE FROM ledger_wire.request', 'SELECT * FROM ledger_wire.request', "INSERT INTO ledger_wire.rebuilt (chunk) VALUES ('\\x00')", 'DELETE FROM ledger_wire.rebuilt', "INSERT INTO ledger_wire.offer VALUES (1, '\\x00', '\\x00')", 'DELETE FROM ledger_wire.offer', "INSERT INTO ledger_wire.piece VALUES (1, '\\x00', '\\x00')", 'DELETE FROM ledger_wire.piece', "INSERT INTO ledger_wire.forgotten VALUES (1, '\\x00', 1)", 'DELETE FROM ledger_wire.forgotten',
	'CREATE TABLE mine (i int)', 'CREATE TEMP TABLE mine (i int)', 'CREATE SCHEMA mine', 'CREATE FUNCTION f() RETURNS int LANGUAGE sql RETURN 1',
	'CREATE PUBLICATION mine', 'SELECT rolpassword FROM pg_authid', 'SELECT subconninfo FROM pg_subscription', "SELECT pg_read_file('postgresql.conf')",
	"COPY ledger_wire.log_1 TO PROGRAM 'true'", 'SET ROLE postgres', "SET ROLE $liar->{prefix}_apply", 'CREATE ROLE mine', 'ALTER SYSTEM SET wal_level = minimal',
	'BEGIN; LOCK TABLE ledger_wire.log_1 IN SHARE MODE', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres'")
{
	denied($sql, $denied);
}
is($wires->wire(1, "SELECT string_agg(DISTINCT table_name::text, ' ' ORDER BY table_name::text) FROM information_schema.role_table_grants WHERE grantee = '$role' AND privilege_type = 'SELECT'"),
	'body_1 body_2 body_3 forgotten head identity log_1 log_2 log_3 offer piece rebuilt reply', 'these it may read');
as_peer(join ';', map { "NOTIFY ledger_wire, '$_'" } 'log_2', 'body_9', 'request', 'log_4294967296', 'x' x 4000) foreach (1 .. 20);
holds('notifications that mean nothing');

# Slots: others' are dropped, advanced, occupied while their owner is away.
sub while_away
{
	my ($name, $sub) = @_;
	my $slots = "slot_name LIKE '%\\_1\\_2\\_%'";

	$wires->node(2)->stop('immediate');
	$wires->poll(1, "SELECT count(*) = 2 AND bool_and(NOT active) FROM pg_replication_slots WHERE $slots");
	$wires->insert(1, 3);
	my $newest = $wires->sql(1, 'SELECT max(seq) FROM ledger_internal.own_log');

	$wires->poll(1, "SELECT count(*) >= $newest FROM ledger_wire.log_1", 't', LedgerWire::WIRE);
	$sub->($slots);
	$wires->node(2)->start;
	ok($wires->poll(2, "SELECT max(seq) >= $newest FROM ledger_internal.peer_log WHERE member = 1"), "$name: the rows come all the same");
	return;
}

while_away('slots advanced', sub {
	my ($advanced, $error) = as_peer("SELECT count(pg_replication_slot_advance(slot_name, pg_current_wal_flush_lsn())) FROM pg_replication_slots WHERE $_[0]");

	is($advanced, '2', 'a peer can advance the slots of another one') || diag($error);
});
holds('slots advanced');
while_away('slots dropped', sub {
	my ($dropped, $error) = as_peer("SELECT count(pg_drop_replication_slot(slot_name)) FROM pg_replication_slots WHERE $_[0]");

	is($dropped, '2', 'and drop them') || diag($error);
});
holds('slots dropped');

my ($receiver, $received) = (undef, PostgreSQL::Test::Utils::tempdir() . '/received');
while_away('a slot occupied', sub {
	my $slot = $wires->sql(1, "SELECT slot_name FROM pg_replication_slots WHERE $_[0] AND slot_name LIKE '%log'");

	$receiver = IPC::Run::start([ 'pg_recvlogical', '-d', $wire_of->($role, LedgerWire::WIRE), '--slot', $slot, '--start', '-f', $received,
		'-o', 'proto_version=1', '-o', 'publication_names=ledger_log' ], '<', \undef, '>', '/dev/null', '2>&1');
	ok($wires->poll(1, "SELECT active FROM pg_replication_slots WHERE slot_name = '$slot'"), 'or occupy one');
});
$receiver->kill_kill;
holds('a slot occupied, until it was not any more');
my ($made, $why) = as_peer("SELECT count(pg_create_logical_replication_slot('of_mine_' || n, 'pgoutput')) FROM generate_series(1, 3) AS n");
is($made, '3', 'a peer can make slots') || diag($why);
ok($wires->poll(1, "SELECT count(*) = 0 FROM pg_replication_slots WHERE slot_name LIKE 'of\\_mine%'"), 'slots of its own are dropped');

# Questions without end: what waits is bounded.
my ($flood_out, $flood_error) = as_peer("INSERT INTO ledger_wire.request (message) SELECT (repeat('r', 200) || n)::bytea FROM generate_series(1, 5000) AS n");
is($flood_out, '', 'a flood of requests') || diag($flood_error);
ok($wires->poll(1, 'SELECT count(*) <= 64 FROM ledger_wire.request', 't', LedgerWire::WIRE), 'leaves few');
holds('requests');

# As a publisher: columns of other types, columns that are not there, a
# transaction that does not end.
sub link_of_liar { return $wires->sql(1, 'SELECT stops FROM ledger.peer WHERE member = 3') }

sub heals
{
	my ($name) = @_;

	$liar->publish;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($wires->poll(1, "SELECT max(seq) = $liar->{seq} AND count(*) = max(seq) FROM ledger_internal.peer_log WHERE member = 3"), "$name: its signed rows are all here")
	  || diag($wires->sql(1, 'SELECT * FROM ledger.peer'));
	return;
}

# The liar's bodies get another type for their audience.
sub set_audience
{
	my ($type) = @_;
	my @publications = map { "ALTER PUBLICATION ledger_body_$_" } (1, 2);

	$liar->sql(join '; ', 'BEGIN', (map { "$_ DROP TABLE ledger_wire.body_3" } @publications),
		"ALTER TABLE ledger_wire.body_3 ALTER audience TYPE $type",
		(map { "$_ ADD TABLE ledger_wire.body_3 (chunk, audience)" } @publications), 'COMMIT');
	return;
}

heals('an honest beginning');
my $stops = link_of_liar();
$wires->wait_streaming(1, 3);
set_audience("text USING 'text'");
$liar->sql(q{INSERT INTO ledger_wire.body_3 (chunk, audience) VALUES ('\x01', 'no array')});
ok($wires->poll(1, "SELECT stops > $stops FROM ledger.peer WHERE member = 3"), 'a column of another type stops the link');
$liar->sql('TRUNCATE ledger_wire.body_3');
set_audience('bigint[] USING NULL');
heals('another type');

$stops = link_of_liar();
$wires->wait_streaming(1, 3);
$liar->sql('ALTER PUBLICATION ledger_log SET TABLE ledger_wire.log_3 (arrival); INSERT INTO ledger_wire.log_3 (message) VALUES (NULL)');
ok($wires->poll(1, "SELECT stops > $stops FROM ledger.peer WHERE member = 3"), 'a column that is not there stops it too');
$liar->sql('ALTER PUBLICATION ledger_log SET TABLE ledger_wire.log_3 (message)');
heals('a missing column');

my $session = $liar->{server}->background_psql(LedgerWire::WIRE);
$session->query_safe("BEGIN; INSERT INTO ledger_wire.log_3 (message) SELECT sha256(n::text::bytea) || repeat('o', 1000)::bytea FROM generate_series(1, 30000) AS n");
heals('a transaction that does not end');
is($wires->wire(1, "SELECT count(*) FROM ledger_wire.log_3 WHERE position('ooooooooooo'::bytea IN message) > 0"), '0', 'nothing of an open transaction arrives');
holds('beside it');
$session->query_safe('ROLLBACK');
$session->quit;

is($wires->sql(1, 'SELECT count(*) FROM ledger_internal.peer_log AS l WHERE NOT ledger.schnorr_verify(digest, substring(message FROM octet_length(message) - 63), (SELECT row_key FROM ledger_internal.peer AS p WHERE p.member = l.member))'),
	'0', 'everything that is kept is signed');
done_testing();
