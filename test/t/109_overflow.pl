# More written tables than shared memory remembers (TL_NODE_DIRTY_MAX pairs of
# transaction and table): the worker then asks every table, and misses nothing.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Test::More;

use LedgerChain;
use LedgerCluster;

# 170 open transactions that have written 200 partitions each: 34,000 pairs,
# and there is room for 32,768.
use constant { TRANSACTIONS => 170, PARTITIONS => 200 };

my $node = LedgerCluster->new_server('overflow', conf => <<'END');
fsync = off
autovacuum = off
max_prepared_transactions = 200
max_locks_per_transaction = 1000
END

$node->create_extension;
$node->create_node('overflow', 'test');
$node->safe_psql('postgres', <<'END');
CREATE TABLE cdr (id bigint) USING ledger;
CREATE TABLE idle (id bigint) USING ledger;
CREATE TABLE day (id bigint) PARTITION BY RANGE (id) USING ledger;
DO $$ BEGIN
    FOR i IN 1 .. 200 LOOP
        EXECUTE format('CREATE TABLE day_%s PARTITION OF day FOR VALUES FROM (%s) TO (%s)', i, i, i + 1);
    END LOOP;
END $$;
END
$node->wait_final_all;

my $idle = idle_scans();
commit_row();
is(idle_scans(), $idle, 'while there is room, a commit makes nobody look into other tables');

$node->safe_psql('postgres',
	join("\n", map { "BEGIN; INSERT INTO day SELECT generate_series(1, @{[PARTITIONS]}); PREPARE TRANSACTION 'p$_';" } 1 .. TRANSACTIONS));
$idle = idle_scans();
commit_row();
cmp_ok(idle_scans(), '>', $idle, 'when there is none, the worker asks every table');

# Half of them end while there is no room for the others.
foreach my $half (0, 1)
{
	$node->safe_psql('postgres',
		join("\n", map { ($_ % 5 ? 'COMMIT' : 'ROLLBACK') . " PREPARED 'p$_';" } grep { $_ % 2 == $half } 1 .. TRANSACTIONS));
	commit_row();
	$node->wait_final_all;
	exactly_once($node, 'every row is in one section');
}
is( $node->safe_psql('postgres', 'SELECT count(*), bool_and(ledger.is_final(ledger_ref)) FROM day'),
	136 * PARTITIONS . '|t',
	'all rows of the many tables are final');

commit_row();
$idle = idle_scans();
commit_row();
is(idle_scans(), $idle, 'afterwards nobody looks into other tables again');
chain_intact($node, 'the chain is intact');

$node->stop;
done_testing();

sub commit_row
{
	my $ref = $node->safe_psql('postgres', 'INSERT INTO cdr VALUES (1) RETURNING ledger_ref');

	$node->safe_psql('postgres', "SELECT ledger.wait_final('$ref')");
	return;
}

# The worker reports its figures when it goes to sleep, on a slow machine later.
sub idle_scans
{
	my ($before, $now) = ('', 'none yet');

	while ($now ne $before)
	{
		$before = $now;
		$now = $node->safe_psql('postgres', "SELECT pg_sleep(1); SELECT idx_scan FROM pg_stat_user_tables WHERE relname = 'idle'") =~ s/^\n//r;
	}
	return $now;
}
