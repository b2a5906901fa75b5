# A member whose database has gone back is told so by the others, and goes on as
# a new incarnation once it is let: with its own rows and all blocks, without a
# contradiction, whatever dies meanwhile.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerRejoin;
use LedgerWire;

my $wires = LedgerWire->new(4, ordered => 1);
my @members = (1 .. 4);

foreach my $member (@members)
{
	$wires->wait_streaming($member, $_) foreach (grep { $_ != $member } @members);
	submit($wires, $member, "first of $member");
}
all_ordered($wires, 'at first', @members);

# The last rows of the own log are lost.
sub lose
{
	my ($member, $count) = @_;
	my $offset = -s $wires->node($member)->logfile;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($wires->rest(@members), 'nobody writes any more');
	$wires->agree('everybody has all rows');
	$wires->forget($member, $count);
	ok(wait_for_log($wires, $member, 'consensus alarm: others have rows of this node that it lacks', $offset), "the others show member $member what it lacks");
	return;
}

lose(4, 6);
submit($wires, $_, 'without 4') foreach (1 .. 3);
all_ordered($wires, 'without it', 1 .. 3);
my ($status, $stdout, $stderr) = $wires->node(4)->psql('postgres', "BEGIN; SELECT ledger.accept_restore('once'); SELECT ledger.accept_restore('again'); COMMIT");
like($stderr, qr/this member is rejoining already/, 'it can be let go on once');
($status, $stdout, $stderr) = $wires->node(4)->psql('postgres', "BEGIN; SELECT ledger.accept_restore('once'); INSERT INTO cdr VALUES (1); COMMIT");
like($stderr, qr/this database was restored to an older point/, 'and issues no refs before it has done so');
is($wires->sql(4, "SELECT ledger.accept_restore('rows of the own log were lost')"), '', 'it is let go on');
rejoined($wires, 4, 1);
submit($wires, $_, 'with 4 again') foreach (@members);
all_ordered($wires, 'all four', @members);
is($wires->sql(1, 'SELECT count(*) > 0 FROM ledger_internal.foreign_batch WHERE member = 4 AND incarnation = 1'), 't', 'its new batches bear the new number');
ok($wires->poll(1, "SELECT count(*) FROM ledger_internal.peer_log WHERE member = 4 AND nonce = repeat('\\000', 16)::bytea",
		$wires->sql(4, 'SELECT count(*) FROM ledger_internal.own_log WHERE incarnation = 0')), 'and it has its old rows back');

my $ref = $wires->sql(4, 'INSERT INTO cdr VALUES (1) RETURNING ledger_ref');

like($ref, qr/^4\.1\./, 'refs are of the new incarnation');
cmp_ok($wires->sql(4, "SELECT ledger.wait_final('$ref', '170 s')"), '>', 0, 'and their rows become final');

# It votes: with another one away nothing is final without it.
$wires->node(1)->stop('fast');
submit($wires, 4, 'without 1');
all_ordered($wires, 'without 1', 2 .. 4);
$wires->node(1)->start;

innocent($wires, @members);
done_testing();
