# The worker lets rows gather between two blocks, as long as nobody waits for
# them.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Test::More;

use LedgerChain;
use LedgerCluster;

my $node = LedgerCluster->new_node('gather', purpose => 'test');

$node->safe_psql('postgres', <<'END');
CREATE TABLE cdr (id bigint) USING ledger;
CREATE PROCEDURE commit_many(times integer) LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. times LOOP
        INSERT INTO cdr VALUES (i);
        COMMIT;
    END LOOP;
END $$;
CREATE PROCEDURE commit_and_ask(times integer) LANGUAGE plpgsql AS $$
DECLARE
    ref ledger.ref;
BEGIN
    FOR i IN 1 .. times LOOP
        INSERT INTO cdr VALUES (i) RETURNING ledger_ref INTO ref;
        COMMIT;
        WHILE NOT ledger.is_final(ref) LOOP
            PERFORM pg_sleep(0.0002);
            COMMIT;
        END LOOP;
    END LOOP;
END $$;
END
$node->wait_final_all;

# Nobody waits.  How long a block takes is the machine's affair, and so how many commits one gathers.
my $before = height();
my ($commits, $blocks) = (0, 0);
while ($blocks == 0 && $commits < 20_000)
{
	$node->safe_psql('postgres', 'CALL commit_many(500)');
	$commits += 500;
	$blocks = height() - $before;
}
cmp_ok($blocks, '>=', 1, 'blocks are made while sessions commit');
cmp_ok($blocks * 5, '<=', $commits, "rows of several commits gather ($blocks blocks for $commits commits)");
$node->wait_final_all;
exactly_once($node, 'what has gathered');

# Who waits or asks does not pay for it: about as fast as without any pause.
# A pause each time would make it five to twenty times as slow.
my %way = (
	'commit_wait' => 'SET telco_ledger.commit_wait = final; CALL commit_many(60)',
	'is_final' => 'CALL commit_and_ask(60)');

foreach my $name (sort keys %way)
{
	my $least;

	for (1 .. 5)
	{
		my $ratio;

		delay('0');
		$ratio = time_of($way{$name});
		delay('-1');
		$ratio = time_of($way{$name}) / $ratio;
		$least = $ratio if !defined $least || $ratio < $least;
		last if $least < 1.5;
	}
	cmp_ok($least, '<', 2.5, sprintf('%s ends the pause (%.1f times the time without)', $name, $least));
}

# A pause that somebody has set is kept, whoever waits.
delay('300ms');
$node->safe_psql('postgres', 'SET telco_ledger.commit_wait = final; CALL commit_many(2)');
cmp_ok(time_of('SET telco_ledger.commit_wait = final; CALL commit_many(3)'),
	'>=', 0.6, 'a fixed batch_delay is not cut short');
$node->stop;

done_testing();

sub height
{
	return $node->safe_psql('postgres', 'SELECT height FROM ledger.status');
}

sub delay
{
	my ($value) = @_;

	$node->safe_psql('postgres', "ALTER SYSTEM SET \"telco_ledger.batch_delay\" = '$value'");
	$node->reload;
	$node->poll_query_until('postgres', 'SHOW telco_ledger.batch_delay', $value)
	  or BAIL_OUT('the setting does not come');
	return;
}

# Seconds, without those of psql.
sub time_of
{
	my ($statement) = @_;
	my $output = $node->safe_psql('postgres',
		"SELECT extract(epoch FROM clock_timestamp()); $statement; SELECT extract(epoch FROM clock_timestamp())");
	my ($start, $end) = $output =~ /([\d.]+)/g;

	return $end - $start;
}
