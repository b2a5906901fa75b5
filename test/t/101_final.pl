# What was committed becomes final, and every function that speaks of a row
# says so: in one block, in many, in several tables.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Test::More;

use LedgerChain;
use LedgerCluster;

my $node = LedgerCluster->new_node('final', purpose => 'test');

$node->safe_psql('postgres', <<'END');
CREATE TABLE cdr (id bigint, note text) USING ledger;
CREATE TABLE fee (id bigint, amount numeric) USING ledger;
END
$node->wait_final_all;    # the definitions, so that they are not in its batch

# One row.
my $ref = $node->safe_psql('postgres', "INSERT INTO cdr VALUES (1, 'one') RETURNING ledger_ref");
my $height = $node->safe_psql('postgres', "SELECT ledger.wait_final('$ref')");
like($height, qr/^[1-9]\d*$/, 'wait_final returns the height');
is($node->safe_psql('postgres', "SELECT ledger.finality('$ref'), ledger.is_final('$ref'), ledger.height('$ref')"),
	"final|t|$height", 'finality, is_final, height');
is( $node->safe_psql('postgres',
		"SELECT ledger.block_time('$ref') = time, rows > 0, batches FROM ledger.block WHERE height = $height"),
	't|t|1',
	'block_time is the time of that block');
is( $node->safe_psql('postgres',
		"SELECT height, sections FROM ledger.batch WHERE '$ref' BETWEEN first_ref AND last_ref"),
	"$height|1",
	'ledger.batch shows its batch');
is($node->safe_psql('postgres', "SELECT ledger.wait_final('$ref', '0 s')"),
	$height, 'what is final needs no waiting');

# A transaction larger than a batch, the rows of its tables interleaved.
$node->safe_psql('postgres', <<'END');
BEGIN;
INSERT INTO cdr SELECT g, 'a' FROM generate_series(1, 60000) g;
INSERT INTO fee SELECT g, g / 100.0 FROM generate_series(1, 50000) g;
INSERT INTO cdr SELECT g, 'b' FROM generate_series(1, 60000) g;
INSERT INTO fee SELECT g, g / 100.0 FROM generate_series(1, 30000) g;
COMMIT;
END
$node->wait_final_all;
is( $node->safe_psql('postgres', <<'END'), '200001|t|t|t', 'all rows of a split transaction are final');
SELECT count(*), bool_and(ledger.is_final(ledger_ref)), count(DISTINCT ledger.height(ledger_ref)) >= 4,
       bool_and(ledger.height(ledger_ref) IS NOT NULL)
  FROM (SELECT ledger_ref FROM cdr UNION ALL SELECT ledger_ref FROM fee) AS r
END
is( $node->safe_psql('postgres', <<'END'), '0', 'height and block_time agree with the batches for each row');
SELECT count(*)
  FROM (SELECT ledger_ref FROM cdr UNION ALL SELECT ledger_ref FROM fee) AS r
  LEFT JOIN ledger.batch AS b ON r.ledger_ref BETWEEN b.first_ref AND b.last_ref
  LEFT JOIN ledger.block AS k ON k.height = b.height
 WHERE b.height IS DISTINCT FROM ledger.height(r.ledger_ref)
    OR k.time IS DISTINCT FROM ledger.block_time(r.ledger_ref)
END
is($node->safe_psql('postgres', 'SELECT max(rows) <= 65536, sum(rows) FROM ledger.batch'),
	't|' . $node->safe_psql('postgres', 'SELECT (SELECT count(*) FROM cdr) + (SELECT count(*) FROM fee) + (SELECT count(*) FROM ledger.table_version)'),
	'no batch is larger than it may be, and none is counted twice');

# Refs of nobody.
my ($result, $stdout, $stderr) = $node->psql('postgres', q{
BEGIN; INSERT INTO cdr VALUES (2, 'gone') RETURNING ledger_ref; ROLLBACK});
my ($gone) = $stdout =~ /^(\S+)/;
foreach my $call ("ledger.finality('$gone')", "ledger.wait_final('$gone', '1 s')")
{
	($result, $stdout, $stderr) = $node->psql('postgres', "SELECT $call");
	like($stderr, qr/no committed row has the ledger_ref \Q$gone\E/, "a row that was rolled back: $call");
}
($result, $stdout, $stderr) = $node->psql('postgres', q{
BEGIN; INSERT INTO cdr VALUES (2, 'mine'); SELECT ledger.wait_final(ledger_ref) FROM cdr WHERE note = 'mine'});
like($stderr, qr/belongs to the current transaction/, 'a row of the own transaction cannot be waited for');

# Not final yet: the worker is paused.
my $worker = $node->wait_for_worker;
kill 'STOP', $worker;
$ref = $node->safe_psql('postgres', "INSERT INTO cdr VALUES (3, 'waits') RETURNING ledger_ref");
is( $node->safe_psql('postgres',
		"SELECT ledger.finality('$ref'), ledger.is_final('$ref'), ledger.height('$ref') IS NULL, ledger.block_time('$ref') IS NULL"),
	'committed|f|t|t',
	'a committed row while the worker is paused');
is($node->safe_psql('postgres', "SELECT rows_pending, pending_age > '0 s', waiting_tables IS NULL FROM ledger.status"),
	'1|t|t', 'ledger.status counts it');
($result, $stdout, $stderr) = $node->psql('postgres', "SELECT ledger.wait_final('$ref', '100 ms')");
like($stderr, qr/row \Q$ref\E is committed but not final yet/, 'wait_final gives up in time');
kill 'CONT', $worker;
like($node->safe_psql('postgres', "SELECT ledger.wait_final('$ref')"), qr/^\d+$/, 'and is final when the worker goes on');
$node->wait_final_all;
is($node->safe_psql('postgres', 'SELECT rows_pending, pending_age IS NULL FROM ledger.status'), '0|t', 'nothing is pending');

# After a restart the answers are the same.
my $before = $node->safe_psql('postgres', 'SELECT sum(ledger.height(ledger_ref)), count(*) FROM cdr');
$node->restart;
is($node->safe_psql('postgres', 'SELECT sum(ledger.height(ledger_ref)), count(*) FROM cdr'), $before, 'heights after a restart');
$ref = $node->safe_psql('postgres', "INSERT INTO cdr VALUES (4, 'after') RETURNING ledger_ref");
like($node->safe_psql('postgres', "SELECT ledger.wait_final('$ref')"), qr/^\d+$/, 'and the chain goes on');

exactly_once($node, 'every row is in one section');
chain_intact($node, 'the chain is intact');

$node->stop;
done_testing();
