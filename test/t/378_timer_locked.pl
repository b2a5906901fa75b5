# A session that locks a table of timers, or an index of one: blocks are ordered
# meanwhile, and what is due runs when the lock is gone.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerContract;
use LedgerWire;

my $wires = LedgerWire->new(1, ordered => 1);
my $node = $wires->node(1);
my $ordered = 'SELECT max(height) FROM ledger_internal.ordered_block';
my $wait = $PostgreSQL::Test::Utils::timeout_default . ' s';
my $number = 0;

$wires->announce(1);
deploy($wires, 1, 'timer', slurp_file("$FindBin::RealBin/../contracts/timer.sql"));
ok($wires->poll(1, q{SELECT state FROM ledger.contract WHERE name = 'timer'}, 'deployed'), 'a contract with timers is deployed');

foreach my $lock ([ 'the table', 'BEGIN; LOCK TABLE timer.expire_timer', 'COMMIT' ], [ 'an index', 'BEGIN; REINDEX TABLE timer.expire_timer', 'COMMIT' ])
{
	my ($name, $begin, $end) = @$lock;
	my $offer = 'offer' . ++$number;
	my $ref = $wires->sql(1, "SELECT timer.make('$offer', '3 s')");

	is($wires->sql(1, "SELECT state FROM ledger.outcome('$ref', '$wait')"), 'done', "$name: a timer is set");
	my $session = $node->background_psql('postgres');

	$session->query_safe($begin);
	# a process that knows nothing of timers yet
	$wires->restart_wire(1);
	my $before = $wires->sql(1, $ordered);

	$wires->sql(1, 'INSERT INTO cdr VALUES (1)');
	ok($wires->poll(1, "SELECT ($ordered) > $before", 't'), "$name: a block is ordered while it is locked");
	sleep 4;
	is($wires->sql(1, "SELECT count(*) FROM ledger.timer_outcome WHERE key = '$offer'"), '0', "$name: the timer has not run");
	is($wires->sql(1, q{SELECT count(*) FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid) WHERE a.backend_type = 'telco_ledger wire' AND NOT l.granted}), '0', "$name: nor does ordering wait for it");
	$session->query_safe($end);
	$session->quit;
	ok($wires->poll(1, "SELECT state FROM ledger.timer_outcome WHERE key = '$offer'", 'done'), "$name: it does afterwards");
}

# Nothing else happens while it is locked, nor afterwards.
{
	my $ref = $wires->sql(1, "SELECT timer.make('alone', '4 s')");

	is($wires->sql(1, "SELECT state FROM ledger.outcome('$ref', '$wait')"), 'done', 'another timer is set');
	my $session = $node->background_psql('postgres');

	$session->query_safe('BEGIN; LOCK TABLE timer.expire_timer');
	$wires->restart_wire(1);
	sleep 5;
	$session->query_safe('COMMIT');
	$session->quit;
	ok($wires->poll(1, q{SELECT state FROM ledger.timer_outcome WHERE key = 'alone'}, 'done'), 'it runs in a block that is there for it');
}

done_testing();
