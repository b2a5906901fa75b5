# 32 sessions with savepoints, rollbacks and prepared transactions, tables
# locked now and then: nothing is lost, nothing is twice, and no answer about a
# row changes once it has been given.
use strict;
use warnings;

use FindBin;
use IPC::Run ();
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils ();
use Test::More;
use Time::HiRes qw(usleep);

use LedgerChain;
use LedgerCluster;
use LedgerLoad;

my $seed = $ENV{SEED} // time;
my $seconds = $ENV{SECONDS_OF_LOAD} // 10;
my $node = LedgerCluster->new_node('sessions', purpose => 'test', conf => "max_connections = 60\n");
my (%first, @changed);

note("SEED=$seed");
make_tables($node);
$node->safe_psql('postgres', 'ALTER SYSTEM SET max_prepared_transactions = 60');
$node->restart;

my $load = start_load($node, clients => 32, seed => $seed % 2**31, seconds => $seconds);
my $end = time + $seconds;
my $looks = 0;

while (time < $end)
{
	foreach (split /\n/, $node->safe_psql('postgres', <<'END'))
SELECT ledger_ref, ledger.height(ledger_ref)
  FROM ((TABLE fee ORDER BY ledger_ref DESC LIMIT 200)
        UNION ALL (SELECT id, NULL, ledger_ref FROM cdr ORDER BY ledger_ref DESC LIMIT 200)) AS r
END
	{
		my ($ref, $height) = split /\|/;

		next if ($height // '') eq '';
		$first{$ref} //= $height;
		push @changed, "$ref was in block $first{$ref}, then in $height" if $first{$ref} ne $height;
	}
	$looks++;
}
stop_load($load);
settle_prepared($node);
$node->wait_final_all;
foreach (split /\n/, $node->safe_psql('postgres', <<'END'))
SELECT ledger_ref, ledger.height(ledger_ref) FROM (SELECT ledger_ref FROM fee UNION ALL SELECT ledger_ref FROM cdr) AS r
END
{
	my ($ref, $height) = split /\|/;

	push @changed, "$ref was in block $first{$ref}, now in $height" if defined $first{$ref} && $first{$ref} ne $height;
}
note("$looks looks, " . scalar(keys %first) . ' rows followed, late batches: ' . $node->safe_psql('postgres', 'SELECT count(*) FROM ledger.batch WHERE late'));
cmp_ok(scalar(keys %first), '>', 0, 'rows were seen final under load');
is(join("\n", splice @changed, 0, 10), '', 'no height has changed');
heights_agree($node, 'ledger.height() agrees with the manifests');
exactly_once($node, 'every committed row is in one section');
chain_intact($node, 'the chain is intact');
is( $node->safe_psql('postgres', <<'END'), '0', 'heights are those of the batches whose manifests name the rows');
SELECT count(*) FROM ledger_internal.late_rows AS l
  JOIN ledger.batch AS b USING (batch)
 WHERE ledger.height(l.first_ref) <> b.height OR ledger.height(l.last_ref) <> b.height
END

answers_while_forgetting();

$node->stop;
done_testing();

# Each schema that comes or goes makes all sessions forget what they have read
# of the chain, also in the middle of reading it: the answers stay.  Rows of
# transactions of their own and large batches make manifests that lie out of
# line, several of which are read at once.
sub answers_while_forgetting
{
	my $commits = PostgreSQL::Test::Utils::tempdir() . '/commits.sql';
	my $schemas = PostgreSQL::Test::Utils::tempdir() . '/schemas.sql';
	my $question = 'SELECT count(*), count(ledger.height(ledger_ref)), sum(ledger.height(ledger_ref)) FROM single';
	my ($expected, $churn, %answers);

	PostgreSQL::Test::Utils::append_to_file($commits, "INSERT INTO single VALUES (1);\n");
	PostgreSQL::Test::Utils::append_to_file($schemas, "CREATE SCHEMA churn_:client_id;\nDROP SCHEMA churn_:client_id;\n");
	$node->safe_psql('postgres', 'CREATE TABLE single (id bigint) USING ledger');
	$node->safe_psql('postgres', 'ALTER SYSTEM SET telco_ledger.batch_delay = 100');
	$node->reload;
	PostgreSQL::Test::Utils::command_ok(
		[
			'env', 'PGOPTIONS=-c synchronous_commit=off', 'pgbench', '-n', '-M', 'prepared', '-c', 4, '-t', 8000,
			'-f', $commits, $node->connstr('postgres')
		],
		'rows in transactions of their own');
	$node->wait_final_all;
	cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM ledger_internal.section WHERE octet_length(manifest) > 2048 AND row_count < 16384'),
		'>', 2, 'in batches whose manifests lie out of line');
	$expected = $node->safe_psql('postgres', $question);
	like($expected, qr/^32000\|32000\|/, 'each of them has a height');
	$churn = IPC::Run::start([ 'pgbench', '-n', '-c', 6, '-j', 2, '-T', $seconds, '-f', $schemas, $node->connstr('postgres') ],
		'<', '/dev/null', '>', '/dev/null', '2>&1');
	$end = time + $seconds;
	while (time < $end && keys %answers < 2)
	{
		my (undef, $answer, $error) = $node->psql('postgres', join(';', ($question) x 5));

		$answers{$_}++ foreach split /\n/, $error eq '' ? $answer : $error;
	}
	ok($churn->finish, 'schemas came and went');
	note(join(', ', map { "$answers{$_} times $_" } sort keys %answers));
	is(join("\n", sort keys %answers), $expected, 'heights stay while sessions forget them');
	return;
}
