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
	$wires->wait_streaming($member, $_) foreach (grep { $_ != $member } @members);
}

foreach my $member (@members)
{
	my $ref = $wires->sql($member, "INSERT INTO cdr VALUES ($member) RETURNING ledger_ref");
	like($wires->sql($member, "SELECT ledger.wait_final('$ref', '170 s')"), qr/^\d+$/, "a row of member $member is final");
	is($wires->sql($member, "SELECT ledger.finality('$ref'), ledger.is_final('$ref'), ledger.block_time('$ref') > '2026-01-01'"), 'final|t|t', 'and is said to be');
}

# COMMIT can wait for the quorum.
foreach my $member (@members)
{
	is($wires->sql($member, "SET telco_ledger.commit_wait = 'final'; INSERT INTO cdr VALUES (100); SELECT ledger.is_final(ledger_ref) FROM cdr WHERE id = 100"), 't', "what member $member has committed is final");
}

# Two of four are no quorum: what is committed waits, and nobody says otherwise.
$wires->node($_)->stop('immediate') foreach (3, 4);
my $waits = $wires->sql(1, 'INSERT INTO cdr VALUES (200) RETURNING ledger_ref');
ok($wires->poll(1, 'SELECT count(*) = 1 FROM ledger_internal.batch WHERE height IS NULL AND digest IS NOT NULL'), 'a batch is in the own log');
is($wires->sql(1, "SELECT ledger.finality('$waits'), ledger.is_final('$waits'), ledger.height('$waits') IS NULL, (SELECT rows_pending FROM ledger.status)"), 'committed|f|t|1', 'without a quorum its row is not final');
is($wires->sql(1, q{SELECT * FROM ledger.verify(mode => 'full')}), '', 'which is nothing wrong');
# The links of those that were stopped are named once the server knows it.
my $batch = $wires->sql(1, 'SELECT batch FROM ledger_internal.batch WHERE height IS NULL');
ok($wires->poll(1, "SELECT ledger.explain_wait('$waits')", "The row is in batch $batch of the own log, which a quorum of the members has to order. The links to members 3, 4 do not work."), 'and what it waits for');
like(($wires->node(1)->psql('postgres', "SELECT ledger.wait_final('$waits', '500 ms')"))[2], qr/is committed but not final yet/, 'whoever waits is told so');
$wires->node($_)->start foreach (3, 4);
ok($wires->poll(1, "SELECT ledger.explain_wait('$waits') LIKE 'The row is final, in block %'"), 'until it is final');
like(($wires->node(1)->psql('postgres', "SELECT ledger.explain_wait('1.0.999999.1')"))[2], qr/no committed row has the ledger_ref 1\.0\.999999\.1/, 'a row that is not there waits for nothing');
ok($wires->poll(1, "SELECT ledger.is_final('$waits') AND (SELECT rows_pending = 0 FROM ledger.status)"), 'with the others back it becomes final');

# Everybody verifies clean, and proves rows to everybody else.
my %receipt;

foreach my $member (@members)
{
	is($wires->sql($member, q{SELECT * FROM ledger.verify(mode => 'full')}), '', "member $member finds nothing wrong");
	is($wires->sql($member, q{SELECT verdict, rows > 1, blocks > 1 FROM ledger.verification ORDER BY id DESC LIMIT 1}), 'clean|t|t', 'and has looked');
	$receipt{$member} = $wires->sql($member, 'SELECT ledger.receipt(\'cdr\', ledger_ref) FROM cdr LIMIT 1');
}
foreach my $member (@members)
{
	foreach my $other (grep { $_ != $member } @members)
	{
		is($wires->sql($other, "SELECT valid, reason FROM ledger.verify_receipt(\$r\$$receipt{$member}\$r\$)"), 't|a quorum of the members in genesis ordered this row', "member $other believes a receipt of $member");
	}
}

# So does who has no database at all.
my $verifier = $wires->node(1)->config_data('--bindir') . '/telco_verifier';

SKIP:
{
	skip "$verifier is not installed", scalar(@members) unless -x $verifier;
	foreach my $member (@members)
	{
		my $file = PostgreSQL::Test::Utils::tempdir() . "/receipt$member.json";

		PostgreSQL::Test::Utils::append_to_file($file, $receipt{$member});
		ok(system($verifier, $file) == 0, "telco_verifier believes a receipt of $member");
	}
}

# A certificate with a vote less, with the vote of a stranger, of another block.
my $short = $receipt{1};

$short =~ s{("certificate": ?")([0-9a-f]+)}{$1 . shorten($2)}e;
isnt($short, $receipt{1}, 'a vote is taken out of a receipt');
is($wires->sql(2, "SELECT valid, reason FROM ledger.verify_receipt(\$r\$$short\$r\$)"), 'f|the head is not signed by a quorum of the members', 'which nobody believes then');

sub shorten
{
	my ($hex) = @_;
	my $bytes = pack 'H*', $hex;
	my $count = unpack 'n', substr($bytes, 50, 2);

	return unpack 'H*', substr($bytes, 0, 50) . pack('n', $count - 1) . substr($bytes, 52, 124 * ($count - 1));
}

# What a superuser changes in the stored chain is named.
my $height = $wires->sql(1, 'SELECT max(height) - 1 FROM ledger_internal.block_order WHERE height IN (SELECT height FROM ledger_internal.foreign_batch) AND height < (SELECT max(height) FROM ledger_internal.block)');

sub finds
{
	my ($change, $expected, $name) = @_;
	my $found = $wires->sql(1, <<"END");
BEGIN;
$change;
SELECT kind, height - $height, detail FROM ledger.verify(mode => 'full');
ROLLBACK;
END

	return like($found, qr/^$expected$/, $name);
}

my $foreign = "WHERE height = (SELECT min(height) FROM ledger_internal.foreign_batch WHERE height >= $height)";

finds("UPDATE ledger_internal.block_order SET certificate = overlay(substring(certificate FOR octet_length(certificate) - 124) PLACING int2send((get_byte(certificate, 51) - 1)::int2) FROM 51) WHERE height = $height",
	'bad_certificate\|0\|The certificate in ledger_internal.block_order is not signed by a quorum of the members\.', 'a vote that is missing');
finds("UPDATE ledger_internal.block_order SET certificate = overlay(certificate PLACING int4send(9) FROM octet_length(certificate) - 123) WHERE height = $height",
	'bad_certificate\|0\|The certificate in ledger_internal.block_order is not signed by a quorum of the members\.', 'a vote of somebody who is no member');
finds("UPDATE ledger_internal.block_order SET certificate = overlay(certificate PLACING substring(certificate FROM 53 FOR 124) FROM octet_length(certificate) - 123) WHERE height = $height",
	'bad_certificate\|0\|.*', 'a vote that counts twice');
finds("UPDATE ledger_internal.block_order SET certificate = (SELECT certificate FROM ledger_internal.block_order WHERE height = 1) WHERE height = (SELECT max(height) FROM ledger_internal.block)",
	'b.*', 'the certificate of another block');
finds("DELETE FROM ledger_internal.block_order WHERE height = $height",
	'bad_certificate\|0\|The block has no certificate in ledger_internal.block_order\.', 'a certificate that is gone');
my (undef, undef, $refused) = $wires->node(1)->psql('postgres', "BEGIN; DELETE FROM ledger_internal.block_order WHERE height >= (SELECT max(height) - 10 FROM ledger_internal.block); SELECT ledger.receipt('cdr', min(ledger_ref)) FROM cdr");
like($refused, qr/the certificate of a block is missing/, 'and the own signature does not stand for it in a receipt');
finds("UPDATE ledger_internal.block_order SET cut = set_byte(cut, octet_length(cut) - 1, get_byte(cut, octet_length(cut) - 1) # 1) WHERE height = $height",
	'block_changed\|0\|Column cut of ledger_internal.block_order is not the cut of the block\.', 'a cut that was changed');
finds("UPDATE ledger_internal.foreign_batch SET header = set_byte(header, 98, get_byte(header, 98) # 1) $foreign",
	'batch_changed\|\d+\|The header of batch \d+ of member \d in ledger_internal.foreign_batch is not the one of its digest\.', 'the header of another member\'s batch that was changed');
finds("UPDATE ledger_internal.foreign_batch SET header = set_byte(header, 98, get_byte(header, 98) # 1) $foreign; UPDATE ledger_internal.foreign_batch SET digest = sha256('\\x00'::bytea || header) $foreign",
	'batch_changed\|\d+\|The batches at this height, own and foreign, do not give the batch root of the block\.', 'or with its digest');
finds("DELETE FROM ledger_internal.foreign_batch $foreign", 'batch_changed\|\d+\|The batches at this height, own and foreign, do not give the batch root of the block\.', 'another member\'s batch that is gone');
finds("UPDATE ledger_internal.block SET header = set_byte(header, 119, get_byte(header, 119) # 1) WHERE height = $height",
	'block_changed\|0\|The header in ledger_internal.block is not the one that was signed\.', 'a header that was changed');
finds("UPDATE ledger_internal.own_log SET message = set_byte(message, octet_length(message) - 1, get_byte(message, octet_length(message) - 1) # 1) WHERE seq = 2",
	'bad_signature\|-?\d+\|The signature of row 2 of the own log is not valid\.', 'a row of the own log');
is($wires->sql(1, q{SELECT * FROM ledger.verify(mode => 'full')}), '', 'nothing is wrong where nothing was changed');

# A member of a test ledger can end it for itself; the others go on without it.
$wires->sql(4, 'SELECT ledger.dispose()');
is($wires->sql(4, 'SELECT (SELECT count(*) FROM ledger_internal.block) + (SELECT count(*) FROM ledger_internal.block_order) + (SELECT count(*) FROM ledger_internal.foreign_batch) + (SELECT count(*) FROM ledger_internal.batch)'), '0', 'nothing of the chain is left at member 4');
my $last = $wires->sql(1, 'INSERT INTO cdr VALUES (400) RETURNING ledger_ref');
like($wires->sql(1, "SELECT ledger.wait_final('$last', '170 s')"), qr/^\d+$/, 'three of four are a quorum');

done_testing();
