# The state of a member that is not that of the others: it applies no more and
# says so, and goes on ordering; when no quorum agrees, everybody stops applying.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerWire;

my $wires = LedgerWire->new(4, ordered => 1);
my @members = (1 .. 4);
my $nothing = "sha256('')";

foreach my $member (@members)
{
	$wires->wait_streaming($member, $_) foreach (grep { $_ != $member } @members);
}

sub tip { my ($member) = @_; return $wires->sql($member, 'SELECT max(height) FROM ledger_internal.ordered_block') }

# Does everybody of them have a checkpoint at or above that height?
sub stable
{
	my ($height, @who) = @_;

	return join ' ', grep { !$wires->poll($_, "SELECT coalesce(max(height), 0) >= $height FROM ledger_internal.checkpoint") } @who;
}

# A superuser makes up a row of a shared table: whole, so that nothing but the
# others' states can tell.
sub make_up
{
	my ($member, $byte) = @_;

	$wires->sql($member, <<"END");
WITH made_up AS (
    INSERT INTO ledger_internal.table_state
    SELECT '11111111-1111-1111-1111-111111111111', applied_height, sha256(made), made
      FROM ledger.status, decode(repeat('$byte', 2048), 'hex') AS made RETURNING *)
INSERT INTO ledger_internal.state SELECT height + 1, digest FROM made_up
END
	return;
}

$wires->insert(1, 1);
is(stable(1, @members), '', 'an idle ledger has a stable checkpoint');
is($wires->sql($_, "SELECT bool_and(state_root = $nothing AND outcome_root = $nothing) FROM ledger_internal.checkpoint"), 't', "member $_: over nothing, as there are no shared tables")
  foreach (@members);

# One member differs.
make_up(4, '5a');
$wires->insert(1, 1);
ok($wires->poll(4, "SELECT stopped_by = 'diverged' FROM ledger.status"), 'member 4 learns that its state is not the certified one')
  || diag($wires->sql(4, 'SELECT * FROM ledger.status') . "\n" . $wires->sql(4, 'SELECT * FROM ledger_internal.checkpoint'));
my ($at, $applied) = split /\|/, $wires->sql(4, 'SELECT stopped_at, applied_height FROM ledger.status');
ok($wires->poll($_, "SELECT state_root = $nothing FROM ledger_internal.checkpoint WHERE height = $at"), "member $_ has the others' state after block $at as the stable one")
  foreach (@members);
ok(slurp_file($wires->node(4)->logfile) =~ /WARNING:.*the state of this node after block $at is not the one that a quorum of the members has signed/, 'the log of member 4 names the block');
ok(slurp_file($wires->node($_)->logfile) !~ /the state of this node after block/, "member $_ complains of itself in nothing") foreach (1 .. 3);

is($wires->sql(1, q{SELECT * FROM ledger.verify(mode => 'full')}), '', 'verification finds nothing at another member');
my $made_up = $wires->sql(4, 'SELECT height FROM ledger.state');
is($wires->sql(4, "SELECT kind, height, left(detail, 30) FROM ledger.verify(mode => 'full') ORDER BY height, detail COLLATE \"C\""),
	join("\n", map { $_->[1] } sort { $a->[0] <=> $b->[0] || $a->[1] cmp $b->[1] }
		map { [ $_->[0], "state_changed|$_->[0]|$_->[1]" ] }
		  [ $made_up, 'A state is stored of a table t' ], [ $made_up + 1, 'The stored state root is not t' ], [ $at, 'The state of this node after t' ]),
	'at member 4 what was made up, and that the state after that block is not the certified one');

# It orders, with its own rows and its vote, and applies nothing.
my $own = $wires->sql(4, 'INSERT INTO cdr VALUES (4) RETURNING ledger_ref');
ok($wires->poll(4, "SELECT EXISTS (SELECT FROM ledger_internal.section AS s JOIN ledger_internal.batch AS b USING (batch) WHERE b.height IS NOT NULL AND s.first_ref <= '$own' AND s.last_ref >= '$own')"), 'a row of member 4 is ordered');
$wires->node(3)->stop;
$wires->insert(1, 1);
ok($wires->poll(4, 'SELECT max(height) >= ' . tip(1) . ' FROM ledger_internal.ordered_block'), 'blocks are made with the vote of member 4');
$wires->node(3)->start;
is($wires->sql(4, "SELECT applied_height, ledger.is_final('$own'), height > applied_height FROM ledger.status"), "$applied|f|t", 'and it applies none of them');

# It knows as much after a start.
$wires->node(4)->restart;
$wires->insert(2, 1);
ok($wires->poll(4, 'SELECT height >= ' . tip(2) . ' FROM ledger.status'), 'member 4 goes on ordering after a start');
is($wires->sql(4, 'SELECT applied_height, stopped_at, stopped_by FROM ledger.status'), "$applied|$at|diverged", 'and applies as little');

# Its state is what its rows say: there is no such table.
is($wires->sql(4, 'SELECT ledger.recompute_state()'), $applied, 'the state of member 4 is computed again');
like($wires->sql(4, "SELECT ledger.wait_final('$own', '170 s')"), qr/^\d+$/, 'and blocks are applied again');
is($wires->sql(4, q{SELECT * FROM ledger.verify(mode => 'full')}), '', 'verification finds nothing wrong');
like(($wires->node(4)->psql('postgres', 'SELECT ledger.recompute_state()'))[2], qr/ERROR:.*this node has not stopped to apply blocks/, 'a state that is in order is not computed again');

# Of four members no three agree: everybody stops.
make_up(2, 'a5');
make_up(3, '55');
$wires->insert(1, 1);
ok($wires->poll($_, "SELECT stopped_by = 'split' FROM ledger.status"), "member $_: no quorum agrees") foreach (@members);
ok(slurp_file($wires->node(1)->logfile) =~ /WARNING:.*no quorum of the members agrees on the state after block \d+/, 'the log says so');
my $last = tip(1);
my $waiting = $wires->sql(1, 'INSERT INTO cdr VALUES (1) RETURNING ledger_ref');
ok($wires->poll($_, "SELECT height > $last AND applied_height < height FROM ledger.status"), "member $_ orders and does not apply") foreach (@members);

# And goes on when the states are what the rows say.
foreach my $member (@members)
{
	my $error = ($wires->node($member)->psql('postgres', 'SELECT ledger.recompute_state()'))[2];

	# as soon as three agree, the last one goes on of itself
	ok($error eq '' || $error =~ /has not stopped to apply blocks/, "member $member computes its state again") || diag($error);
}
like($wires->sql(1, "SELECT ledger.wait_final('$waiting', '170 s')"), qr/^\d+$/, 'blocks are applied again');
$wires->insert(1, 1);
is(stable(tip(1), @members), '', 'and there is a stable checkpoint again');
ok($wires->poll($_, "SELECT stopped_by IS NULL AND applied_height = height FROM ledger.status"), "member $_ has applied everything") foreach (@members);

done_testing();
