# Rows of ledger tables of four members: final by their quorum, the same blocks
# everywhere, verified and proved like those of one member.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerWire;

my $wires = LedgerWire->new(4, ordered => 1);
my @members = (1 .. 4);

foreach my $member (@members)
{
	my $ref = $wires->sql($member, "INSERT INTO cdr VALUES ($member) RETURNING ledger_ref");
	like($wires->sql($member, "SELECT ledger.wait_final('$ref')"), qr/^\d+$/, "a row of member $member is final");
	is($wires->sql($member, "SELECT ledger.finality('$ref'), ledger.is_final('$ref'), ledger.block_time('$ref') > '2026-01-01'"), 'final|t|t', 'and is said to be');
}
done_testing();
