# Members join and leave while rows come: everybody verifies clean across the
# epochs, the newcomer from the first block on.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerWire;

my $wires = LedgerWire->new(4, ordered => 1);
my @members = (1 .. 4);

# A row of each, final by the quorum of the time.
sub rows_of
{
	my ($name, @who) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	foreach my $member (@who)
	{
		my $ref = $wires->sql($member, 'INSERT INTO cdr VALUES (1) RETURNING ledger_ref');

		like($wires->sql($member, "SELECT ledger.wait_final('$ref', '170 s')"), qr/^\d+$/, "$name: a row of member $member is final");
	}
	return;
}

sub verified
{
	my ($name, @who) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($wires->sql($_, q{SELECT kind, height, detail FROM ledger.verify(mode => 'full')}), '', "$name: member $_ verifies clean") foreach (@who);
	return;
}

rows_of('four', @members);
my $new = $wires->add_newcomer;
$wires->announce(1);
$wires->invite(1, $new);
$wires->join($new);
$wires->admit([$new], 1, 2, 3);
foreach my $member (@members, $new)
{
	ok($wires->poll($member, 'SELECT ledger_internal.epoch_now()', '1'), "epoch 1 begins at member $member");
}
$wires->sql($new, 'CREATE TABLE IF NOT EXISTS cdr (id bigint) USING ledger');
rows_of('five', @members, $new);
verified('five', @members, $new);

my $motion = $wires->sql(4, 'SELECT ledger.leave()');
foreach my $member (1, 2, $new)
{
	$wires->poll($member, "SELECT EXISTS (SELECT FROM ledger.motion WHERE motion = '$motion')");
	$wires->sql($member, "SELECT ledger.remove('member4')");
}
foreach my $member (@members, $new)
{
	ok($wires->poll($member, 'SELECT ledger_internal.epoch_now()', '2'), "epoch 2 begins at member $member");
}
rows_of('without 4', 1 .. 3, $new);
verified('without 4', @members, $new);
is($wires->sql($new, q{SELECT verdict, from_height, blocks > to_height FROM ledger.verification ORDER BY id DESC LIMIT 1}), 'clean|0|t', 'the newcomer has read all blocks');

# What a superuser changes in the history of the members is named.
sub finds
{
	my ($change, $expected, $name) = @_;
	my $found = $wires->sql(1, "BEGIN; $change; SELECT DISTINCT kind, detail FROM ledger.verify(mode => 'full'); ROLLBACK");

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return like($found, qr/$expected/, $name);
}

finds('DELETE FROM ledger_internal.epoch WHERE epoch = 1', 'An epoch in ledger_internal.epoch is missing or was numbered anew', 'an epoch that is gone');
finds("UPDATE ledger_internal.epoch SET certificate = set_byte(certificate, octet_length(certificate) - 11, get_byte(certificate, octet_length(certificate) - 11) # 1) WHERE epoch = 1",
	'The certificate in ledger_internal.epoch is not signed by a quorum of the members before', 'an epoch whose certificate was changed');
finds('UPDATE ledger_internal.epoch SET motion = (SELECT motion FROM ledger_internal.epoch WHERE epoch = 2) WHERE epoch = 1',
	'The motion in ledger_internal.epoch does not make the members that were decided', 'an epoch with another motion');
finds('ALTER TABLE ledger_internal.epoch ALTER certificate DROP NOT NULL; UPDATE ledger_internal.epoch SET certificate = NULL WHERE epoch = 1',
	'The certificate in ledger_internal.epoch is not one of a change of the members', 'a certificate that is null');
finds('ALTER TABLE ledger_internal.epoch ALTER height DROP NOT NULL; UPDATE ledger_internal.epoch SET height = NULL WHERE epoch = 1',
	'Column height of ledger_internal.epoch is not that of the founding block', 'a height that is null');

# So is what was signed and waits, as there is no quorum.
$wires->node($_)->stop('immediate') foreach (2, 3);
$wires->sql(1, 'INSERT INTO cdr VALUES (2)');
ok($wires->poll(1, 'SELECT count(*) = 1 FROM ledger_internal.batch WHERE height IS NULL AND digest IS NOT NULL'), 'a batch is signed and waits');
is($wires->sql(1, q{SELECT kind, height, detail FROM ledger.verify(mode => 'full')}), '', 'nothing is wrong with it');
finds('UPDATE ledger_internal.batch SET header = set_byte(header, 90, get_byte(header, 90) # 1) WHERE height IS NULL',
	'The header of a batch that waits for a block is not one that the own log has', 'a waiting batch whose time was changed');
finds("UPDATE ledger_internal.batch SET header = set_byte(header, 90, get_byte(header, 90) # 1), digest = sha256('\\x00'::bytea || set_byte(header, 90, get_byte(header, 90) # 1)) WHERE height IS NULL",
	'The header of a batch that waits for a block is not one that the own log has', 'or with its digest');
finds('DELETE FROM ledger_internal.section WHERE batch = (SELECT max(batch) FROM ledger_internal.batch); DELETE FROM ledger_internal.batch WHERE height IS NULL',
	'A batch that was signed and waits for a block is not in ledger_internal.batch', 'one that is gone');

done_testing();
