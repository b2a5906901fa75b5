# A dump that was taken midway: in a large transaction of which some batches are
# made, and while a table lags behind the others.  The new incarnation goes on
# where the old one stood.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use LedgerChain;
use LedgerCluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = LedgerCluster->new_node('midway');
my $dump = $node->basedir . '/dump';

$node->safe_psql('postgres', 'CREATE TABLE cdr (id integer) USING ledger; CREATE TABLE late (id integer) USING ledger;
	CREATE TABLE other (id integer) USING ledger; INSERT INTO late VALUES (1); INSERT INTO other VALUES (1)');
$node->wait_final_all;

# The table `late` is locked when rows of it are to be batched.
kill 'STOP', $node->worker_pid;
$node->safe_psql('postgres', 'INSERT INTO late VALUES (2)');
my $locker = $node->background_psql('postgres');
$locker->query_safe('BEGIN; LOCK TABLE late');
kill 'CONT', $node->worker_pid;
$node->safe_psql('postgres', 'INSERT INTO other VALUES (2)');
$node->poll_query_until('postgres', 'SELECT count(*) = 1 FROM ledger_internal.lagging') or die 'no table lags';

# A large transaction, of which the worker makes one batch after the other.
my $rows = 600_000;
my $stopped;

$node->safe_psql('postgres', "INSERT INTO cdr SELECT generate_series(1, $rows)");
for (1 .. 10_000)
{
	my $batched = $node->safe_psql('postgres', "SELECT coalesce(sum(row_count), 0) FROM ledger_internal.batch WHERE row_count > 1000");

	last if $batched >= $rows;
	next if $batched == 0;
	$stopped = $node->worker_pid;
	kill 'STOP', $stopped;
	last;
}
ok(defined $stopped, 'the worker was stopped midway');
$locker->query_safe('COMMIT');
$locker->quit;
is($node->safe_psql('postgres', "SELECT completes FROM ledger_internal.batch WHERE NOT late ORDER BY batch DESC LIMIT 1"), 'f', 'in a difference that is not complete');
is($node->safe_psql('postgres', 'SELECT relation FROM ledger_internal.lagging'), 'late', 'while a table lags');
my $pending = $node->safe_psql('postgres', 'SELECT rows_pending FROM ledger.status');
my $refs = join "\n", refs_of($node, 'cdr');

command_ok([ 'pg_dump', '-Fc', '-f', $dump, $node->connstr('postgres') ], 'dump');
kill 'CONT', $stopped;
$node->stop;
unlink glob($node->basedir . '/keys/*.state');

my $other = LedgerCluster->new_server('after', conf => "telco_ledger.key_directory = '" . $node->basedir . "/keys'");

$other->safe_psql('template1', 'CREATE DATABASE restored TEMPLATE template0');
command_ok([ 'pg_restore', '--exit-on-error', '-j2', '-d', $other->connstr('restored'), $dump ], 'restore');
$other->verify_clean('what was batched is there', 'restored');
my ($status, $stdout, $stderr) = $other->psql('restored', 'SELECT ledger.resume()');
like($stderr, qr/NOTICE:  $pending committed rows were in no batch yet/, 'the others are counted');
$other->safe_psql('restored', 'INSERT INTO late VALUES (3); INSERT INTO cdr VALUES (-1)');
$other->wait_final_all('restored');
is($other->safe_psql('restored', 'SELECT count(*) FROM cdr WHERE NOT ledger.is_final(ledger_ref)'), '0', 'all become final');
is($other->safe_psql('restored', 'SELECT array_agg(id ORDER BY id) FROM late WHERE ledger.is_final(ledger_ref)'), '{1,2,3}', 'those of the table that lagged too');
is(join("\n", grep { /^1\.0\./ } refs_of($other, 'cdr', 'restored')), $refs, 'with the refs that they had');
is($other->safe_psql('restored', 'SELECT count(*) FROM ledger_internal.lagging'), '0', 'no table lags any more');
is($other->safe_psql('restored', q{SELECT bool_and(v.valid) FROM (SELECT ledger_ref FROM cdr WHERE id IN (1, 300000, 600000, -1)) r,
	ledger.verify_receipt(ledger.receipt('cdr', r.ledger_ref)) v}), 't', 'receipts from both sides of the gap');
$other->verify_clean('verification is clean', 'restored');
exactly_once($other, 'every row is batched once', database => 'restored');
chain_intact($other, 'the chain is intact', database => 'restored');

# The worker of the new incarnation dies and starts again.
$other->kill9_worker('restored');
$other->safe_psql('restored', 'INSERT INTO cdr VALUES (-2)');
$other->wait_final_all('restored');
is($other->safe_psql('restored', 'SELECT state, incarnation FROM ledger.status'), 'live|1', 'no alarm after a crash of the new incarnation');
chain_intact($other, 'the chain is intact after a crash', database => 'restored');
$other->verify_clean('verification is clean after a crash', 'restored');

# A transaction that has written waits out the end of its incarnation, or rather
# the end waits for it.
my $writer = $other->background_psql('restored');
my $waiter = $other->background_psql('restored');

$writer->query_safe('BEGIN; INSERT INTO cdr VALUES (-3)');
$waiter->query_until(qr/begun/, "\\echo begun\nSELECT ledger.accept_restore('while it lives');\n");
ok($other->poll_query_until('restored', "SELECT count(*) = 1 FROM pg_locks WHERE NOT granted AND relation = 'cdr'::regclass"), 'accept_restore waits for who has written');
$writer->query_safe('INSERT INTO cdr VALUES (-4); COMMIT');
$waiter->quit;
is($other->safe_psql('restored', 'SELECT state, incarnation FROM ledger.status'), 'live|2', 'then it goes on');
$writer->query_safe('INSERT INTO cdr VALUES (-5)');
$writer->quit;
$other->wait_final_all('restored');
is($other->safe_psql('restored', 'SELECT array_agg(ledger.incarnation(ledger_ref) ORDER BY id DESC) FROM cdr WHERE id < -2 AND ledger.is_final(ledger_ref)'),
	'{1,1,2}', 'no row is left behind');
$other->verify_clean('verification is clean after that', 'restored');
exactly_once($other, 'every row is batched once after that', database => 'restored');
chain_intact($other, 'the chain is intact after that', database => 'restored');

$other->stop;
done_testing();
