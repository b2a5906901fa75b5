# A member was away while the others made many times the blocks that its core
# remembers: it follows from block to block, and has all of them.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerWire;

my $wires = LedgerWire->new(4, ordered => 1, conf => "telco_ledger.order_views = 12\n");
my @members = (1 .. 4);

sub height { return $wires->sql($_[0], 'SELECT coalesce(max(height), 0) FROM ledger_internal.ordered_block') }

# Everybody has the blocks of member 1.
sub same_chain
{
	my ($name) = @_;
	my $height = height(1);
	my $query = "SELECT string_agg(encode(hash, 'hex'), ',' ORDER BY height) FROM ledger_internal.ordered_block WHERE height <= $height";
	my $chain = $wires->sql(1, $query);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	foreach my $member (@members)
	{
		ok($wires->poll($member, $query, $chain), "$name: member $member has the same $height blocks")
		  || diag($wires->sql($member, 'SELECT * FROM ledger.peer'));
	}
	return $height;
}

$wires->wait_streaming(4, $_) foreach (1 .. 3);
$wires->submit_apart(1, 2);
same_chain('at first');

$wires->node(4)->stop('fast');
my $before = height(1);
$wires->submit_apart(1, 60);
$wires->submit_apart(2, 10);
cmp_ok(height(1) - $before, '>', 4 * 12, 'the others have made more blocks than a core remembers');
$wires->node(4)->start;
same_chain('back again');
ok($wires->poll(4, 'SELECT count(*) FROM ledger_internal.peer_body',
		$wires->sql(1, 'SELECT count(*) FROM ledger_internal.own_body') + $wires->sql(2, 'SELECT count(*) FROM ledger_internal.own_body')),
	'with all bodies');

# It takes part: with another one away nothing is final without it.
$wires->node(3)->stop('fast');
$wires->submit_apart(4, 2);
$wires->submit_apart(1, 2);
$wires->node(3)->start;
same_chain('and votes');

# What the state is after a block, a quorum has signed; block headers say so.
my $checkpoint = q{SELECT ('x' || encode(substring(header FROM 247 FOR 8), 'hex'))::bit(64)::bigint
  FROM ledger_internal.ordered_block ORDER BY height DESC LIMIT 1};

cmp_ok($wires->sql(1, $checkpoint), '>=', 32, 'headers name a checkpoint');
my $named = $wires->sql(1, $checkpoint);
ok($wires->poll($_, "SELECT count(*) = 1 FROM ledger_internal.checkpoint WHERE height = $named"), "member $_ has its certificate") foreach (@members);
ok($wires->poll(1, "SELECT count(*) > 0 AND bool_and(c.block = b.hash AND c.state_root = sha256('')) FROM ledger_internal.checkpoint AS c LEFT JOIN ledger_internal.ordered_block AS b USING (height)"),
	'they are of blocks of this chain');

foreach my $member (@members)
{
	is($wires->sql($member, 'SELECT count(*) FROM ledger_internal.contradiction'), '0', "member $member was shown no contradiction");
	ok(!$wires->node($member)->log_contains('consensus alarm'), 'and no alarm was raised');
}
done_testing();
