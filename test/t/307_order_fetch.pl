# Ordering goes on by fetch alone: no slot is made and nothing is replicated.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerWire;

# without a bound on WAL that is kept, the library makes no slots
my $wires = LedgerWire->new(4, ordered => 1, conf => "max_slot_wal_keep_size = -1\n");
my @members = (1 .. 4);

foreach my $round (1 .. 3)
{
	$wires->sql($_, "SELECT ledger_internal.submit('\\x0$round')") foreach (@members);
}

# The same bodies were submitted everywhere, so a member has each as its own.
foreach my $member (@members)
{
	ok($wires->poll($member, 'SELECT count(*) = 0 FROM ledger_internal.submitted'), "member $member makes its batches");
}
my $batches = 0;
$batches += $wires->sql($_, 'SELECT count(*) FROM ledger_internal.own_log WHERE kind = 1') foreach (@members);
my $ordered = q{
SELECT sum(('x' || encode(substring(cut FROM at + 6 FOR 8), 'hex'))::bit(64)::bigint)
  FROM (SELECT cut FROM ledger_internal.ordered_block ORDER BY height DESC LIMIT 1) AS b,
       generate_series(octet_length(cut) % 46 + 1, octet_length(cut) - 45, 46) AS at};

foreach my $member (@members)
{
	ok($wires->poll($member, $ordered, $batches), "and has all $batches in final blocks")
	  || diag($wires->sql($member, 'SELECT * FROM ledger.peer'));
}
my $height = (sort { $a <=> $b } map { $wires->sql($_, 'SELECT max(height) FROM ledger_internal.ordered_block') } @members)[0];
my %chains = map { $wires->sql($_, "SELECT string_agg(encode(hash, 'hex'), ',' ORDER BY height) FROM ledger_internal.ordered_block WHERE height <= $height") => 1 } @members;

is(scalar(keys %chains), 1, 'the blocks are the same everywhere');
is($wires->sql($_, 'SELECT count(*) FROM pg_replication_slots'), '0', "member $_ has no slot") foreach (@members);
is($wires->sql($_, "SELECT bool_and(fetched > 0 AND fetched = rows) FROM ledger.peer WHERE member <> $_"), 't', 'and has fetched all rows') foreach (@members);

# A member that was restored together with its wire is told so by the others,
# who have nothing of it but what they fetched.
ok($wires->rest(@members), 'nobody writes any more');
$wires->agree('and all have all rows');
my $last = $wires->sql(4, 'SELECT max(seq) FROM ledger_internal.own_log');

foreach my $member (1 .. 3)
{
	ok($wires->poll($member, "SELECT count(*) FROM ledger_wire.log_4", $last, 'postgres_wire'), "the wire of member $member has the rows that were fetched");
}
$wires->wire(4, 'ALTER TABLE ledger_wire.log_4 DISABLE TRIGGER refuse_change; DELETE FROM ledger_wire.log_4; ALTER TABLE ledger_wire.log_4 ENABLE ALWAYS TRIGGER refuse_change');
$wires->forget(4, 2);
ok($wires->node(4)->wait_for_log('consensus alarm: others have rows of this node that it lacks'), 'a member that was restored is told so');
my $rows = $wires->sql(4, 'SELECT count(*) FROM ledger_internal.own_log');
$wires->sql($_, "SELECT ledger_internal.submit('\\xff')") foreach (@members);
ok($wires->poll($_, $ordered, $batches + 3), "member $_ orders without it") foreach (1 .. 3);
is($wires->sql(4, 'SELECT count(*) FROM ledger_internal.own_log'), $rows, 'which signs nothing more');

done_testing();
