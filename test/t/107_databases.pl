# The worker and its surroundings: several databases, databases that go, are
# copied or renamed, a key that is missing, settings that change.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use File::Copy qw(move);
use PostgreSQL::Test::Utils;
use Test::More;

use LedgerChain;
use LedgerCluster;

my $node = LedgerCluster->new_node('one', purpose => 'test');
my $log_start;

# Two databases of one server, each a ledger; one with the extension only.
$node->safe_psql('postgres', "CREATE DATABASE $_") foreach ('two', 'none');
$node->create_extension($_) foreach ('two', 'none');
$node->create_node('two', 'test', 'two');
$node->safe_psql($_, 'CREATE TABLE cdr (id bigint) USING ledger') foreach ('postgres', 'two', 'none');
foreach my $database ('postgres', 'two')
{
	my $ref = $node->safe_psql($database, 'INSERT INTO cdr VALUES (1) RETURNING ledger_ref');

	like($node->safe_psql($database, "SELECT ledger.wait_final('$ref')"), qr/^\d+$/, "$database is a ledger");
}
isnt($node->worker_pid('two'), $node->worker_pid('postgres'), 'each has a worker of its own');
is($node->safe_psql('two', 'SELECT name, rows_pending FROM ledger.status'), 'two|0', 'and its own status');
my ($status, $stdout, $stderr) = $node->psql('none', 'INSERT INTO cdr VALUES (1)');
like($stderr, qr/this database is not a node of a ledger/, 'a database with the extension only issues no refs');
is($node->safe_psql('none', 'SELECT count(*) FROM ledger.status'), '0', 'and has no status');

$node->restart;
$node->wait_for_worker($_) foreach ('postgres', 'two');
is($node->worker_pid('none'), '', 'no worker stays where there is no node');
pending_becomes_final('two', 'after a restart');

# DROP EXTENSION is refused, and nothing of it is done.
($status, $stdout, $stderr) = $node->psql('two', 'DROP EXTENSION telco_ledger CASCADE');
isnt($status, 0, 'DROP EXTENSION is refused where there are rows');
pending_becomes_final('two', 'after a refused DROP EXTENSION');

# A copy signs nothing and issues no refs; the original goes on.
$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE two');
($status, $stdout, $stderr) = $node->psql('copy', 'INSERT INTO cdr VALUES (2)');
like($stderr, qr/this database is a copy of a ledger node/, 'a copied database issues no refs');
is($node->safe_psql('copy', 'SELECT count(*) FROM ledger_internal.own_log') , $node->safe_psql('two', 'SELECT count(*) FROM ledger_internal.own_log'), 'it holds what the original holds');
pending_becomes_final('two', 'in the original');
is($node->worker_pid('copy'), '', 'a copy has no worker');

# ALTER DATABASE needs the database for itself.
$node->safe_psql('postgres', 'ALTER DATABASE two RENAME TO three');
pending_becomes_final('three', 'after ALTER DATABASE RENAME');
exactly_once($node, 'every row is in one section', database => 'three');
chain_intact($node, 'the chain is intact', database => 'three');

# DROP DATABASE works; when it fails, the worker comes back.
my $session = $node->background_psql('three');
($status, $stdout, $stderr) = $node->psql('postgres', 'DROP DATABASE three');
like($stderr, qr/is being accessed by other users/, 'DROP DATABASE fails with a session in it');
pending_becomes_final('three', 'after a DROP DATABASE that failed');
$session->quit;
$log_start = -s $node->logfile;
$node->safe_psql('postgres', 'DROP DATABASE three');
pass('DROP DATABASE of a ledger');
pending_becomes_final('postgres', 'in the other database');
$node->safe_psql('postgres', 'SELECT pg_sleep(3)');
unlike(slurp_file($node->logfile, $log_start), qr/database \d+ does not exist|FATAL:  database/, 'nobody looks for the dropped database');

# The key is missing: rows are committed and wait; it comes back.
my @keys = glob($node->basedir . '/keys/*.key');
mkdir $node->basedir . '/away';
move($_, $node->basedir . '/away') foreach @keys;
$log_start = -s $node->logfile;
$node->restart;
my $ref = $node->safe_psql('postgres', 'INSERT INTO cdr VALUES (3) RETURNING ledger_ref');
wait_for_message(qr/could not open signing key/, 'the log says that the key is missing');
is($node->safe_psql('postgres', "SELECT ledger.finality('$ref')"), 'committed', 'rows are committed without the key');
is($node->safe_psql('postgres', 'SELECT rows_pending, pending_age IS NOT NULL FROM ledger.status'), '1|t', 'and counted as pending');
chmod 0644, glob($node->basedir . '/away/*.key');
move($_, $node->basedir . '/keys') foreach glob($node->basedir . '/away/*.key');
wait_for_message(qr/signing key ".*" is accessible to others/, 'a key that others can read is not used');
chmod 0600, glob($node->basedir . '/keys/*.key');
like($node->safe_psql('postgres', "SELECT ledger.wait_final('$ref', '90 s')"), qr/^\d+$/, 'the row becomes final when the key is back');

# batch_delay gathers rows of many commits; a reload brings it and takes it away.
$node->safe_psql('postgres', 'ALTER SYSTEM SET "telco_ledger.batch_delay" = \'400 ms\'');
$node->reload;
$node->poll_query_until('postgres', 'SHOW telco_ledger.batch_delay', '400ms');
my $tip = $node->safe_psql('postgres', 'SELECT height FROM ledger.status');
$node->safe_psql('postgres', 'INSERT INTO cdr VALUES (4);' x 20);
$node->wait_final_all;
my $blocks = $node->safe_psql('postgres', "SELECT height - $tip FROM ledger.status");
cmp_ok($blocks, '<=', 10, "batch_delay gathers rows ($blocks blocks for 20 commits)");
$node->safe_psql('postgres', 'ALTER SYSTEM RESET "telco_ledger.batch_delay"');
$node->reload;

# What is final is flushed, also when synchronous_commit was turned off later:
# a block that was seen must survive a crash.
$node->safe_psql('postgres', "ALTER SYSTEM SET synchronous_commit = off; ALTER SYSTEM SET wal_writer_delay = '10s'");
$node->reload;
$node->poll_query_until('postgres', 'SHOW synchronous_commit', 'off');
pending_becomes_final('postgres', 'after a reload');
$ref = $node->safe_psql('postgres', 'INSERT INTO cdr VALUES (5) RETURNING ledger_ref');
my $height = $node->safe_psql('postgres', "SELECT ledger.wait_final('$ref')");
my $seen = $node->safe_psql('postgres', "SELECT height, hash FROM ledger.block WHERE height = $height");
$node->crash_and_restart;
is($node->safe_psql('postgres', "SELECT height, hash FROM ledger.block WHERE height = $height"), $seen, 'a block that was seen survives a crash');

$node->wait_final_all;
exactly_once($node, 'every row is in one section');
chain_intact($node, 'the chain is intact');
$node->stop;

# More databases than background workers: the ledger's gets its worker, and the
# log does not fill with complaints.
my $many = LedgerCluster->new_server('many', conf => "max_worker_processes = 4\nfsync = off\n");

$many->safe_psql('postgres', "CREATE DATABASE d$_ TEMPLATE template0") for 1 .. 40;
$many->safe_psql('postgres', 'CREATE DATABASE ledger40');
$many->create_extension('ledger40');
$many->create_node('many', 'test', 'ledger40');
$many->safe_psql('ledger40', 'CREATE TABLE cdr (id bigint) USING ledger');
$ref = $many->safe_psql('ledger40', 'INSERT INTO cdr VALUES (1) RETURNING ledger_ref');
like($many->safe_psql('ledger40', "SELECT ledger.wait_final('$ref')"), qr/^\d+$/, 'a ledger among forty databases');
$log_start = -s $many->logfile;
$many->restart;
$many->wait_for_worker('ledger40');
unlike(slurp_file($many->logfile, $log_start), qr/no background worker slot|watches \d+ databases/, 'without a complaint');
$many->stop;

done_testing();

sub pending_becomes_final
{
	my ($database, $name) = @_;
	my $ref = $node->safe_psql($database, 'INSERT INTO cdr VALUES (0) RETURNING ledger_ref');

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	like($node->safe_psql($database, "SELECT ledger.wait_final('$ref', '20 s')"), qr/^\d+$/, "a row becomes final $name");
	return;
}

sub wait_for_message
{
	my ($pattern, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return ok($node->wait_for_log($pattern, $log_start), $name);
}
