# A hot standby answers all that reads: finality, views, receipts, tree heads,
# verdicts, verification.  It writes nothing; promoted, it goes on as the node.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use LedgerChain;
use LedgerCluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = LedgerCluster->new_node('primary', purpose => 'test', allows_streaming => 1);
$node->backup('base');
my $standby = LedgerCluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;

$node->safe_psql('postgres', <<'END');
CREATE TABLE cdr (id integer, msisdn text, charge numeric(10,2)) USING ledger;
INSERT INTO cdr SELECT i, '+33600' || i, i * 1.5 FROM generate_series(1, 600) AS i;
CREATE TABLE part (id integer, region text) PARTITION BY LIST (region) USING ledger;
CREATE TABLE part_north PARTITION OF part FOR VALUES IN ('north');
CREATE TABLE part_south PARTITION OF part FOR VALUES IN ('south');
INSERT INTO part VALUES (1, 'north'), (2, 'south');
END
$node->wait_final_all;
# one block more, for a tree head covers what lies below its own
$node->safe_psql('postgres', "INSERT INTO part VALUES (3, 'north')");
$node->wait_final_all;
my $kept = $node->safe_psql('postgres', 'SELECT ledger.tree_head()');
my $kept_size = (split /\n/, $kept)[1];
$node->safe_psql('postgres', "INSERT INTO cdr VALUES (1000, NULL, 1)");
$node->wait_final_all;
$node->wait_for_catchup($standby);

# The same answers on both.
my $one = 'SELECT ledger_ref FROM cdr WHERE id = 300';
for my $query (
	'SELECT ledger.tree_head()',
	"SELECT ledger.is_final(ledger_ref), ledger.height(ledger_ref), ledger.block_time(ledger_ref),
	        ledger.finality(ledger_ref), ledger.relation_of(ledger_ref) FROM cdr WHERE id IN (1, 300, 1000) ORDER BY id",
	"SELECT ledger.wait_final(($one), '5 s')",
	'SELECT * FROM ledger.block ORDER BY height',
	'SELECT * FROM ledger.batch ORDER BY batch',
	'SELECT version, table_name, ledger_ref FROM ledger.table_version ORDER BY ledger_ref',
	"SELECT ledger.encode_row('cdr', ($one)), ledger.leaf_hash('cdr', ($one))",
	"SELECT ledger.receipt('cdr', ($one))",
	"SELECT ledger.receipt('cdr', ($one), $kept_size)",
	"SELECT ledger.receipts('cdr', array_agg(ledger_ref)) FROM cdr",
	"SELECT ledger.receipts('part', array_agg(ledger_ref)) FROM part",
	"SELECT v.* FROM ledger.verify_receipt(ledger.receipt('cdr', ($one))) AS v",
	"SELECT ledger.consistency_proof($kept_size, $kept_size + 1)")
{
	my $answer = $standby->safe_psql('postgres', $query);

	isnt($answer, '', "the standby answers $query");
	is($answer, $node->safe_psql('postgres', $query), 'as the primary does');
}
is($standby->safe_psql('postgres', 'SELECT pg_is_in_recovery()'), 't', 'it is a standby');

# So do all views, with as many rows.
for my $view (split /\n/, $node->safe_psql('postgres', q{SELECT oid::regclass FROM pg_class WHERE relkind = 'v' AND relnamespace = 'ledger'::regnamespace ORDER BY 1}))
{
	is($standby->safe_psql('postgres', "SELECT count(*) FROM $view"), $node->safe_psql('postgres', "SELECT count(*) FROM $view"), "the standby shows $view");
}
like($standby->safe_psql('postgres', 'SELECT * FROM ledger.status'), qr/primary/, 'the status names the node');
is($standby->safe_psql('postgres', "SELECT count(*), bool_and(valid) FROM
	(SELECT ledger.receipts('cdr', array_agg(ledger_ref)) AS r FROM cdr) AS x, ledger.verify_receipts(r)"),
	'601|t', 'all rows are proved there');
is($standby->safe_psql('postgres', "SELECT valid FROM ledger.verify_receipt(
	ledger.receipt('cdr', ($one)), '$kept', ledger.consistency_proof($kept_size, $kept_size + 1))"),
	't', 'against a kept tree head');

# Verification looks, and says that it leaves no record.
my ($out, $err);
for my $mode ('incremental', 'full')
{
	$standby->psql('postgres', "SELECT * FROM ledger.verify(mode => '$mode')", stdout => \$out, stderr => \$err);
	is($out, '', "$mode verification is clean");
	like($err, qr/NOTICE:  this run is not recorded in ledger.verification/, 'and not recorded, which is said');
}
$standby->psql('postgres', 'CALL ledger.verify_in_steps()', stdout => \$out, stderr => \$err);
like($err, qr/ERROR:  verification in steps is not possible on a standby/, 'steps are recorded, so there are none');

# What writes is refused.
for my $statement (
	"INSERT INTO cdr VALUES (7, NULL, NULL)",
	"SELECT ledger.create_node('other')",
	"SELECT ledger.dispose()")
{
	isnt($standby->psql('postgres', $statement, stderr => \$err), 0, "refused: $statement");
	like($err, qr/read-only transaction|during recovery|already/, 'with the reason');
}

# A row that is not final there yet.
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
$standby->poll_query_until('postgres', "SELECT pg_get_wal_replay_pause_state() = 'paused'") or die 'no pause';
my $new = $node->safe_psql('postgres', 'INSERT INTO cdr VALUES (1001, NULL, NULL) RETURNING ledger_ref');
$node->wait_final_all;
is($standby->safe_psql('postgres', "SELECT ledger.is_final('$new')"), 'f', 'what was not replayed is not final');
isnt($standby->psql('postgres', "SELECT ledger.receipt('cdr', '$new')", stderr => \$err), 0, 'and has no receipt');
like($err, qr/no row of public.cdr has the ledger_ref/, 'for it is not there');
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
$standby->poll_query_until('postgres', "SELECT ledger.is_final('$new')") or die 'the standby does not catch up';

# A forged row and a damaged chain are named there as well.
my $receipt = $standby->safe_psql('postgres', "SELECT ledger.receipt('cdr', ($one))");
$receipt =~ s/"charge": "450.00"/"charge": "450.01"/ or die 'no charge';
is($standby->safe_psql('postgres', "SELECT valid FROM ledger.verify_receipt(\$r\$$receipt\$r\$)"), 'f', 'a forged receipt is refused');

# The primary is gone, the standby takes over, with the key at hand.
$node->wait_for_catchup($standby);
$node->stop('fast');
$standby->promote;
$standby->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die 'no promotion';
$standby->wait_for_worker;
$standby->safe_psql('postgres', "INSERT INTO cdr VALUES (2000, 'after', 1)");
$standby->wait_final_all;
is($standby->safe_psql('postgres', "SELECT v.valid FROM cdr, ledger.verify_receipt(
	ledger.receipt('cdr', ledger_ref), '$kept',
	ledger.consistency_proof($kept_size, (SELECT max(height) FROM ledger.block))) AS v WHERE id = 2000"),
	't', 'what comes after the promotion continues the kept tree head');
is($standby->safe_psql('postgres', "SELECT * FROM ledger.verify(mode => 'full')"), '', 'the ledger is whole');
is($standby->safe_psql('postgres', 'SELECT count(*) > 0 FROM ledger.verification'), 't', 'and verification is recorded again');
exactly_once($standby, 'every row is on the ledger once');
chain_intact($standby, 'the chain goes on without a gap');
unlike(PostgreSQL::Test::Utils::slurp_file($standby->logfile), qr/PANIC|telco_ledger[^\n]*exited with exit code/, 'the worker met no error');

done_testing();
