# A member sends batches under refs that it has used before: what the others have
# in their tables stays final.  Batches that are refused as a whole leave an outcome, so
# that no receipt says of a row in them that all have accepted it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerWire;

my $wires = LedgerWire->new(3, ordered => 1, outside => 1);
my $liar = $wires->add_publisher(4);
my @members = (1 .. 3);
my $id = '00112233-4455-6677-8899-aabbccddeeff';

foreach my $member (@members)
{
	$wires->wait_streaming($member, $_) foreach (grep { $_ != $member } 1 .. 4);
	$wires->sql($member, 'CREATE TABLE offer (id bigint) USING ledger');
	$wires->sql($member, "SELECT ledger_internal.share_table('offer', '$id')");
}
my $ref = $wires->sql(1, 'INSERT INTO offer VALUES (1) RETURNING ledger_ref');

$wires->sql($_, "SELECT ledger.wait_final('$ref', '170 s')") foreach (@members);

# Of one of its rows they know an earlier place.
my ($known, $new) = ('4.0.1.1', '4.0.1.2');

$wires->sql($_, "INSERT INTO ledger_internal.foreign_rows VALUES ('$known', '$known', 1, 0, 999, 0)") foreach (@members);

# A batch whose root is not that of its body, which has both.
my $rows = join ' || ', map { "int4send(octet_length(r)) || overlay(r placing ledger.encode_value('$_'::ledger.ref) from 19)" } ($known, $new);
my $body = $wires->sql(1, "SELECT decode(repeat('00', 32), 'hex') || $rows FROM (SELECT ledger.encode_row('offer', ledger_ref) AS r FROM offer) AS o");

$liar->sql("INSERT INTO ledger_wire.body_4 (chunk) VALUES ('$body')");
$liar->publish(kind => 1, payload => $liar->batch(1, '\\x' . '00' x 32, $body));

my $refused = "SELECT string_agg(ref || ' ' || sqlstate, ', ' ORDER BY ref) FROM ledger.rejected";

foreach my $member (@members)
{
	$wires->poll($member, 'SELECT count(*) FROM ledger.rejected', '2');
	like($wires->sql($member, $refused), qr/^\Q$known\E TL003, \Q$new\E TL0(?!03)\d\d$/, "member $member refuses both, the known one as known");
	is($wires->sql($member, "SELECT ledger.is_final('$known'), ledger.is_final('$new')"), 't|f', 'and it stays what it was');
	is($wires->sql($member, 'SELECT stopped_at FROM ledger.status'), '', "member $member goes on");
}

# Outcomes of batches as a whole, which come before those of rows.
my $whole = q{SELECT count(*) FROM ledger_internal.outcome AS o JOIN ledger_internal.foreign_batch AS b USING (height)
	WHERE o.number = 1 AND b.member = 4 AND overlay(o.leaf placing 'TL000'::bytea from 28)
	= '\x070104'::bytea || int8send(b.height) || decode(repeat('00', 16), 'hex') || 'TL000'::bytea || b.digest};

is($wires->sql($_, "$whole AND b.batch = 1"), '1', "member $_ has an outcome of the batch as a whole") foreach (@members);

# Bytes without any row, below a root that may be one over rows: nobody can name these.
my $nothing = '\\x' . 'ff' x 40;

$liar->sql("INSERT INTO ledger_wire.body_4 (chunk) VALUES ('$nothing')");
$liar->publish(kind => 1, payload => $liar->batch(2, $wires->sql(1, "SELECT digest FROM ledger_internal.foreign_batch WHERE member = 4"), $nothing));
foreach my $member (@members)
{
	ok($wires->poll($member, "$whole AND b.batch = 2", '1'), "member $member has one of a batch in which no row can be read");
	is($wires->sql($member, 'SELECT count(*), (SELECT count(*) FROM ledger_internal.outcome) FROM ledger.rejected'), '2|4', 'and none beside it');
	is($wires->sql($member, "SELECT height, detail FROM ledger.verify(mode => 'full') WHERE kind = 'batch_changed'"), '', 'verification does not miss its rows');
}

done_testing();
