# A consortium that orders grows from four to five while bodies come, and shrinks
# again: the same blocks everywhere, the old ones at the newcomer too.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerWire;

my $wires = LedgerWire->new(4, ordered => 1);
my @members = (1 .. 4);

my $cut = LedgerWire::CUT;

# Everything that these have submitted is in final blocks at all of @who.
sub all_ordered
{
	my ($name, $authors, @who) = @_;
	my @lanes;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	foreach my $member (@$authors)
	{
		$wires->poll($member, 'SELECT count(*) = 0 FROM ledger_internal.submitted') or diag("member $member makes no batch");
		my $batches = $wires->sql($member, 'SELECT count(*) FROM ledger_internal.own_log WHERE kind = 1');
		push @lanes, "$member:$batches" if $batches > 0;
	}
	my $expected = join ' ', @lanes;
	my @late = grep { !$wires->poll($_, $cut, $expected) } @who;

	is("@late", '', "$name: every batch is in a final block at everybody ($expected)")
	  || diag(map { "member $_\n" . $wires->sql($_, "SELECT seq, kind, epoch, view FROM ledger.message WHERE verdict = 'own' ORDER BY seq DESC LIMIT 8")
			. "\n" . $wires->sql($_, 'SELECT * FROM ledger.peer') . "\n--\n" } @who);
	$wires->same_blocks(@who);
	return;
}

sub in_epoch
{
	my ($epoch, @who) = @_;
	my @late = grep { !$wires->poll($_, 'SELECT ledger_internal.epoch_now()', $epoch) } @who;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is("@late", '', "epoch $epoch begins at everybody")
	  || diag(map { "member $_\n" . $wires->sql($_, 'SELECT motion, epoch, reason, approved_by, needed, state FROM ledger.motion') . "\n" . $wires->sql($_, 'SELECT * FROM ledger.peer') . "\n" } @who);
	return;
}

$wires->submit($_, "before, of $_") foreach (@members);
all_ordered('before', \@members, @members);

# The newcomer: fingerprint, invitation, join, admission.
my $new = $wires->add_newcomer;
like($wires->fingerprint($new), qr/^([0-9a-f]{8}-){8}[0-9a-f]{8}$/, 'a newcomer prints its fingerprint');
is($wires->sql($new, 'SELECT ledger.fingerprint()'), $wires->fingerprint($new), 'and the same when it is asked again');
$wires->announce(1);
$wires->invite(1, $new);
$wires->join($new);
is($wires->sql($new, "SELECT name, member, state FROM ledger.member WHERE state = 'joining'"), 'member5|5|joining', 'it waits to be admitted');
is($wires->sql(1, q{SELECT count(*) FROM ledger.hba_rules() AS r (line) WHERE line ~ '^# hostssl .* <address of member5>  cert$'}), '1', 'a line for it is among those of pg_hba.conf');
is($wires->sql(1, "SELECT name, member, state FROM ledger.member WHERE state = 'invited'"), 'member5|5|invited', 'and is invited at one of the members');

# Before it is admitted it follows, by the wire of the one who has invited it.
ok($wires->poll($new, "SELECT count(*) > 0 FROM ledger_internal.ordered_block"), 'it follows the blocks');
ok($wires->poll($new, "SELECT log_link = 'no slot' AND body_link = 'no slot' FROM ledger.peer WHERE member = 1"), 'and has no link, as that one does not feed it yet')
  || diag($wires->sql($new, 'SELECT * FROM ledger.peer'));
ok($wires->poll($new, "SELECT count(*) = 3 FROM ledger.peer WHERE log_link = 'refused' AND reason LIKE '%role%does not exist%' AND member > 1"), 'nor to those who do not know it')
  || diag($wires->sql($new, 'SELECT * FROM ledger.peer'));
is($wires->sql($new, "SELECT count(*) FROM ledger.peer WHERE reason LIKE 'could not connect to the publisher%'"), '0', 'of whom nothing more is asked');
unlike(slurp_file($wires->node($new)->logfile), qr/replication slot "\S+" does not exist/, 'for which its server does not look');
my $motion = $wires->admit([$new], 1, 2);
$wires->submit($_, "while it is decided, of $_") foreach (@members);
$wires->poll(3, "SELECT approved_by = '{member1,member2}' FROM ledger.motion WHERE motion = '$motion'");
is($wires->sql(3, "SELECT kind, epoch, approved_by, needed, state FROM ledger.motion WHERE motion = '$motion'"), 'change|0|{member1,member2}|3|open', 'two of four are no quorum');
is($wires->sql(3, 'SELECT ledger_internal.epoch_now()'), '0', 'and nothing changes');
is($wires->sql(3, "SELECT changes FROM ledger.motion WHERE motion = '$motion'"), '{"member5 is member 5, validator, key ' . $wires->fingerprint($new) . ', roles: none"}', 'what is proposed can be read');
my (undef, undef, $refusal) = $wires->node(3)->psql('postgres', "SELECT ledger.admit('member5', '" . $wires->fingerprint($new) . "', 'host=elsewhere dbname=x')");
like($refusal, qr/another address is proposed for "member5".*HINT:  Leave the addresses out/s, 'an approval with another address than the proposed one is refused');
$wires->sql(3, "SELECT ledger.admit('member5', '" . $wires->fingerprint($new) . "')");
in_epoch(1, @members, $new);
is($wires->sql($_, "SELECT string_agg(name, ' ' ORDER BY member) FROM ledger.member WHERE state = 'member'"), 'member1 member2 member3 member4 member5', "member $_ knows all five") foreach (@members, $new);
$wires->submit($_, "after, of $_") foreach (@members, $new);
all_ordered('five', [ @members, $new ], @members, $new);
is($wires->sql($_, 'SELECT ledger_internal.quorum()'), '4', "a quorum is four for member $_") foreach (1, $new);

# Four of five are a quorum only with the newcomer.
$wires->node(2)->stop('immediate');
$wires->submit($new, 'without member 2');
ok($wires->poll($_, "SELECT EXISTS (SELECT FROM ledger_internal.ordered_block WHERE encode(cut, 'hex') LIKE '%' || '00000005' || '0000' || '0000000000000002' || '%')"), "member $_ orders with the newcomer's vote") foreach (1, 3, 4, $new);
$wires->node(2)->start;
$wires->submit(2, 'back again');
all_ordered('the absent one is back', [ @members, $new ], @members, $new);

# A member says that its wire is reached by another address; nobody has to approve.
my $moved = $wires->address(3) . ' sslmode=prefer';
$wires->sql(3, "SELECT ledger.announce('$moved')");
foreach my $member (1, 2, 4, $new)
{
	ok($wires->poll($member, "SELECT address FROM ledger.member WHERE member = 3", $moved), "member $member has taken the new address of member 3")
	  || diag($wires->sql($member, 'SELECT motion, kind, epoch, reason, approved_by, state FROM ledger.motion'));
}
$wires->wait_streaming(1, 3);

# One that was asked for in an epoch that has ended meanwhile is said in this one.
$wires->sql(4, "INSERT INTO ledger_internal.approval_asked (motion) SELECT overlay(ledger_internal.make_notice('address 4 " . $wires->address(4) . " sslmode=prefer', sha256('z')) PLACING int8send(0) FROM 3)");
$wires->sql(4, 'SELECT ledger_internal.wire_changed()');
ok($wires->poll(1, "SELECT address LIKE '%sslmode=prefer' FROM ledger.member WHERE member = 4"), 'an address that an epoch has overtaken is not lost');

# Nobody speaks for another one: such a notice of member 2 about member 3 is not taken.
$wires->sql(2, "INSERT INTO ledger_internal.approval_asked (motion) VALUES (ledger_internal.make_notice('address 3 host=nowhere dbname=x', sha256('x')))");
$wires->sql(2, "INSERT INTO ledger_internal.approval_asked (motion) VALUES (ledger_internal.make_notice('address 2 " . $wires->address(2) . " sslmode=prefer', sha256('y')))");
$wires->sql(2, 'SELECT ledger_internal.wire_changed()');
ok($wires->poll(1, "SELECT address LIKE '%sslmode=prefer' FROM ledger.member WHERE member = 2"), 'a notice of member 2 about itself is taken');
is($wires->sql(1, 'SELECT address FROM ledger.member WHERE member = 3'), $moved, 'one about another member is not');

# One member leaves: proposed by itself, approved by others.
$motion = $wires->sql(4, 'SELECT ledger.leave()');
foreach my $member (1, 2, $new)
{
	$wires->poll($member, "SELECT EXISTS (SELECT FROM ledger.motion WHERE motion = '$motion')");
	$wires->sql($member, "SELECT ledger.remove('member4')");
}
in_epoch(2, 1 .. 4, $new);
$wires->submit($_, "without 4, of $_") foreach (1 .. 3, $new);
is($wires->sql($_, "SELECT state, left_height > since_height FROM ledger.member WHERE name = 'member4'"), 'left|t', "member 4 has left, says $_") foreach (1, $new, 4);
my (undef, undef, $gone) = $wires->node(4)->psql('postgres', 'INSERT INTO cdr VALUES (1)');
like($gone, qr/this member has left its ledger.*HINT:  What is on the ledger stays/s, 'who has left takes no more rows');
foreach my $member (1 .. 3, $new)
{
	ok($wires->poll($member, 'SELECT count(*) = 0 FROM ledger_internal.submitted'), "member $member makes its batches");
}
ok($wires->poll(1, 'SELECT max(height) > (SELECT max(height) FROM ledger_internal.epoch) FROM ledger_internal.ordered_block'), 'blocks go on without it');
$wires->same_blocks(1 .. 3, $new);
# Who has left may read the wires for an hour, and no longer.
my $role = $wires->sql(1, 'SELECT ledger_internal.wire_role(4)');
my $try = sub { return $wires->node(1)->psql(LedgerWire::WIRE, 'SELECT count(*) FROM ledger_wire.log_1', extra_params => [ '-U', $role ]) };
is($try->(), 0, 'member 4 may still read');
ok($wires->poll(1, "SELECT count(*) = 0 FROM pg_subscription WHERE subname = 'log_4'"), 'but nobody follows it any more');
$wires->sql(1, "UPDATE ledger_internal.peer SET left_at = left_at - interval '2 hours' WHERE member = 4");
$wires->node(1)->reload;
ok($wires->poll(1, "SELECT NOT rolcanlogin AND NOT rolreplication FROM pg_roles WHERE rolname = '$role'"), 'after an hour its role is barred');
isnt($try->(), 0, 'and it may not');

# Roles are set by vote, in an epoch of their own.
$motion = $wires->sql(1, "SELECT ledger.set_roles('member1', ARRAY['operator', 'arbiter'])");
foreach my $member (2, $new)
{
	$wires->poll($member, "SELECT EXISTS (SELECT FROM ledger.motion WHERE motion = '$motion')");
	$wires->sql($member, "SELECT ledger.set_roles('member1', ARRAY['arbiter', 'operator'])");
}
in_epoch(3, 1 .. 3, $new);
is($wires->sql($_, "SELECT roles FROM ledger.member WHERE name = 'member1'"), '{arbiter,operator}', "member $_ knows the roles of member 1") foreach (1, $new);
ok(!$wires->node($_)->log_contains('consensus alarm'), "no alarm was raised at $_") foreach (@members, $new);

done_testing();
