# What a round costs, counted and not timed: index scans of ledger tables, and
# WAL.  Neither a transaction that stays open, nor tables that nobody writes,
# make rounds dearer; nothing happens while nothing happens.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Test::More;

use LedgerChain;
use LedgerCluster;

my $node = LedgerCluster->new_node('price', purpose => 'test', conf => <<'END');
autovacuum = off
wal_level = minimal
max_wal_senders = 0
checkpoint_timeout = 1d
max_locks_per_transaction = 1024
END

$node->safe_psql('postgres', <<'END');
CREATE TABLE cdr (id bigint) USING ledger;
CREATE TABLE old (id bigint) USING ledger;
CREATE TABLE day (id bigint) PARTITION BY RANGE (id) USING ledger;
DO $$ BEGIN
    FOR i IN 1 .. 1000 LOOP
        EXECUTE format('CREATE TABLE day_%s PARTITION OF day FOR VALUES FROM (%s) TO (%s)', i, i, i + 1);
    END LOOP;
END $$;
INSERT INTO day SELECT g FROM generate_series(1, 1000) g;
END
$node->wait_final_all;
exactly_once($node, 'rows of a thousand partitions');
heights_agree($node, 'heights of rows of a thousand partitions');

# Rows of one table: nobody looks into the thousand others.
my $before = scans("relname LIKE 'day\\_%'");
cmp_ok($before, '>', 0, 'index scans of partitions are counted');
commit_and_wait() for 1 .. 20;
is(scans("relname LIKE 'day\\_%'"), $before, 'rounds for one table do not look into a thousand partitions');

# A transaction that stays open, with and without rows of its own.
my $plain = price_of_commits();
cmp_ok($plain, '>=', 10, 'commits cost index scans, and they are counted');
my $open = $node->background_psql('postgres');

$open->query_safe('BEGIN; INSERT INTO old VALUES (1); INSERT INTO cdr VALUES (0)');
$node->safe_psql('postgres', "BEGIN; INSERT INTO old VALUES (2); PREPARE TRANSACTION 'open'");
commit_and_wait();
my $old = scans("relname = 'old'");
my $beside = price_of_commits();
is($beside, $plain, 'an open transaction does not make rounds dearer');
is(scans("relname = 'old'"), $old, 'nor is its table looked into');
is($node->safe_psql('postgres', 'SELECT count(*) FROM ledger_internal.lagging'), '0', 'and nothing lags');
my $tip = $node->safe_psql('postgres', 'SELECT height FROM ledger.status');
$open->query_safe('COMMIT');
$open->quit;
$node->safe_psql('postgres', "COMMIT PREPARED 'open'");
$node->wait_final_all;
is( $node->safe_psql('postgres', "SELECT count(*), bool_and(ledger.height(ledger_ref) > $tip) FROM old"),
	'2|t', 'its rows become final after it has committed');

# The same over a restart of the worker, when the set of written tables is
# not complete: each table is asked once for the transaction when it ends.
$node->safe_psql('postgres', "BEGIN; INSERT INTO old VALUES (3); INSERT INTO day VALUES (7); PREPARE TRANSACTION 'older'");
$node->restart;
commit_and_wait();
$before = scans("relname LIKE 'day\\_%'");
is(price_of_commits(), $plain, 'nor does one that is older than the server');
is(scans("relname LIKE 'day\\_%'"), $before, 'nor are partitions looked into again and again');
$node->safe_psql('postgres', "COMMIT PREPARED 'older'");
$node->wait_final_all;
is( $node->safe_psql('postgres', 'SELECT bool_and(ledger.is_final(ledger_ref)) FROM (SELECT ledger_ref FROM old UNION ALL SELECT ledger_ref FROM day) r'),
	't', 'its rows become final');
$before = scans("relname LIKE 'day\\_%'");
commit_and_wait() for 1 .. 5;
is(scans("relname LIKE 'day\\_%'"), $before, 'after that no partition is looked into');

# Nothing happens: no WAL, no block.  With wal_level = minimal the background
# writer logs no snapshots of its own.
$node->safe_psql('postgres', 'CHECKPOINT');
my $height = $node->safe_psql('postgres', 'SELECT height FROM ledger.status');
my $position = $node->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');
$node->safe_psql('postgres', 'SELECT pg_sleep(4)');
is($node->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()'), $position, 'an idle ledger writes no WAL');
$node->reload;
$node->safe_psql('postgres', 'SELECT ledger_ref FROM cdr; SELECT * FROM ledger.status');
is($node->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()'), $position, 'nor does one that is asked');
is($node->safe_psql('postgres', 'SELECT height FROM ledger.status'), $height, 'and makes no blocks');

# A rollback leaves nothing to do either.
$node->psql('postgres', 'BEGIN; INSERT INTO cdr VALUES (1); ROLLBACK');
commit_and_wait();
is($node->safe_psql('postgres', 'SELECT height FROM ledger.status'), $height + 1, 'a rolled back row makes no block');

exactly_once($node, 'every row is in one section');
chain_intact($node, 'the chain is intact');

$node->stop;
done_testing();

sub commit_and_wait
{
	my $ref = $node->safe_psql('postgres', 'INSERT INTO cdr VALUES (1) RETURNING ledger_ref');

	$node->safe_psql('postgres', "SELECT ledger.wait_final('$ref')");
	return;
}

# Index scans of ledger tables so far; the worker and the sessions report at the
# end of a transaction, so wait until the figure stands.
sub scans
{
	my ($where) = @_;
	my $count = -1;

	for (1 .. 100)
	{
		my $now = $node->safe_psql('postgres',
			"SELECT coalesce(sum(idx_scan), 0) FROM pg_stat_user_tables WHERE $where");

		return $now if $now eq $count;
		$count = $now;
		$node->safe_psql('postgres', 'SELECT pg_sleep(0.4)');
	}
	die "index scans go on and on\n";
}

# Index scans that ten commits of one row in cdr cost in all ledger tables.
sub price_of_commits
{
	my $tables = "schemaname = 'public'";
	my $start = scans($tables);

	commit_and_wait() for 1 .. 10;
	return scans($tables) - $start;
}
