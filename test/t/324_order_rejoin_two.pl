# Two members: nothing is final without both, so the one that has lost memory takes
# its own rows back to the last, and goes on where they end.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerRejoin;
use LedgerWire;

my $wires = LedgerWire->new(2, ordered => 1);

$wires->wait_streaming(1, 2);
$wires->wait_streaming(2, 1);
submit($wires, $_, "first of $_") foreach (1, 2);
all_ordered($wires, 'at first', 1, 2);

$wires->node(2)->backup('older');
submit($wires, $_, 'after the backup') foreach (1, 2, 2, 1);
all_ordered($wires, 'after the backup', 1, 2);
my $height = $wires->sql(1, 'SELECT max(height) FROM ledger_internal.ordered_block');
my $rows = $wires->sql(2, 'SELECT count(*) FROM ledger_internal.own_log');

for my $incarnation (1, 2)
{
	my $offset = -s $wires->node(2)->logfile;

	restore($wires, 2, 'older');
	# the second time the mark beside the key tells it already
	ok(wait_for_log($wires, 2, 'consensus alarm: others have rows of this node that it lacks|was restored to an older point and signs nothing', $offset), 'it is told that rows are lost');
	submit($wires, 1, 'waits for both');
	$wires->sql(2, "SELECT ledger.accept_restore('loss $incarnation')");
	rejoined($wires, 2, $incarnation);
	submit($wires, $_, "with incarnation $incarnation") foreach (1, 2);
	all_ordered($wires, "with incarnation $incarnation", 1, 2);
	cmp_ok($wires->sql(2, 'SELECT max(height) FROM ledger_internal.ordered_block'), '>', $height, 'beyond what was final before');
	cmp_ok($wires->sql(2, 'SELECT count(*) FROM ledger_internal.own_log WHERE incarnation = 0'), '>=', $rows, 'it has its first rows back');
}
is($wires->sql(2, 'SELECT count(DISTINCT incarnation) FROM ledger_internal.own_log'), '3', 'and those of the incarnation that was lost');

# Whatever is configured since, its memory reaches its own votes.
my $offset = -s $wires->node(2)->logfile;
$wires->sql(2, "INSERT INTO ledger_internal.own_vote SELECT epoch, view + 1000, 'phase2', digest"
	  . ' FROM ledger_internal.own_vote ORDER BY epoch DESC, view DESC LIMIT 1');
$wires->node(2)->append_conf('postgresql.conf', "telco_ledger.order_views = 8\n");
$wires->node(2)->restart;
ok(wait_for_log($wires, 2, 'own votes lie further beyond the last final block than telco_ledger.order_views', $offset), 'own votes lie beyond');
submit($wires, $_, 'with little memory') foreach (1, 2);
all_ordered($wires, 'with little memory', 1, 2);
unlike(substr(slurp_file($wires->node(2)->logfile), $offset), qr/consensus alarm/, 'and none of them is lost');

innocent($wires, 1, 2);
done_testing();
