# A shared table of four members: rows inserted on each appear on all of them,
# with their refs, in block order.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerWire;

my $wires = LedgerWire->new(4, ordered => 1);
my @members = (1 .. 4);
my $id = '00112233-4455-6677-8899-aabbccddeeff';

foreach my $member (@members)
{
	$wires->wait_streaming($member, $_) foreach (grep { $_ != $member } @members);
	$wires->sql($member, 'CREATE TABLE offer (id bigint NOT NULL, price numeric(10,2) CHECK (price > 0), note text) USING ledger');
	$wires->sql($member, "SELECT ledger_internal.share_table('offer', '$id')");
}
is($wires->sql(1, "SELECT s.relation, s.table_id, s.contract, t.table_id = s.table_id FROM ledger_internal.shared_table AS s JOIN ledger_internal.ledger_table AS t USING (relation)"), "offer|$id|test|t", 'a table is shared under an id');
like(($wires->node(1)->psql('postgres', "SELECT ledger_internal.share_table('offer', gen_random_uuid())"))[2], qr/table "offer" cannot become a shared table.*\n.*It is shared already\./, 'once');
$wires->sql(1, 'INSERT INTO cdr VALUES (1)');
like(($wires->node(1)->psql('postgres', "SELECT ledger_internal.share_table('cdr', gen_random_uuid())"))[2], qr/table "cdr" cannot become a shared table.*\n.*It has rows\./, 'and before it has rows');

foreach my $member (@members)
{
	my $ref = $wires->sql($member, "INSERT INTO offer VALUES ($member, 1.50, 'of $member') RETURNING ledger_ref");
	like($wires->sql($member, "SELECT ledger.wait_final('$ref', '170 s')"), qr/^\d+$/, "a row of member $member is final");
}
foreach my $member (@members)
{
	is($wires->sql($member, q{SELECT * FROM ledger.verify(mode => 'full')}), '', "member $member finds nothing wrong");
}

done_testing();
