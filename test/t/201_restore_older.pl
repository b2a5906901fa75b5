# A server that was restored to an older point notices it, and goes on only as a
# new incarnation; copies sign nothing; crashes raise no false alarm.
use strict;
use warnings;

use File::Copy ();
use FindBin;
use lib "$FindBin::RealBin/../lib";

use LedgerChain;
use LedgerCluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = LedgerCluster->new_server('alpha', allows_streaming => 1);
my $keys = $node->basedir . '/keys';

$node->create_extension;
$node->create_node('alpha', 'production');
$node->safe_psql('postgres', q{
	CREATE TABLE cdr (id integer, v text) USING ledger;
	INSERT INTO cdr SELECT n, 'old ' || n FROM generate_series(1, 100) AS n;
});
$node->wait_final_all;

sub refused
{
	my ($server, $sql, $pattern, $name) = @_;
	my ($status, $stdout, $stderr) = $server->psql('postgres', $sql);

	like($stderr, $pattern, $name);
	return;
}

sub value { my ($server, $sql) = @_; return $server->safe_psql('postgres', $sql) }

sub state_file { my @files = glob("$keys/*.state"); return $files[0] }

# Crashes: what recovery brings back is never older than the mark.
for my $round (1 .. 5)
{
	my $session = $node->background_psql('postgres');

	$session->query_safe("INSERT INTO cdr SELECT $round, 'crash ' || n FROM generate_series(1, 20) AS n");
	$round % 2 ? $node->crash_and_restart : $node->kill9_worker;
	eval { $session->quit };
	$node->wait_for_worker;
	$node->safe_psql('postgres', "INSERT INTO cdr VALUES ($round, 'after a crash')");
	$node->wait_final_all;
	is(value($node, 'SELECT state, incarnation FROM ledger.status'), 'live|0', "no false alarm after crash $round");
}
# What is signed must survive a crash of the machine: with these settings off
# nothing is, by nobody.
my %ours = map { $_ => 1 } glob("$keys/*");

for my $setting ('fsync', 'full_page_writes')
{
	my $pattern = qr/ERROR:  ledger node signs nothing while fsync or full_page_writes is off/;

	$node->safe_psql('postgres', "ALTER SYSTEM SET $setting = off");
	$node->restart;
	refused($node, q{SELECT ledger.accept_restore('why not')}, $pattern, "accept_restore, $setting off");
	$node->safe_psql('postgres', 'CREATE DATABASE unsafe');
	$node->create_extension('unsafe');
	my ($status, $stdout, $stderr) = $node->psql('unsafe', q{SELECT ledger.create_node('unsafe')});
	like($stderr, $pattern, "create_node, $setting off");
	is($node->safe_psql('unsafe', q{SELECT length(ledger.create_node('unsafe', 'test'))}), '64', 'but a test ledger');
	$node->safe_psql('postgres', 'DROP DATABASE unsafe');
	unlink grep { !exists $ours{$_} } glob("$keys/*");
	$node->safe_psql('postgres', "ALTER SYSTEM RESET $setting");
	$node->restart;
}
is(value($node, 'SELECT state, incarnation FROM ledger.status'), 'live|0', 'and nothing has changed');

ok(-s state_file(), 'the mark lies beside the key');
is((stat state_file())[2] & 0777, 0600, 'and is readable for the server only');

# A mark that was damaged is no alarm, and is written anew.
$node->stop;
my $mark = slurp_file(state_file());
append_to_file(state_file() . '.x', $mark =~ s/^(\d+ \d+ )\d/${1}9/r);
rename state_file() . '.x', state_file();
my ($before) = glob("$keys/*.state");
$node->start;
$node->wait_for_worker;
is(value($node, 'SELECT state FROM ledger.status'), 'live', 'a damaged mark raises no alarm');
like(slurp_file($node->logfile), qr/LOG:  ignoring ".*\.state", which cannot be read/, 'but is told');
$node->poll_query_until('postgres', "SELECT pg_read_file('" . state_file() . "') = '" . $mark . "'") or diag('not written anew');
is(slurp_file(state_file()), $mark, 'it is written anew');

# A copy within the server.
$node->safe_psql('template1', 'CREATE DATABASE twin TEMPLATE postgres');
$node->safe_psql('template1', 'CREATE ROLE stranger');
$node->safe_psql('twin', 'GRANT INSERT ON cdr TO stranger');
is($node->safe_psql('twin', 'SELECT state FROM ledger.status'), 'copied', 'CREATE DATABASE ... TEMPLATE makes a copy that knows it');
my ($ignored, $out, $message) = $node->psql('twin', "INSERT INTO cdr VALUES (1, 'x')");
like($message, qr/this database is a copy of a ledger node/, 'it issues no refs');
($ignored, $out, $message) = $node->psql('twin', "SET ROLE stranger; INSERT INTO cdr VALUES (1, 'x', '1.0.99999.1')");
like($message, qr/cannot insert into ledger table "cdr"/, 'nor takes rows from everybody');
($ignored, $out, $message) = $node->psql('twin', 'SELECT ledger.resume()');
like($message, qr/database "postgres" of this server is the node that this one was copied from/, 'nor takes over');
$node->restart;
$node->safe_psql('postgres', "INSERT INTO cdr VALUES (1, 'after the copy')");
$node->wait_final_all;
is($node->worker_pid('twin'), '', 'no worker signs for it');
is($node->safe_psql('twin', 'SELECT max(height) FROM ledger.block') < value($node, 'SELECT max(height) FROM ledger.block'), 1, 'its chain stands still');
$node->safe_psql('template1', 'DROP DATABASE twin');

# A backup, and what comes after it.
$node->backup('older');
$node->safe_psql('postgres', "BEGIN; INSERT INTO cdr VALUES (500, 'prepared'); PREPARE TRANSACTION 'pending'");
$node->backup('prepared');
$node->safe_psql('postgres', "ROLLBACK PREPARED 'pending'");
my $height = value($node, 'SELECT max(height) FROM ledger.block');
my $old_ref = value($node, 'SELECT min(ledger_ref) FROM cdr');
my $old_receipt = value($node, "SELECT ledger.receipt('cdr', '$old_ref')");
my $lost_ref = value($node, "INSERT INTO cdr VALUES (1000, 'will be lost') RETURNING ledger_ref");
$node->wait_final_all;
my $lost_receipt = value($node, "SELECT ledger.receipt('cdr', '$lost_ref')");
$node->safe_psql('postgres', "INSERT INTO cdr VALUES (1001, 'will be lost too')");
$node->wait_final_all;
my $lost_height = value($node, 'SELECT max(height) FROM ledger.block');
my $lost_head = value($node, 'SELECT to_jsonb(ledger.tree_head())');
cmp_ok($lost_height, '>', $height + 1, 'blocks were made after the backup');

# A clone beside the living server signs nothing.
my $clone = from_backup('clone', 'older');
is(value($clone, 'SELECT state, worker_pid IS NULL FROM ledger.status'), 'rolled back|t', 'a clone of an older state knows it');
refused($clone, "INSERT INTO cdr VALUES (1, 'x')", qr/this database was restored to an older point.*accept_restore/s, 'it issues no refs');
refused($clone, q{INSERT INTO cdr VALUES (1, 'x', '1.0.99999.1')}, qr/ledger_ref 1\.0\.99999\.1 was not issued/, 'nor takes any');
refused($clone, 'CREATE TABLE fresh (a integer) USING ledger', qr/this database was restored to an older point/, 'nor definitions');
refused($clone, 'TRUNCATE cdr', qr/cannot truncate ledger table/, 'nor lets rows go');
refused($clone, "SELECT ledger.accept_restore('clone')", qr/another database signs with the key of this member/, 'nor takes over while the other lives');
refused($clone, 'SELECT ledger.resume()', qr/not a restored copy.*older point of the same server.*accept_restore/s, 'resume is for dumps');
is($clone->safe_psql('postgres', 'SELECT count(*) FROM cdr'), value($node, 'SELECT count(*) - 2 FROM cdr'), 'it can be read');
like(slurp_file($clone->logfile), qr/database "postgres" was restored to an older point and signs nothing/, 'its log says so');
$clone->stop;

sub from_backup
{
	my ($name, $backup) = @_;
	my $server = LedgerCluster->new($name);

	$server->init_from_backup($node, $backup);
	$server->start;
	return $server;
}

# The server is lost, the backup takes its place.
$node->stop('immediate');
my $beta = from_backup('beta', 'older');
is(value($beta, 'SELECT state FROM ledger.status'), 'rolled back', 'restored to an older point');
refused($beta, "SELECT ledger.accept_restore('')", qr/the reason has 0 bytes/, 'a reason must be given');
refused($beta, "BEGIN READ ONLY; SELECT ledger.accept_restore('x')", qr/cannot execute ledger\.accept_restore\(\) in a read-only transaction/, 'and a transaction that writes');
is(value($beta, "SELECT ledger.accept_restore('disk of alpha failed')"), $height + 1, 'accept_restore goes on in the next block');
is(value($beta, 'SELECT state, incarnation FROM ledger.status'), 'live|1', 'as a new incarnation');
is(value($beta, 'SELECT incarnation, height, opened_by, reason, known_height, lost_height, unbatched_rows FROM ledger.incarnation'),
	'1|' . ($height + 1) . "|accept_restore|disk of alpha failed|$height|$lost_height|0", 'what is lost stands on the ledger');
my $new_ref = value($beta, "INSERT INTO cdr VALUES (2000, 'new') RETURNING ledger_ref");
like($new_ref, qr/^1\.1\./, 'new refs are of the new incarnation');
$beta->wait_final_all;
$beta->safe_psql('postgres', "INSERT INTO cdr SELECT 2001, 'new ' || n FROM generate_series(1, 50) AS n");
$beta->wait_final_all;
$beta->verify_clean('verification is clean');
is(value($beta, "SELECT count(*) FROM ledger.verify()"), '0', 'incrementally too');
exactly_once($beta, 'every row is batched once');
chain_intact($beta, 'the chain is intact');

# What others hold.
is(value($beta, "SELECT kind FROM ledger.verify(mode => 'full', against => '$old_receipt')"), '', 'a receipt from before fits');
is(value($beta, "SELECT valid FROM ledger.verify_receipt('$lost_receipt')"), 't', 'the receipt of a lost row is valid by itself');
is(value($beta, "SELECT kind, height FROM ledger.verify(mode => 'full', against => '$lost_receipt')"), 'lost_in_restore|' . ($lost_height - 1), 'and shows what was lost');
is(value($beta, "SELECT kind, height FROM ledger.verify(mode => 'full', against => '$lost_head')"), "lost_in_restore|$lost_height", 'so does a tree head');
like(value($beta, "SELECT detail FROM ledger.verify(mode => 'full', against => '$lost_receipt')"), qr/incarnation 1.*disk of alpha failed/, 'with the reason');
is(value($beta, "SELECT ledger.height('$lost_ref') IS NULL OR ledger.finality('$old_ref') = 'final'"), 't', 'older rows are final');
refused($beta, "SELECT ledger.finality('$lost_ref')", qr/no committed row has the ledger_ref \Q$lost_ref\E/, 'the lost row is not there');
is(value($beta, "SELECT valid FROM ledger.verify_receipt(ledger.receipt('cdr', '$new_ref'))"), 't', 'receipt of a new row');
is(value($beta, "SELECT valid FROM ledger.verify_receipt(ledger.receipt('cdr', '$old_ref'))"), 't', 'receipt of an old row, under a new head');

# The server that was lost comes back: it is the older one now.
$beta->stop;
$node->start;
is(value($node, 'SELECT state FROM ledger.status'), 'rolled back', 'the old server is fenced by the new one');
refused($node, "INSERT INTO cdr VALUES (1, 'x')", qr/this database was restored to an older point/, 'it issues no refs');
$node->stop;

# The same backup, once more: the next incarnation is a third one.
my $gamma = from_backup('gamma', 'prepared');
refused($gamma, "SELECT ledger.accept_restore('again')", qr/there are prepared transactions in this database/, 'prepared transactions go first');
$gamma->safe_psql('postgres', "COMMIT PREPARED 'pending'");
my ($status, $stdout, $notice) = $gamma->psql('postgres', "SELECT ledger.accept_restore('again')");
like($notice, qr/1 committed rows were in no batch yet/, 'the prepared row follows');
is(value($gamma, 'SELECT incarnation FROM ledger.status'), '2', 'no number is used twice');
$gamma->wait_final_all;
like(value($gamma, 'SELECT ledger_ref, ledger.is_final(ledger_ref) FROM cdr WHERE id = 500'), qr/^1\.0\.\d+\.1\|t$/, 'with its old ref');
$gamma->verify_clean('verification is clean after the second restore');

# A standby that lags, and is promoted.
$gamma->backup('standby');
my $delta = LedgerCluster->new('delta');
$delta->init_from_backup($gamma, 'standby', has_streaming => 1);
$delta->start;
$gamma->wait_for_catchup($delta);
is($delta->safe_psql('postgres', 'SELECT state FROM ledger.status'), 'live', 'a standby can be asked');
$delta->stop;
$gamma->safe_psql('postgres', "INSERT INTO cdr VALUES (3000, 'not replicated')");
$gamma->wait_final_all;
$gamma->stop('immediate');
$delta->append_conf('postgresql.conf', "primary_conninfo = ''");
$delta->start;
$delta->promote;
is(value($delta, 'SELECT state FROM ledger.status'), 'rolled back', 'one that lagged is noticed when it is promoted');
refused($delta, "INSERT INTO cdr VALUES (1, 'x')", qr/this database was restored to an older point/, 'and issues no refs');
is(value($delta, "SELECT ledger.accept_restore('gamma failed') > 0"), 't', 'it can go on');
$delta->wait_final_all;
$delta->verify_clean('verification is clean after the promotion');
$delta->stop;

done_testing();
