# One founder grows to four in one change.  Before that, everything that has to be
# refused on the way: wrong fingerprints, invitations, names, addresses, orders.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

use LedgerWire;

my $wires = LedgerWire->new(1, ordered => 1);
my @new = map { $wires->add_newcomer } (1 .. 3);

sub refused
{
	my ($member, $query, $pattern, $name) = @_;
	my ($code, $out, $error) = $wires->node($member)->psql('postgres', $query);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($code != 0 && $error =~ $pattern, $name) || diag("code $code, output $out, error $error");
	return;
}

my $print = $wires->fingerprint(2);

# Not yet, or not here.
refused(2, "SELECT ledger.invite('x', '$print')", qr/not a node of a ledger.*HINT/s, 'who is no node invites nobody');
refused(2, "SELECT ledger.admit('x', '$print')", qr/not a node of a ledger/, 'nor does it admit anybody');
refused(1, "SELECT ledger.invite('member2', '$print')", qr/cannot reach this member yet.*HINT:  Call ledger\.announce/s, 'no invitation without an address');
$wires->announce(1);

# Fingerprints.
my $wrong = $print;
substr($wrong, 3, 1) = substr($wrong, 3, 1) eq '0' ? '1' : '0';
refused(1, "SELECT ledger.invite('member2', '$wrong')", qr/no fingerprint of a member's key.*72 hexadecimal digits/s, 'a wrong digit is noticed');
refused(1, "SELECT ledger.invite('member2', '" . substr($print, 0, -1) . "')", qr/no fingerprint/, 'so is one that is missing');
refused(1, "SELECT ledger.invite('member2', '" . $wires->sql(1, 'SELECT ledger.fingerprint()') . "')", qr/member 1 has that name or that key already/, 'and one of a member');
refused(1, "SELECT ledger.invite('member1', '$print')", qr/member 1 has that name or that key already/, 'a name is given once');
refused(1, "SELECT ledger.invite(repeat('x', 64), '$print')", qr/no member can be called or described like this.*1 to 63 bytes/s, 'a name has its limits');
refused(1, "SELECT ledger.invite('member2', '$print', ARRAY[repeat('x', 64)])", qr/at most 16 roles, each of 1 to 63 bytes/, 'so has a role');
refused(1, "SELECT ledger.invite('member2', NULL)", qr/needs a name and a fingerprint/, 'an invitation without a fingerprint');
$wires->invite(1, $_) foreach (@new);
is($wires->sql(1, "SELECT string_agg(name || ' ' || member, ', ' ORDER BY member) FROM ledger.member WHERE state = 'invited'"), 'member2 2, member3 3, member4 4', 'three are invited');
my $paper = $wires->invite(1, 2);
is($wires->sql(1, "SELECT count(*) FROM ledger.member WHERE state = 'invited'"), '3', 'to invite again changes nothing');

# Joining.
my $address = $wires->address(2);
refused(2, "SELECT ledger.join('hello', 'member2', '$address')", qr/no invitation to a ledger.*HINT/s, 'some other text');
refused(2, "SELECT ledger.join('{\"telco_ledger\": \"invitation 1\"}', 'member2', '$address')", qr/no invitation to a ledger/, 'half an invitation');
refused(2, "SELECT ledger.join('$paper', 'other', '$address')", qr/the invitation is for "member2"/, 'an invitation for another name');
refused(3, "SELECT ledger.join('$paper', 'member2', '$address')", qr/the invitation is for another key.*HINT/s, 'an invitation for another key');
refused(2, "SELECT ledger.join('$paper', 'member2', '$address password=secret')", qr/password/, 'an address with a password');
(my $forged = $paper) =~ s/("chain": "[0-9a-f]*)([0-9a-f])"/$1 . ($2 eq '0' ? '1' : '0') . '"'/e;
isnt($forged, $paper, 'an invitation is changed');
refused(2, "SELECT ledger.join('$forged', 'member2', '$address')", qr/the invitation does not fit together.*HINT/s, 'one whose ledger is another');
($forged = $paper) =~ s/("genesis_body": "[0-9a-f]*)([0-9a-f])"/$1 . ($2 eq '0' ? '1' : '0') . '"'/e;
refused(2, "SELECT ledger.join('$forged', 'member2', '$address')", qr/does not fit its contents/, 'one whose members are others');
is($wires->sql(2, 'SELECT (SELECT count(*) FROM ledger_internal.node) + (SELECT count(*) FROM ledger_internal.peer)'), '0', 'nothing is left of all that');
$wires->join($_) foreach (@new);
refused(2, "SELECT ledger.join('$paper', 'member2', '$address')", qr/another key|already a ledger node/, 'who has joined joins no more');
refused(2, "SELECT ledger.invite('x', '" . $wires->fingerprint(3) . "')", qr/no validator of its ledger.*not been admitted yet.*HINT/s, 'who is not admitted invites nobody');
refused(2, 'SELECT ledger.leave()', qr/no validator of its ledger/, 'nor leaves');

# Admitting.
refused(1, "SELECT ledger.admit('member2', '$print')", qr/who proposes a new member says where its wire is.*HINT/s, 'a proposal without an address');
refused(1, "SELECT ledger.admit('member2', '$print', 'host=x dbname=y user=z')", qr/user/, 'one with a user in it');
refused(1, "SELECT ledger.admit('member9', '" . $wires->sql(1, "SELECT ledger_internal.fingerprint_of('\\x" . '11' x 32 . "')") . "', '$address')", qr/has not invited "member9".*no proposal with any of these names.*HINT/s, 'somebody who is not invited');
refused(1, "SELECT ledger.admit(ARRAY['member2'], ARRAY['$print', '$print'])", qr/each new member needs a name and a fingerprint/, 'lists that do not fit');
refused(1, "SELECT ledger.admit(ARRAY['member2', 'member2'], ARRAY['$print', '$print'], ARRAY['$address', '$address'])", qr/a new member is named twice/, 'one newcomer twice');
refused(1, "SELECT ledger.remove('nobody')", qr/there is no member "nobody".*HINT/s, 'who is not there is not removed');
refused(1, "SELECT ledger.remove('member1')", qr/cannot be changed like this.*No validator would be left/s, 'the last one stays');
refused(1, "SELECT ledger.set_roles('nobody', ARRAY['operator'])", qr/there is no member "nobody".*HINT/s, 'nor has it roles');
refused(1, "SELECT ledger.set_roles('member1', '{}')", qr/member "member1" has just these roles/, 'roles that it has');
refused(1, "SELECT ledger.set_roles('member1', NULL)", qr/a list of roles is needed.*HINT/s, 'no roles at all are said as an empty list');
foreach my $call ("ledger.set_roles('x', '{}')", "ledger.invite('x', '$print')", "ledger.join('x', 'y', 'z')", "ledger.admit('x', '$print')", "ledger.remove('x')", 'ledger.leave()', 'ledger.fingerprint()')
{
	$wires->sql(1, 'CREATE ROLE clerk') if !$wires->sql(1, "SELECT count(*) FROM pg_roles WHERE rolname = 'clerk'");
	refused(1, "SET ROLE clerk; SELECT $call", qr/permission denied/, "not everybody may call $call");
}

# Three in one change; the founder alone is a quorum.
$wires->sql(1, "SELECT ledger_internal.submit('\\x01')");
$wires->poll(1, 'SELECT count(*) > 0 FROM ledger_internal.ordered_block');
$wires->admit(\@new, 1);
foreach my $member (1, @new)
{
	ok($wires->poll($member, "SELECT string_agg(name, ' ' ORDER BY member) FROM ledger.member WHERE state = 'member'", 'member1 member2 member3 member4'), "member $member knows all four");
}
is($wires->sql(1, "SELECT count(*) FROM ledger.member WHERE state = 'invited'"), '0', 'no invitation is left');
$wires->sql($_, "SELECT ledger_internal.submit('\\x0$_')") foreach (1, @new);
my $lanes = q{
SELECT count(DISTINCT substring(cut FROM at FOR 4))
  FROM (SELECT cut FROM ledger_internal.ordered_block ORDER BY height DESC LIMIT 1) AS b,
       generate_series(octet_length(cut) % 46 + 1, octet_length(cut) - 45, 46) AS at};
foreach my $member (1, @new)
{
	ok($wires->poll($member, $lanes, '4'), "all four are in member $member\'s blocks")
	  || diag($wires->sql($member, 'SELECT * FROM ledger.peer'));
}
my $height = (sort { $a <=> $b } map { $wires->sql($_, 'SELECT max(height) FROM ledger_internal.ordered_block') } (1, @new))[0];
my %chains = map { $wires->sql($_, "SELECT string_agg(encode(hash, 'hex'), ',' ORDER BY height) FROM ledger_internal.ordered_block WHERE height <= $height") => 1 } (1, @new);
is(scalar(keys %chains), 1, "the blocks up to $height are the same everywhere");

# A quorum is three now, and approvals are counted.
my $motion = $wires->sql(2, "SELECT ledger.remove('member4')");
$wires->poll(2, "SELECT EXISTS (SELECT FROM ledger.motion WHERE motion = '$motion')");
refused(2, "SELECT ledger.remove('member4')", qr/this member has approved of that already.*HINT/s, 'an approval is given once');
$wires->poll(3, "SELECT EXISTS (SELECT FROM ledger.motion WHERE motion = '$motion')");
$wires->sql(3, "SELECT ledger.remove('member4')");
ok($wires->poll(1, "SELECT approved_by = '{member2,member3}' AND needed = 3 AND state = 'open' FROM ledger.motion WHERE motion = '$motion'"), 'two of three');
is($wires->sql(1, 'SELECT ledger_internal.epoch_now()'), '1', 'decide nothing');
$wires->sql(1, "SELECT ledger.remove('member4')");
foreach my $member (1, @new)
{
	ok($wires->poll($member, "SELECT state FROM ledger.member WHERE name = 'member4'", 'left'), "member $member knows that member 4 has left")
	  || diag($wires->sql($member, 'SELECT * FROM ledger.motion') . $wires->sql($member, 'SELECT * FROM ledger.peer'));
}
refused(4, "SELECT ledger.remove('member3')", qr/no validator of its ledger/, 'which decides nothing any more');

# A newcomer that is shown another block than the invitation names goes no further.
my $late = $wires->add_newcomer;
$paper = $wires->invite(1, $late);
$paper =~ s/("hash": "[0-9a-f]*)([0-9a-f])"/$1 . ($2 eq '0' ? '1' : '0') . '"'/e;
$wires->{invitations}[$late] = $paper;
$wires->join($late);
ok(eval { $wires->node($late)->wait_for_log(qr/is not the one that the invitation names/); 1 }, 'a block that the invitation does not name is not taken');
my $named = $wires->sql($late, 'SELECT max(height) FROM ledger_internal.trusted_block');
is($wires->sql($late, "SELECT count(*) FROM ledger_internal.ordered_block WHERE height >= $named"), '0', 'nor what follows it');

# Whoever disposes of it keeps nothing, not even the key that it wanted to have next, and may join anew.
my $kept = q{SELECT string_agg(relation, ' ' ORDER BY relation) FROM (SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'ledger_internal'::regnamespace AND relkind = 'r') AS t (relation)
 WHERE (xpath('/row/n/text()', query_to_xml('SELECT count(*) AS n FROM ' || relation, false, true, '')))[1]::text <> '0'};

foreach my $member (4, $late)
{
	$wires->sql($member, 'INSERT INTO ledger_internal.key_wanted (row_key) VALUES (ledger_internal.make_key())');
	dispose_beside_reader($wires->node($member));
	is($wires->sql($member, $kept), 'ledger_internal.ledger_table', "member $member has disposed of all but the extension's own table");
	isnt($wires->sql($member, 'SELECT ledger.fingerprint()'), $wires->fingerprint($member), 'and has a new key');
}

done_testing();

# Somebody reads what a node has stored, in another order than it is emptied in.
sub dispose_beside_reader
{
	my ($node) = @_;
	my $reader = $node->background_psql('postgres');
	my $disposer = $node->background_psql('postgres', on_error_stop => 0);
	my $name = $node->name;

	$reader->query_safe('BEGIN; SELECT count(*) FROM ledger_internal.own_log');
	$disposer->query_until(qr/begun/, "\\echo begun\nSELECT ledger.dispose();\n");
	ok($node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM pg_locks WHERE relation = 'ledger_internal.node'::regclass AND mode = 'ShareUpdateExclusiveLock' AND granted}), "$name is being disposed of");
	usleep(500_000);
	foreach my $table (qw(ledger_internal.snapshot ledger_internal.node cdr))
	{
		is($reader->query_safe("SELECT count(*) >= 0 FROM $table"), 't', "who reads $table meanwhile is not waited for by whom it waits for");
	}
	$reader->query_safe('COMMIT');
	$disposer->query('SELECT 1');
	is($disposer->{stderr}, '', 'so neither has to give way');
	$_->quit foreach ($reader, $disposer);
	return;
}
