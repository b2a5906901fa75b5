# kill -9 of the worker, of a backend, of the postmaster, and an immediate
# stop, at random moments under load: afterwards every committed row becomes
# final, exactly once, and the chain is intact.
#
# SEED=n repeats the moments of a run that failed (not what the clients did in
# them); ROUNDS=n makes it longer.
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
my $rounds = $ENV{ROUNDS} // 3;
my $node = LedgerCluster->new_node('crash', purpose => 'test', conf => "max_connections = 30\n");
my %final;

note("SEED=$seed");
srand $seed;
make_tables($node);
$node->safe_psql('postgres', 'ALTER SYSTEM SET max_prepared_transactions = 40');
$node->restart;

foreach my $round (1 .. $rounds)
{
	foreach my $victim ('worker', 'backend', 'postmaster', 'immediate')
	{
		my $load = start_load($node, seed => int(rand(2**31)));
		my $moment_ms = 300 + int(rand(1500));

		usleep(1000 * $moment_ms);
		note("round $round: $victim after $moment_ms ms");
		kill_victim($victim);
		stop_load($load);
		settle_prepared($node);
		$node->wait_for_worker;
		$node->wait_final_all;
		exactly_once($node, "round $round, $victim: every committed row is in one section");
		heights_kept("round $round, $victim: what was final stays where it was");
	}
}
chain_intact($node, 'the chain is intact');

# The chain's own transactions, too, were killed: prove that some were.
like(PostgreSQL::Test::Utils::slurp_file($node->logfile), qr/was terminated by signal 9/, 'the server saw its processes die');

$node->stop;
done_testing();

sub kill_victim
{
	my ($victim) = @_;

	if ($victim eq 'worker')
	{
		my $worker = $node->worker_pid;

		kill 'KILL', $worker if $worker ne '';
		$node->wait_ready;
		$node->wait_for_worker(undef, $worker);
	}
	elsif ($victim eq 'backend')
	{
		# of the load, not of the test
		my $pid = $node->safe_psql('postgres',
			"SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND query !~ 'DBD::Pg ping' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1");

		like($pid, qr/^\d+$/, 'there is a backend to kill');
		kill 'KILL', $pid;
		$node->wait_ready;
	}
	elsif ($victim eq 'postmaster')
	{
		$node->crash_and_restart;
	}
	else
	{
		$node->stop('immediate');
		$node->start;
	}
	return;
}

# Heights of the rows that were final before are those of then.
sub heights_kept
{
	my ($name) = @_;
	my ($moved, $missing) = (0, 0);
	my %now;

	foreach (split /\n/, $node->safe_psql('postgres', <<'END'))
SELECT ledger_ref, ledger.height(ledger_ref)
  FROM (SELECT ledger_ref FROM cdr UNION ALL SELECT ledger_ref FROM fee UNION ALL SELECT ledger_ref FROM event) AS r
END
	{
		my ($ref, $height) = split /\|/;

		$now{$ref} = $height;
	}
	foreach my $ref (keys %final)
	{
		if (!defined $now{$ref}) { $missing++ }
		elsif ($now{$ref} ne $final{$ref}) { $moved++ }
	}
	is("$moved moved, $missing missing, " . (grep { !defined || $_ eq '' } values %now) . ' pending',
		'0 moved, 0 missing, 0 pending', $name);
	%final = %now;
	return;
}
