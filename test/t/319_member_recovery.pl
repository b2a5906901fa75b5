# Recovery keys that are registered where a ledger begins, and by who joins it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerContract;
use LedgerWire;

my $wires = LedgerWire->new(0);
$wires->add_newcomer;
my @keys = map { $wires->public_key(LedgerWire::secret($_)) } (1, 2);

refused($wires, 1, "SELECT ledger.create_node('member1', recovery_key => '\\x01')", qr/this is no recovery key.*32 bytes/s, 'the founder registers a key or nothing');
is($wires->sql(1, 'SELECT count(*) FROM ledger_internal.node'), '0', 'and founds nothing with another thing');
$wires->sql(1, "SELECT ledger.create_node('member1', purpose => 'test', recovery_key => '$keys[0]')");
$wires->sql(1, 'CREATE TABLE cdr (id bigint) USING ledger');
is($wires->sql(1, 'SELECT recovery_key FROM ledger.member'), $keys[0], 'the founder has registered one in genesis');
foreach my $call ('ledger.rotate_key()', "ledger.set_recovery_key('$keys[1]')", 'ledger.new_fingerprint()')
{
	refused($wires, 1, "SELECT $call", qr/this ledger has one member, who makes its blocks alone/, "$call is for several members");
}
my $ref = $wires->sql(1, 'INSERT INTO cdr VALUES (1) RETURNING ledger_ref');
like($wires->sql(1, "SELECT ledger.wait_final('$ref', '170 s')"), qr/^\d+$/, 'its rows are final');

$wires->announce(1);
my $new = $wires->add_newcomer;
my $paper = $wires->invite(1, $new);
my $address = $wires->address($new);

refused($wires, $new, "SELECT ledger.join('$paper', 'member2', '$address', recovery_key => '\\x01')", qr/this is no recovery key/, 'nor does a newcomer register anything else');
$wires->sql($new, "SELECT ledger.join('$paper', 'member2', '$address', recovery_key => '$keys[1]')");
$wires->sql($new, 'CREATE TABLE cdr (id bigint) USING ledger');
# A key that is only made is nobody's before somebody gives it to this member.
my $made = $wires->sql($new, 'SELECT ledger.new_fingerprint()');

$wires->admit([$new], 1);
foreach my $member (1, $new)
{
	ok($wires->poll($member, q{SELECT string_agg(recovery_key::text, ' ' ORDER BY member) FROM ledger.member WHERE state = 'member'}, "$keys[0] $keys[1]"), "member $member knows the keys of both");
}
foreach my $member (1, $new)
{
	is($wires->sql($member, 'SELECT fingerprint FROM ledger.member WHERE member = 2'), $wires->fingerprint($new), "at member $member the newcomer signs with the key that was admitted");
}
is($wires->sql($new, 'SELECT recovery_key IS NULL, ledger_internal.fingerprint_of(row_key) FROM ledger_internal.key_wanted'), "t|$made", 'the one that was made waits');
is($wires->sql($new, 'SELECT ledger.new_fingerprint()'), $made, 'and is not made twice');

# The founder's rows from when it was alone stay checkable after it has changed its key.
$wires->sql(1, 'SELECT ledger.rotate_key()');
ok($wires->poll($_, 'SELECT count(*) = 3 FROM ledger_internal.row_keys()'), "member $_ knows the founder's next key") foreach (1, $new);
foreach my $member (1, $new)
{
	$ref = $wires->sql($member, 'INSERT INTO cdr VALUES (2) RETURNING ledger_ref');
	like($wires->sql($member, "SELECT ledger.wait_final('$ref', '170 s')"), qr/^\d+$/, "a row of member $member is final");
	is($wires->sql($member, q{SELECT kind, height, detail FROM ledger.verify(mode => 'full')}), '', "member $member verifies clean");
}

# Somebody who joins now reads all of it: the keys of then, and those of now.
my $third = $wires->add_newcomer;
$wires->announce($new);
$wires->invite($new, $third);
$wires->join($third);
$wires->admit([$third], $new, 1);
my $last = $wires->sql(1, 'INSERT INTO cdr VALUES (3) RETURNING ledger_ref');
like($wires->sql(1, "SELECT ledger.wait_final('$last', '170 s')"), qr/^\d+$/, 'a row of the founder is final among three');
ok($wires->poll($third, "SELECT count(*) = 4 FROM ledger_internal.row_keys()"), 'the newcomer knows all keys');
$ref = $wires->sql($third, 'INSERT INTO cdr VALUES (4) RETURNING ledger_ref');
like($wires->sql($third, "SELECT ledger.wait_final('$ref', '170 s')"), qr/^\d+$/, 'its rows are final');
is($wires->sql($third, q{SELECT kind, height, detail FROM ledger.verify(mode => 'full')}), '', 'and it verifies clean');
is($wires->sql($third, q{SELECT verdict, from_height, blocks > to_height FROM ledger.verification ORDER BY id DESC LIMIT 1}), 'clean|0|t', 'from the first block on');

done_testing();
