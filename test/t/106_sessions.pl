# 32 sessions with savepoints, rollbacks and prepared transactions, tables
# locked now and then: nothing is lost, nothing is twice, and no answer about a
# row changes once it has been given.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

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

$node->stop;
done_testing();
