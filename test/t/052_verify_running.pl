# Verification while the ledger is at work: sessions that insert, a table that
# had to wait for a lock, a standby.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use LedgerCluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = LedgerCluster->new_server('running', conf => "autovacuum = off\nwal_level = replica\nmax_wal_senders = 4");

$node->create_extension;
$node->create_node('running', 'test');
$node->safe_psql('postgres', <<'END');
CREATE TABLE cdr (id bigint, note text) USING ledger;
CREATE TABLE fee (id bigint, amount numeric) USING ledger;
END

# Verification and insertion side by side: each run sees one state.
my @sessions;
my $script = $node->basedir . '/insert.sql';
PostgreSQL::Test::Utils::append_to_file($script, join '', map { <<"END" } 1 .. 200);
INSERT INTO cdr SELECT i, 'n' FROM generate_series(1, 20) AS i;
BEGIN;
INSERT INTO fee VALUES ($_, $_);
SAVEPOINT s;
INSERT INTO cdr VALUES ($_, 'x');
ROLLBACK TO s;
INSERT INTO cdr VALUES ($_, 'y');
COMMIT;
END
for (1 .. 2)
{
	push @sessions, IPC::Run::start([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $script, '-d', $node->connstr('postgres') ]);
}
my $found = '';
for my $mode (('full', 'incremental') x 8)
{
	$found .= $node->safe_psql('postgres', "SELECT * FROM ledger.verify(mode => '$mode')");
}
ok(IPC::Run::finish($_), 'a session that inserts') for @sessions;
is($found, '', 'clean while two sessions insert');
$node->wait_final_all;
$node->verify_clean('clean when they have ended');
is($node->safe_psql('postgres', "SELECT rows >= 8800 AND blocks > 1 AND verdict = 'clean' FROM ledger.verification ORDER BY id DESC LIMIT 1"),
	't', 'and all of it was read');

# A table that is locked when its rows are to be batched: LOCK waits behind the
# writer and has the table as soon as that commits, before the worker.
my $writer = $node->background_psql('postgres');
my $locker = $node->background_psql('postgres');
$writer->query_safe("BEGIN; INSERT INTO cdr SELECT i, 'late' FROM generate_series(1, 50) AS i; INSERT INTO fee VALUES (0, 0);");
$locker->query_until(qr/locking/, "\\echo locking\nBEGIN; LOCK TABLE cdr IN ACCESS EXCLUSIVE MODE;\n");
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks WHERE relation = 'cdr'::regclass AND NOT granted")
  or die 'nobody waits for the lock';
$writer->query_safe('COMMIT;');
$node->poll_query_until('postgres', 'SELECT count(*) = 1 FROM ledger_internal.lagging')
  or die 'the table does not lag';
is($node->safe_psql('postgres', "SELECT * FROM ledger.verify('fee', 'full')"), '', 'clean while another table is locked');
$locker->query_safe('COMMIT;');
is($node->safe_psql('postgres', "SELECT * FROM ledger.verify(mode => 'full')"), '', 'clean while its rows are not batched yet, or just then');
$writer->quit;
$locker->quit;
$node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM ledger_internal.lagging')
  or die 'the table still lags';
is($node->safe_psql('postgres', 'SELECT count(*) > 0 FROM ledger_internal.batch WHERE late'), 't', 'its rows came late');
$node->verify_clean('clean with late rows');
is($node->safe_psql('postgres', 'SELECT * FROM ledger.verify()'), '', 'clean in an incremental run, too');
is( $node->safe_psql('postgres', <<'END'), 'snapshot_changed|cdr', 'late rows that nobody would find, in a session that has found them before');
SELECT kind FROM ledger.verify(mode => 'full');
CREATE TABLE kept AS SELECT * FROM ledger_internal.late_rows;
DELETE FROM ledger_internal.late_rows;
SELECT DISTINCT kind, relation FROM ledger.verify(mode => 'full');
END
$node->safe_psql('postgres', 'INSERT INTO ledger_internal.late_rows SELECT * FROM kept');
is( $node->safe_psql('postgres', <<'END'), 'snapshot_changed|fee', 'a table that is only said to wait');
INSERT INTO ledger_internal.lagging (relation, base) VALUES ('fee'::regclass, 0);
SELECT kind, relation FROM ledger.verify(mode => 'full');
DELETE FROM ledger_internal.lagging;
END

# A run that is cancelled, wherever it is, leaves a session that goes on.
for my $timeout_ms (2, 5, 10, 20, 40, 80)
{
	my ($status, $lines, $errors) = $node->psql('postgres',
		"SET statement_timeout = $timeout_ms; SELECT * FROM ledger.verify(mode => 'full');\nSELECT 'alive'",
		on_error_stop => 0);

	# the last statement may run out of time, too, but it must have been run
	like("$lines\n$errors", qr/alive|ERROR:  canceling.*ERROR:  canceling/s, "a run of at most $timeout_ms ms");
	unlike($errors, qr/current transaction is aborted/, 'it leaves no transaction behind');
}
unlike(slurp_file($node->logfile), qr/leak/, 'and nothing leaks');

# One that must not wait for a lock says so, and blames no row for it.
my $runs = $node->safe_psql('postgres', 'SELECT count(*) FROM ledger.verification');
my $holder = $node->background_psql('postgres', on_error_die => 1);
$holder->query_safe('BEGIN; REINDEX INDEX cdr_ledger_ref_idx');
my (undef, $blamed, $refusal) = $node->psql('postgres',
	"SET lock_timeout = '100ms'; SELECT kind, detail FROM ledger.verify(mode => 'full')");
is($blamed, '', 'an index that is locked is no problem of its rows');
like($refusal, qr/ERROR:  canceling statement due to lock timeout/, 'but the end of the run');
$holder->query_safe('ROLLBACK');
$holder->quit;
is($node->safe_psql('postgres', 'SELECT count(*) FROM ledger.verification'), $runs, 'which is not recorded');

# A standby verifies what it has, and cannot record it.
$node->backup('backup');
my $standby = LedgerCluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby, 'replay');
my ($stdout, $stderr);
$standby->psql('postgres', "SELECT * FROM ledger.verify(mode => 'full')", stdout => \$stdout, stderr => \$stderr);
is($stdout, '', 'a standby is clean');
like($stderr, qr/^\S*\s*NOTICE:  this run is not recorded/m, 'and says that it cannot record the run');
unlike($stderr, qr/ERROR/, 'without an error');
$standby->stop;
$node->stop;
done_testing();
