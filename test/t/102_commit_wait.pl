# With telco_ledger.commit_wait = final COMMIT returns when the rows are final;
# it never fails, and it never waits for what it did not write.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Test::More;

use LedgerChain;
use LedgerCluster;

my $node = LedgerCluster->new_node('commitwait', purpose => 'test');
my $wait = "SET telco_ledger.commit_wait = final; SET telco_ledger.commit_wait_timeout = '60 s';";
my $warning = qr/WARNING:  the transaction is committed, but its ledger rows are not known to be final/;
my ($status, $stdout, $stderr);

$node->safe_psql('postgres', <<'END');
CREATE TABLE cdr (id bigint) USING ledger;
CREATE TABLE fee (id bigint) USING ledger;
CREATE TABLE heap (id bigint);
END

# Another session that looks at once after COMMIT sees the row final: a hundred
# times, since without the wait it would see some of them so as well.
$node->safe_psql('postgres', <<"END");
$wait
SELECT set_config('telco_ledger.commit_wait', 'final', false);
CREATE PROCEDURE pg_temp.insert_and_look(times integer, OUT early integer) LANGUAGE plpgsql AS \$\$
DECLARE ref ledger.ref;
BEGIN
    early := 0;
    FOR i IN 1 .. times LOOP
        INSERT INTO cdr VALUES (i) RETURNING ledger_ref INTO ref;
        COMMIT;
        early := early + (NOT ledger.is_final(ref))::integer;
    END LOOP;
END \$\$;
CALL pg_temp.insert_and_look(100, NULL);
DO \$\$ DECLARE early integer; BEGIN
    CALL pg_temp.insert_and_look(100, early);
    IF early > 0 THEN RAISE EXCEPTION '% of 100 commits returned early', early; END IF;
END \$\$;
END
pass('COMMIT returns when the row is final');

# Many batches: all rows of the transaction.
is( $node->safe_psql('postgres', <<"END"), '150000', 'COMMIT waits for all rows of a large transaction');
$wait
INSERT INTO cdr SELECT g FROM generate_series(1, 150000) g;
SELECT count(*) FROM cdr WHERE ledger.is_final(ledger_ref) AND id > 0
   AND ledger_ref >= (SELECT ledger_ref FROM cdr ORDER BY ledger_ref DESC OFFSET 149999 LIMIT 1);
END

# The worker is paused: the timeout ends in a WARNING, the row is committed.
my $worker = $node->wait_for_worker;
kill 'STOP', $worker;
($status, $stdout, $stderr) = $node->psql('postgres',
	"$wait SET telco_ledger.commit_wait_timeout = '200 ms'; INSERT INTO cdr VALUES (-1) RETURNING ledger_ref");
is($status, 0, 'COMMIT succeeds when the timeout is over');
like($stderr, $warning, 'with a WARNING');
my ($ref) = $stdout =~ /^(\S+)/;
is($node->safe_psql('postgres', "SELECT ledger.finality('$ref')"), 'committed', 'the row is committed and not final');

# No wait where nothing was written, also in a ledger whose worker is paused.
($status, $stdout, $stderr) = $node->psql('postgres', "$wait INSERT INTO heap VALUES (1); SELECT count(*) FROM cdr");
is($stderr, '', 'no wait for a transaction without ledger rows');
($status, $stdout, $stderr) = $node->psql('postgres', "$wait BEGIN; INSERT INTO cdr VALUES (-2); ROLLBACK");
is($stderr, '', 'no wait for a rollback');

# A cancel during the wait ends it at once; so does the end of the session.
foreach my $function ('pg_cancel_backend', 'pg_terminate_backend')
{
	my $session = $node->background_psql('postgres', on_error_stop => 0);
	my $pid = $session->query('SELECT pg_backend_pid()');

	$session->query($wait);
	$session->{stdin} .= "INSERT INTO cdr VALUES (-3) RETURNING 'inserted';\n\\echo back\n";
	$session->{run}->pump_nb;
	$node->poll_query_until('postgres',
		"SELECT wait_event_type = 'Extension' AND state = 'active' FROM pg_stat_activity WHERE pid = $pid")
	  or BAIL_OUT('the session does not wait');
	is($node->safe_psql('postgres', "SELECT $function($pid)"), 't', "$function during the wait");
	$session->{run}->pump until $session->{stdout} =~ /back/;
	like($session->{stderr}, $warning, "$function: a WARNING");
	like($session->{stdout}, qr/inserted/, "$function: the row is committed");
	$node->poll_query_until('postgres', "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid)")
	  if $function eq 'pg_terminate_backend';
	if ($function eq 'pg_cancel_backend')
	{
		$session->{stdout} = $session->{stderr} = '';
		like($session->query('SELECT 1'), qr/^1$/, 'and the session goes on');
		$session->quit;
	}
	else
	{
		$session->{run}->finish;
	}
}

# COMMIT PREPARED waits as well.
$node->safe_psql('postgres', "BEGIN; INSERT INTO cdr VALUES (-4); PREPARE TRANSACTION 'paused'");
($status, $stdout, $stderr) = $node->psql('postgres',
	"$wait SET telco_ledger.commit_wait_timeout = '200 ms'; COMMIT PREPARED 'paused'");
is($status, 0, 'COMMIT PREPARED succeeds when the timeout is over');
like($stderr, $warning, 'with a WARNING');
kill 'CONT', $worker;
$node->safe_psql('postgres', "BEGIN; INSERT INTO cdr VALUES (-5); PREPARE TRANSACTION 'running'");
$node->wait_final_all;
is( $node->safe_psql('postgres', <<"END"), 'f|t', 'COMMIT PREPARED returns when the rows are final');
$wait
COMMIT PREPARED 'running';
SELECT bool_or(NOT ledger.is_final(ledger_ref)), count(*) = 1 FROM cdr WHERE id = -5;
END
$node->safe_psql('postgres', "BEGIN; INSERT INTO cdr VALUES (-6); PREPARE TRANSACTION 'back'");
($status, $stdout, $stderr) = $node->psql('postgres', "$wait ROLLBACK PREPARED 'back'");
is($stderr, '', 'ROLLBACK PREPARED waits for nothing');

# A table that waits for a lock holds up nobody who did not write it.
$node->wait_final_all;
my $alter = $node->background_psql('postgres');
$node->safe_psql('postgres', "BEGIN; INSERT INTO cdr VALUES (-7); PREPARE TRANSACTION 'other'");
block_with_late_rows($node, $alter);
is( $node->safe_psql('postgres', "$wait INSERT INTO cdr VALUES (-8); SELECT ledger.is_final(ledger_ref) FROM cdr WHERE id = -8"),
	't', 'COMMIT of rows of another table');
($status, $stdout, $stderr) = $node->psql('postgres', "$wait COMMIT PREPARED 'other'");
is($stderr, '', 'COMMIT PREPARED of rows of another table');
$alter->query_safe('COMMIT');
$alter->quit;
$node->wait_final_all;

exactly_once($node, 'every row is in one section');
chain_intact($node, 'the chain is intact');

$node->stop;
done_testing();

# Have rows of fee pending while the session holds it locked: the worker is
# paused between their commit and the lock.
sub block_with_late_rows
{
	my ($server, $session) = @_;
	my $pid = $server->wait_for_worker;

	kill 'STOP', $pid;
	$server->safe_psql('postgres', 'INSERT INTO fee VALUES (3)');
	$session->query_safe('BEGIN; ALTER TABLE fee ADD COLUMN more text');
	kill 'CONT', $pid;
	$server->safe_psql('postgres', 'INSERT INTO cdr VALUES (-9)');
	$server->poll_query_until('postgres', 'SELECT waiting_tables IS NOT NULL FROM ledger.status')
	  or BAIL_OUT('the table does not wait');
	return;
}
