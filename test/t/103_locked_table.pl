# A table that somebody has locked waits alone: rows of other tables become
# final meanwhile, its own do so afterwards, in late batches of their own.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Test::More;

use LedgerChain;
use LedgerCluster;

my $node = LedgerCluster->new_node('locked', purpose => 'test');
my $session = $node->background_psql('postgres');
my $count = 0;

$node->safe_psql('postgres', <<'END');
CREATE TABLE cdr (id bigint, note text) USING ledger;
CREATE TABLE fee (id bigint, note text) USING ledger;
ALTER TABLE fee ALTER note SET STORAGE EXTERNAL;
CREATE INDEX fee_id ON fee (id);
END
$node->wait_final_all;

# Each kind of lock: rows of fee are pending when it is taken, rows of cdr come
# in several blocks, more rows of fee cannot come.
foreach my $case (
	['ALTER TABLE, committed', 'ALTER TABLE fee ADD COLUMN a text', 'COMMIT'],
	['ALTER TABLE, rolled back', 'ALTER TABLE fee ADD COLUMN b text', 'ROLLBACK'],
	['LOCK TABLE', 'LOCK TABLE fee', 'COMMIT'],
	['VACUUM FULL by CLUSTER', 'CLUSTER fee USING fee_id', 'COMMIT'],
	['REINDEX INDEX', 'REINDEX INDEX fee_id', 'COMMIT'],
	['REINDEX TABLE', 'REINDEX TABLE fee', 'ROLLBACK'])
{
	my ($name, $statement, $end) = @$case;
	my $late = pending_then_locked($statement, "INSERT INTO fee VALUES ($count, repeat('x', 3000)) RETURNING ledger_ref");
	my @heights;

	foreach my $note ('one', 'two', 'three')
	{
		my $ref = $node->safe_psql('postgres', "INSERT INTO cdr VALUES ($count, '$note') RETURNING ledger_ref");

		push @heights, $node->safe_psql('postgres', "SELECT ledger.wait_final('$ref', '60 s')");
	}
	is(scalar(grep { /^\d+$/ } @heights), 3, "$name: rows of another table become final");
	is( $node->safe_psql('postgres', "SELECT ledger.is_final('$late'), ledger.height('$late') IS NULL, ledger.block_time('$late') IS NULL"),
		'f|t|t',
		"$name: its own row does not");
	my $pid = $session->query_safe('SELECT pg_backend_pid()');

	chomp $pid;					# some minor releases leave the line break
	is( $node->safe_psql('postgres', 'SELECT waiting_tables, pending_age > \'0 s\', blocked_by FROM ledger.status'),
		"{fee}|t|{$pid}",
		"$name: status names the table and the process");
	$session->query_safe($end);
	my $height = $node->safe_psql('postgres', "SELECT ledger.wait_final('$late', '60 s')");
	cmp_ok($height, '>', $heights[2], "$name: final after $end, in a later block");
	is( $node->safe_psql('postgres',
			"SELECT b.late, b.height, ledger.height('$late') FROM ledger_internal.late_rows AS l JOIN ledger.batch AS b USING (batch) WHERE '$late' BETWEEN l.first_ref AND l.last_ref"),
		"t|$height|$height",
		"$name: recorded as late");
	$count++;
}
is($node->safe_psql('postgres', 'SELECT count(*) FROM ledger_internal.lagging'), '0', 'no table lags any more');
exactly_once($node, 'every row is in one section');

# The lock comes in the middle of a difference of many batches: a part of fee's
# rows is in the first, the rest must be in late ones.
my $first = $node->safe_psql('postgres', 'SELECT max(batch) FROM ledger.batch');
my $worker = $node->wait_for_worker;
kill 'STOP', $worker;
$node->safe_psql('postgres', <<'END');
BEGIN;
INSERT INTO fee (id) SELECT g FROM generate_series(1, 40000) g;
INSERT INTO cdr SELECT g FROM generate_series(1, 60000) g;
INSERT INTO fee (id) SELECT g FROM generate_series(1, 150000) g;
INSERT INTO cdr SELECT g FROM generate_series(1, 60000) g;
COMMIT;
END
kill 'CONT', $worker;
$session->query_safe(<<"END");
BEGIN;
DO \$\$ BEGIN
    LOOP
        EXIT WHEN EXISTS (SELECT FROM ledger.batch WHERE batch > $first);
    END LOOP;
    LOCK TABLE fee;
END \$\$
END
$node->poll_query_until('postgres', 'SELECT NOT EXISTS (SELECT FROM cdr WHERE NOT ledger.is_final(ledger_ref))')
  or BAIL_OUT('rows of cdr stayed pending');
note('batches before the lock: ' . $node->safe_psql('postgres', "SELECT count(*) FROM ledger.batch WHERE batch > $first AND NOT late"));
my $waiting = $node->safe_psql('postgres', 'SELECT base, next IS NOT NULL FROM ledger_internal.lagging');
like($waiting, qr/^\d+\|t$/, 'fee lags from the middle of the difference');
$session->query_safe('COMMIT');
$node->wait_final_all;
is( $node->safe_psql('postgres', 'SELECT count(*) FROM fee WHERE NOT ledger.is_final(ledger_ref)'),
	'0', 'its other rows become final');
is( $node->safe_psql('postgres', <<'END'), '0', 'the heights of late rows are those of the batches that hold them');
SELECT count(*) FROM fee
  JOIN ledger_internal.late_rows AS l ON ledger_ref BETWEEN l.first_ref AND l.last_ref
  JOIN ledger.batch AS b USING (batch)
 WHERE b.height <> ledger.height(ledger_ref) OR NOT b.late
END
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM ledger.batch WHERE late AND rows > 60000'), '>=', 1, 'there were large late batches');
exactly_once($node, 'every row is in one section');

# Late rows over a restart: the worker must remember what waits.
my $late = pending_then_locked('LOCK TABLE fee', "INSERT INTO fee VALUES (1, 'restart') RETURNING ledger_ref");
my $ref = $node->safe_psql('postgres', 'INSERT INTO cdr VALUES (1) RETURNING ledger_ref');
$node->safe_psql('postgres', "SELECT ledger.wait_final('$ref')");
$node->poll_query_until('postgres', 'SELECT count(*) = 1 FROM ledger_internal.lagging') or BAIL_OUT('fee does not lag');
$session->quit;
$node->restart;
$session = $node->background_psql('postgres');
$node->wait_final_all;
is($node->safe_psql('postgres', "SELECT ledger.is_final('$late')"), 't', 'a late row after a restart');

# Without any other rows a locked table alone writes nothing.
$late = pending_then_locked('LOCK TABLE fee', "INSERT INTO fee VALUES (2, 'alone') RETURNING ledger_ref");
is($node->safe_psql('postgres', 'SELECT count(*) FROM ledger_internal.lagging'), '0', 'no table lags where nothing went ahead');
$session->query_safe('COMMIT');
$node->safe_psql('postgres', "SELECT ledger.wait_final('$late')");
is( $node->safe_psql('postgres', "SELECT late FROM ledger.batch WHERE '$late' BETWEEN first_ref AND last_ref"),
	'f', 'then its row is not late');

# Two tables at once, one freed before the other.
$node->safe_psql('postgres', 'CREATE TABLE tax (id bigint) USING ledger');
$node->wait_final_all;
my $other = $node->background_psql('postgres');
$late = pending_then_locked('LOCK TABLE fee', "INSERT INTO tax VALUES (1); INSERT INTO fee VALUES (3, 'two') RETURNING ledger_ref",
	sub { $other->query_safe('BEGIN; LOCK TABLE tax') });
$node->safe_psql('postgres', 'INSERT INTO cdr VALUES (2)');
$node->poll_query_until('postgres', 'SELECT count(*) = 2 FROM ledger_internal.lagging') or BAIL_OUT('the tables do not lag');
$other->query_safe('COMMIT');
$node->poll_query_until('postgres', 'SELECT ledger.is_final(ledger_ref) FROM tax') or BAIL_OUT('row of tax stayed pending');
is($node->safe_psql('postgres', "SELECT ledger.is_final('$late'), waiting_tables FROM ledger.status"), 'f|{fee}', 'the first is freed, the second waits on');
$session->query_safe('COMMIT');
$other->quit;
$node->wait_final_all;

exactly_once($node, 'every row is in one section');
heights_agree($node, 'heights are those of the manifests');
chain_intact($node, 'the chain is intact');

$session->quit;
$node->stop;
done_testing();

# Commit what the statement inserts, and lock the table before the worker has
# seen it; returns what the statement printed.
sub pending_then_locked
{
	my ($lock, $insert, $more) = @_;
	my $worker = $node->wait_for_worker;

	$node->wait_final_all;
	kill 'STOP', $worker;
	my $printed = $node->safe_psql('postgres', $insert);
	$session->query_safe("BEGIN; $lock");
	$more->() if $more;
	kill 'CONT', $worker;
	$node->poll_query_until('postgres', 'SELECT waiting_tables IS NOT NULL FROM ledger.status')
	  or BAIL_OUT('the table does not wait');
	return $printed;
}
