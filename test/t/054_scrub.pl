# The scrub: reads everything in the background, goes on after a crash, says in
# the log what is wrong, and is nowhere when it is off.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use LedgerCluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = LedgerCluster->new_node('scrub', conf => "autovacuum = off\nwal_level = minimal\nmax_wal_senders = 0");
my $scrubs = "SELECT count(*) FROM ledger.verification WHERE mode = 'scrub'";

$node->safe_psql('postgres', <<'END');
CREATE TABLE cdr (id integer, note text) USING ledger;
CREATE TABLE fee (id integer) USING ledger;
CREATE TABLE nothing (id integer) USING ledger;
END
for my $part (1 .. 8)
{
	$node->safe_psql('postgres', "INSERT INTO cdr SELECT i, 'x' || i FROM generate_series(1, 20000) AS i; INSERT INTO fee VALUES ($part)");
	$node->wait_final_all;
}

sub set_period
{
	my ($period) = @_;

	$node->safe_psql('postgres', "ALTER SYSTEM SET telco_ledger.scrub_period = '$period'");
	$node->reload;
	return;
}

sub wait_for
{
	my ($query, $name) = @_;

	ok($node->poll_query_until('postgres', $query), $name);
	return;
}

my $runs_now = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'telco_ledger scrub'";

# Off, an idle ledger writes nothing and has no process.
$node->safe_psql('postgres', 'CHECKPOINT');
my $lsn = $node->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');
sleep 3;
is($node->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()'), $lsn, 'no WAL while it is off');
is($node->safe_psql('postgres', "$runs_now; $scrubs"), "0\n0", 'no process, no run');

# A long period: the pace is slow, and it can be seen.
set_period('1d');
wait_for("SELECT count(*) = 1 FROM ledger.progress WHERE mode = 'scrub' AND relation = 'cdr'::regclass AND done > 0", 'it begins at once, and ledger.progress shows it');
wait_for('SELECT batch > 0 FROM ledger_internal.scrub', 'it keeps how far it has come');
my ($started, $rows) = split /\|/, $node->safe_psql('postgres', 'SELECT started_at, rows FROM ledger_internal.scrub');
$node->crash_and_restart;
wait_for("SELECT parts > 1 FROM ledger_internal.scrub UNION ALL SELECT true FROM ledger.verification WHERE mode = 'scrub'", 'after a crash it goes on');
wait_for("SELECT count(*) = 1 FROM ledger.verification WHERE mode = 'scrub'", 'and comes to its end');
is($node->safe_psql('postgres', <<"END"), 't|t|0|t|clean|0', 'the same run, every row once, from genesis');
SELECT started_at = '$started', parts > 1, from_height,
       rows = (SELECT count(*) FROM cdr) + (SELECT count(*) FROM fee) + (SELECT count(*) FROM ledger.table_version),
       verdict, problems FROM ledger.verification WHERE mode = 'scrub'
END
ok($rows > 0, 'of which some were read before the crash');
wait_for("SELECT count(*) = 0 FROM ledger_internal.scrub", 'nothing is left of it');
wait_for("SELECT ($runs_now) = 0 AND (SELECT count(*) = 0 FROM ledger.progress)", 'nor a process');
is($node->safe_psql('postgres', "SELECT min(from_height) <= max(to_height) FROM ledger.verification; SELECT * FROM ledger.verify()"), 't', 'an incremental run starts from it');

my $log = -s $node->logfile;
set_period('2s');
wait_for("SELECT count(*) >= 3 FROM ledger.verification WHERE mode = 'scrub'", 'a short period: again and again');
my $before = $node->safe_psql('postgres', $scrubs);
my $writer = IPC::Run::start([ 'psql', '-Xq', '-d', $node->connstr('postgres'), '-c', <<'END' ]);
DO $$ BEGIN LOOP INSERT INTO fee VALUES (0); COMMIT; END LOOP; END $$
END
wait_for("SELECT count(*) >= $before + 3 FROM ledger.verification WHERE mode = 'scrub'", 'also while somebody writes all the time');
$node->safe_psql('postgres', "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'DO %'");
$writer->finish;
unlike(slurp_file($node->logfile, $log), qr/not as it was signed/, 'nothing is wrong');

# What it finds, it says: of rows, of blocks, of definitions.
my $relam = 'UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname =';
my $ref = $node->safe_psql('postgres', 'SELECT ledger_ref FROM cdr WHERE id = 777 LIMIT 1');
my $last = $node->safe_psql('postgres', 'SELECT max(id) FROM ledger.verification');
for (
	[   "$relam 'heap') WHERE oid = 'cdr'::regclass; UPDATE cdr SET note = 'y' WHERE ledger_ref = '$ref'; $relam 'ledger') WHERE oid = 'cdr'::regclass",
		"$relam 'heap') WHERE oid = 'cdr'::regclass; UPDATE cdr SET note = 'x777' WHERE ledger_ref = '$ref'; $relam 'ledger') WHERE oid = 'cdr'::regclass",
		qr/row_changed\n.*DETAIL:  .*Table: cdr Ref: \Q$ref\E\.\n.*HINT:  In database "postgres", run SELECT \* FROM ledger\.verify\(mode => 'full'\)\./, 'a changed row' ],
	[   "UPDATE ledger_internal.block SET time = time + interval '1 s' WHERE height = 3",
		"UPDATE ledger_internal.block SET time = time - interval '1 s' WHERE height = 3",
		qr/block_changed/, 'a changed block' ],
	[   "UPDATE pg_attribute SET attname = 'amount' WHERE attrelid = 'fee'::regclass AND attname = 'id'",
		"UPDATE pg_attribute SET attname = 'id' WHERE attrelid = 'fee'::regclass AND attname = 'amount'",
		qr/definition_changed/, 'a changed name' ])
{
	my ($tamper, $undo, $message, $name) = @$_;

	set_period(0);
	wait_for("SELECT ($runs_now) = 0", "$name: between runs");
	$log = -s $node->logfile;
	$last = $node->safe_psql('postgres', "SELECT max(id) FROM ledger.verification; DELETE FROM ledger_internal.scrub");
	$node->safe_psql('postgres', "SET allow_system_table_mods = on; BEGIN; $tamper; COMMIT");
	set_period('2s');
	wait_for("SELECT count(*) > 0 FROM ledger.verification WHERE id > $last AND mode = 'scrub' AND verdict = 'problems' AND problems = 1", "$name: a run with a problem");
	like(slurp_file($node->logfile, $log), qr/WARNING:  the ledger is not as it was signed: $message/, "$name: the log says so");
	$node->safe_psql('postgres', "SET allow_system_table_mods = on; BEGIN; $undo; COMMIT");
}
set_period(0);
wait_for("SELECT ($runs_now) = 0", 'turned off, it ends');
$node->verify_clean('and all is as it was');

# It lets go of a database that somebody drops.
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->create_extension('other');
$node->create_node('other', 'test', 'other');
$node->safe_psql('other', 'CREATE TABLE t (id integer) USING ledger; INSERT INTO t SELECT generate_series(1, 200000)');
$node->wait_final_all('other');
set_period('1d');
wait_for("SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'telco_ledger scrub' AND datname = 'other'", 'a scrub in another database');
$node->safe_psql('postgres', 'DROP DATABASE other');
pass('which is dropped under it');
$node->stop;
done_testing();
