# Two members, both restored, one after the other: of the rows that an own REJOIN
# follows nobody has the last ones any more.  Later blocks are final, so none of
# them matters: the REJOIN is taken back without them, and the member goes on.
#
# A restored server reads on where its peer is, and asks for what lies between.
# If the peer is lost before that has come, it has the REJOIN and not the rows
# before.  Here these are taken out by hand, at both, in databases and wires.
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

# Member 2 loses rows, rejoins, and blocks of that time become final.
sub lost
{
	my ($offset) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(wait_for_log($wires, 2, 'consensus alarm: others have rows of this node that it lacks', $offset), 'it is told that rows are lost');
	$wires->sql(2, "SELECT ledger.accept_restore('rows of the own log were lost')");
	return;
}

my $offset = -s $wires->node(2)->logfile;

ok($wires->rest(1, 2), 'nobody writes any more');
$wires->forget(2, 4);
lost($offset);
rejoined($wires, 2, 1);
submit($wires, $_, "later of $_") foreach (1, 2, 1);
all_ordered($wires, 'later', 1, 2);

# Of its first incarnation the last rows go everywhere; of the second, at itself.
my $nonce = q{'\x} . '0' x 32 . q{'::bytea};
my $from = $wires->sql(2, 'SELECT max(seq) - 2 FROM ledger_internal.own_log WHERE incarnation = 0');
my $late = "substring(message FROM 6 FOR 16) = $nonce AND ('x' || encode(substring(message FROM 22 FOR 8), 'hex'))::bit(64)::bigint >= $from";
my $stop = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'telco_ledger wire'";

$offset = -s $wires->node(2)->logfile;
sub lose_on_wire
{
	my ($member, $which) = @_;

	$wires->wire($member, "BEGIN; ALTER TABLE ledger_wire.log_2 DISABLE TRIGGER refuse_change; DELETE FROM ledger_wire.log_2 WHERE $which; ALTER TABLE ledger_wire.log_2 ENABLE ALWAYS TRIGGER refuse_change; COMMIT");
	return;
}

lose_on_wire(1, $late);
lose_on_wire(2, "$late OR substring(message FROM 6 FOR 16) <> $nonce");
$wires->sql(1, "BEGIN; LOCK TABLE ledger_internal.peer_log; $stop; DELETE FROM ledger_internal.peer_log WHERE member = 2 AND nonce = $nonce AND seq >= $from; COMMIT");
$wires->sql(2, "BEGIN; LOCK TABLE ledger_internal.own_log; $stop; DELETE FROM ledger_internal.own_log WHERE incarnation > 0 OR seq >= $from; COMMIT");
lost($offset);
ok(wait_for_log($wires, 2, 'an own REJOIN is taken back without the rows that it follows', $offset), 'its first REJOIN is taken back without the rows before');
rejoined($wires, 2, 2);
is($wires->sql(2, "SELECT count(*) FROM ledger_internal.own_log WHERE incarnation = 0 AND seq >= $from"), '0', 'those rows are nowhere');
submit($wires, $_, "last of $_") foreach (1, 2);
all_ordered($wires, 'with the third incarnation', 1, 2);

innocent($wires, 1, 2);
done_testing();
